"""What the last build of the same steps came to, remembered in one piece: a build that repeats it reads one memo, not one a step.

Invariants: a result counts only for a step whose key is the same, and only if the action cache still has it and the blobs vouch that
everything it refers to is there and whole; a build gives the same with this memo, without it, and with any damage to it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import decode_hook, encode_hook
from lockage.base.digest import BlobRef, Digest
from lockage.base.tree import read_tree
from lockage.plan.action import CONTRACT_VERSION
from lockage.record.artifact import Artifact, Run, StepRun
from lockage.record.result import Usage
from lockage.stabilize.registry import PASSES_VERSION
from lockage.work.given import GivenTrees
from lockage.work.outcome import ended, over, planned_steps

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.recipe.chosen import Chosen
    from lockage.work.services import Services

__all__ = ["Basis", "LastBuild"]

#: So many bytes of new results are hashed at the end of a build; what is beyond waits for a build that has nothing else to do.
_AT_ONCE = 64 << 20
_NO_KEY = bytes(32)


class _Step(msgspec.Struct, frozen=True, array_like=True):
    """``blobs`` are places in :class:`_Kept`: of the log, of the outputs, and of all that is in them."""

    key: bytes
    action: tuple[bytes, int]
    usage: Usage
    blobs: tuple[int, ...]

    @property
    def ref(self) -> BlobRef:
        """Of the action."""
        return BlobRef(str.__new__(Digest, self.action[0].hex()), self.action[1])


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """``whole`` is the identity of a build of which this is all: its run, and its artifacts. ``seen`` is what steps choose of ``tree``.

    ``steps`` are in the plan's order, None for one that is not in it. ``digests`` are 32 bytes for each blob.
    """

    tree: BlobRef
    seen: list[tuple[tuple[str, ...], bytes]]
    steps: list[_Step | None]
    digests: bytes
    sizes: list[int]
    witness: bytes
    whole: bytes = b""
    run_id: str = ""
    record: bytes = b""
    recipe: bytes = b""
    artifacts: tuple[Artifact, ...] = ()

    def refs(self) -> list[BlobRef]:
        """All blobs, by place."""
        text = self.digests.hex()
        return [BlobRef(str.__new__(Digest, text[64 * place : 64 * place + 64]), size) for place, size in enumerate(self.sizes)]


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a build that repeated another one found there: the results of actions, all blobs that it names with the witness of their files,
    the record of its run, and ``present``, blobs that need only be there.
    """

    actions: tuple[BlobRef, ...]
    blobs: tuple[BlobRef, ...]
    witness: bytes
    record: Digest
    present: tuple[BlobRef, ...] = ()


class LastBuild:
    """The memory of one plan's steps; ``keys`` are those of steps whose needs have results.

    Whoever is not to believe what was remembered makes none of it.
    """

    def __init__(self, services: Services, plan: Plan) -> None:
        self._services, self._plan = services, plan
        self._name = Digest.of(
            msgspec.json.encode(
                (__version__, CONTRACT_VERSION, PASSES_VERSION, plan.recipe.project, [planned.name for planned in plan.steps]),
                enc_hook=str,
            )
        )
        self._refs: list[BlobRef] = []
        self._kept = self._recalled()
        self._steps = {} if self._kept is None else dict(zip((one.name for one in plan.steps), self._kept.steps, strict=True))
        #: Whether what is remembered is kept and whole; None as long as nobody needed to know.
        self._whole: bool | None = None
        self.keys: dict[StepName, Digest] = {}
        self.given = GivenTrees(services.blobs.get)

    @cached_property
    def source(self) -> Chosen:
        """The source as the steps see it."""
        from lockage.recipe.chosen import Chosen  # a build that is repeated looks at nothing

        kept, tree, get = self._kept, self._plan.source.tree, self._services.blobs.get
        known = {patterns: Digest(raw.hex()) for patterns, raw in kept.seen} if kept is not None and kept.tree == tree else {}
        return Chosen(lambda: read_tree(tree, get), known)

    def _recalled(self) -> _Kept | None:
        data = self._services.memo.get("last-build", self._name)
        if data is None:
            return None
        try:
            kept = msgspec.msgpack.decode(data, type=_Kept, dec_hook=decode_hook)
        except (msgspec.DecodeError, ValueError):
            return None  # another lockage wrote it; a memo counts for nothing
        return kept

    def _believed(self) -> bool:
        """Whether all of it is kept and whole: looked at once, and not in a build that needs none of it."""
        if self._whole is None:
            self._whole = self._kept is not None and self._vouched(self._kept)
        return self._whole

    def _vouched(self, kept: _Kept) -> bool:
        if not self._services.cache.holds([one.ref for one in kept.steps if one is not None]):
            return False
        refs = kept.refs()
        witness = self._services.blobs.vouch(refs, kept.witness)
        if witness is None:
            return False
        self._refs = refs
        if witness != kept.witness:
            self._kept = msgspec.structs.replace(kept, witness=witness)
            self._write(self._kept)
        return True

    def _write(self, kept: _Kept) -> None:
        self._services.memo.put("last-build", self._name, msgspec.msgpack.encode(kept, enc_hook=encode_hook))

    @cached_property
    def _identity(self) -> bytes:
        """Of all that a build's run and artifacts follow from."""
        plan = self._plan
        hosts = [planned.environment.root for planned in plan.steps if planned.environment.root.is_host]  # which no lock pins
        parts = (plan.recipe, plan.source, plan.lock_digest, plan.platform, *hosts)
        return Digest.of(msgspec.json.encode(parts, enc_hook=encode_hook)).raw

    def repeated(self, started: Instant) -> tuple[Run, str] | None:
        """The run that this build repeats, with its id; None if anything may be other than it was."""
        kept, plan, services = self._kept, self._plan, self._services
        if kept is None or not kept.whole or kept.whole != self._identity or not self._believed():
            return None
        record = services.runs.digest(kept.run_id)
        if record is None or record.raw != kept.record:
            return None
        steps = tuple(self._run(planned.name, one) for planned, one in zip(plan.steps, kept.steps, strict=True) if one is not None)
        services.tell(planned_steps(plan, services.capacity.jobs))
        for step in steps:
            services.tell(ended(step))
        run = Run(
            project=plan.recipe.project,
            source=plan.source,
            recipe=Digest(kept.recipe.hex()),
            lock=plan.lock_digest,
            started=started,
            finished=services.clock.now(),
            steps=steps,
            artifacts=kept.artifacts,
        )
        for event in over(run, kept.run_id, repeated=True):
            services.tell(event)
        return run, kept.run_id

    @property
    def basis(self) -> Basis | None:
        """What a repeated build follows from, beside its source, recipe and lock; None if nothing is remembered."""
        kept = self._kept
        if kept is None or not kept.whole or not self._believed():
            return None
        actions = tuple(one.ref for one in kept.steps if one is not None)
        return Basis(actions=actions, blobs=tuple(self._refs), witness=kept.witness, record=Digest(kept.record.hex()))

    def result(self, step: StepName, key: Digest) -> StepRun | None:
        """What a step came to; None if it had another key."""
        one = self._steps.get(step)
        return self._run(step, one) if one is not None and one.key == key.raw and self._believed() else None

    def gave(self, run: StepRun) -> bool:
        """Whether the step gave the same as in this run, as far as it is remembered and to be believed."""
        one, kept = self._steps.get(run.step), self._kept
        if one is None or kept is None or len(one.blobs) < 2:
            return False
        at = 32 * one.blobs[1]
        return kept.digests[at : at + 32] == run.outputs.digest.raw

    def _run(self, step: StepName, one: _Step) -> StepRun:
        log, outputs = one.blobs[:2]
        return StepRun(
            step=step,
            action=one.ref,
            exit_code=0,
            cached=True,
            outputs=self._refs[outputs],
            log=self._refs[log],
            usage=one.usage,
        )

    def keep(self, run: Run, run_id: str) -> None:
        """Remember what a build came to, in the place of what was remembered before."""
        from lockage.work.actions import StepActions  # a build that is repeated keeps nothing

        table = _Table()
        room = _AT_ONCE if any(not step.cached for step in run.steps) else None
        results = {step.step: step for step in run.steps if step.failure is None}
        actions = StepActions(self._services, self._plan, results, self)
        steps: list[_Step | None] = []
        for planned in self._plan.steps:
            result = results.get(planned.name)
            if result is None:
                steps.append(None)
                continue
            key = actions.key(planned)  # of most that ran nobody has asked for it: here one comes after the other
            before = self._steps.get(planned.name)
            if before is not None and before.key == key.raw and self._believed():
                refs = [self._refs[place] for place in before.blobs]
            else:
                refs = [result.log, *self.given.blobs(result.outputs)]
                if room is not None:
                    room -= sum(ref.size for ref in refs)
                    if room < 0:
                        steps.append(None)
                        continue
            action = (result.action.digest.raw, result.action.size)
            steps.append(_Step(key=key.raw, action=action, usage=result.usage, blobs=tuple(map(table.place, refs))))
        whole = all(steps) and run_id
        for artifact in run.artifacts if whole else ():
            for ref in filter(None, (artifact.blob, artifact.raw, artifact.report)):
                table.place(ref)
        witness = self._services.blobs.vouch(list(table.places), b"" if self._kept is None else self._kept.witness)
        if witness is None:
            return
        kept = _Kept(
            tree=self._plan.source.tree,
            seen=[(patterns, digest.raw) for patterns, digest in self.source.digests.items()],
            steps=steps,
            digests=bytes.fromhex("".join([ref.digest for ref in table.places])),
            sizes=[ref.size for ref in table.places],
            witness=witness,
        )
        record = self._services.runs.digest(run_id) if whole else None
        if record is not None:
            kept = msgspec.structs.replace(
                kept, whole=self._identity, run_id=run_id, record=record.raw, recipe=run.recipe.raw, artifacts=run.artifacts
            )
        self._write(kept)


class _Table:
    """Blobs by the place at which they were first named."""

    def __init__(self) -> None:
        self.places: dict[BlobRef, int] = {}

    def place(self, ref: BlobRef) -> int:
        return self.places.setdefault(ref, len(self.places))
