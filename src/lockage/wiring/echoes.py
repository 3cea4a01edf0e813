"""Keeps a build with nothing to do as an echo.

Invariant: what is kept is what was looked at. The source was the same before and after it was read once more; whatever may change without
its time of change telling is too young to be kept; digests are those that the build itself named, not those of what lies there now.
"""

from __future__ import annotations

import os
import sys
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.echo.command import key_of
from lockage.echo.echo import ECHO_MEMO, Echo, format_of
from lockage.echo.fields import packed, sha256
from lockage.echo.memo_file import body_of, place_of
from lockage.echo.source import COARSEST, looking
from lockage.work.build import RUN_MEMO, run_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.packs import Pack, Packs
    from lockage.wiring import Wiring
    from lockage.work.build import Built
    from lockage.work.last_build import Basis
    from lockage.work.prepare import Project

__all__ = ["keep_echo"]

_NUMBER = 8
_DIGEST = 32


def keep_echo(
    wiring: Wiring, words: Sequence[str], project: Project, built: Built, *, printed: tuple[str, str], out: Path, lock_file: Path | None
) -> None:
    """Keep what a build that repeated another one ``printed`` on standard error and output; best effort, like any memo."""
    with suppress(OSError, ValueError, AttributeError, LockageError):
        store, here = str(wiring.store), os.getcwd()  # noqa: PTH109 (as the echo will ask it)
        if built.basis is None or project.locator is None or wiring.memo.get(RUN_MEMO, run_key(built.run)) != built.run_id.encode():
            return
        source = _seen(wiring, project, project.locator, here)
        if source is None:
            return
        basis = built.basis
        packs = _Packs(wiring.packs)
        actions = [action for action in basis.actions if not packs.take("actions", action, None)]
        present = [ref for ref in basis.present if not packs.take("blobs", ref, None)]
        blobs, facts = _apart(basis, packs)
        echo = Echo(
            errors=printed[0],
            output=printed[1],
            locator=project.locator,
            source=source,
            store_format=format_of(store),
            out=os.path.join(here, out),  # noqa: PTH118
            files=tuple(_files(store, here, project, built, built.basis, out, lock_file)),
            actions=_listed(actions),
            blobs=_listed(blobs),
            facts=facts,
            present=_listed(present),
            packs=packs.listed(),
        )
        wiring.memo.put(ECHO_MEMO, sha256(key_of(words, here, os.environ, (sys.stdout, sys.stderr))).hex(), echo.encoded())


def _seen(wiring: Wiring, project: Project, locator: str, here: str) -> bytes | None:
    """What a look at the project's source sees, if that says that a reading gives the source of the project."""
    seen, newest = _look(locator, here)
    if seen is None or newest + COARSEST >= int(wiring.clock.now()) * 1_000_000_000:
        return None
    read = wiring.sources_at_a_look.read(locator)  # a look sees git's part of a working copy, and a directory there may be no part of it
    # What a recipe shares with others is no part of the source's tree, so that the tree does not tell that it was the same.
    if read.shared is not None or read.source(project.recipe.version) != project.source:
        return None
    return seen if _look(locator, here)[0] == seen else None


def _look(locator: str, here: str) -> tuple[bytes | None, int]:
    """What is seen, and when the youngest of it changed (nanoseconds)."""
    look = looking(locator, here, os.environ)
    if look is None:
        return None, 0
    try:
        return look.ended(), look.newest
    finally:
        look.stop()


def _files(
    store: str, here: str, project: Project, built: Built, basis: Basis, out: Path, lock_file: Path | None
) -> Iterable[tuple[str, bytes]]:
    """The files that the build read or left, each with the digest that it had or was given."""
    yield f"{store}/runs/{built.run_id}.json", basis.record.raw
    key = run_key(built.run)
    yield f"{store}/memo/{place_of(RUN_MEMO, key)}", sha256(body_of(key, built.run_id.encode()))  # else another run would be named
    for artifact in built.artifacts:
        yield os.path.join(here, out, artifact.name), artifact.blob.digest.raw  # noqa: PTH118
    if project.recipe.inferred:
        yield os.path.join(here, out, "lockage.lock"), Digest.of(project.lock.encode()).raw  # noqa: PTH118
    if lock_file is not None:
        data = lock_file.read_bytes()
        if data != project.lock.encode():
            raise ValueError("the lock has changed meanwhile")
        yield os.path.join(here, lock_file), Digest.of(data).raw  # noqa: PTH118


def _listed(refs: Iterable[BlobRef]) -> tuple[bytes, bytes]:
    """Names and sizes of blobs or actions."""
    found = list(refs)
    return b"".join([ref.digest.raw for ref in found]), array("Q", [ref.size for ref in found]).tobytes()


class _Packs:
    """The packs of a store, and those of them that a build took something from."""

    def __init__(self, packs: Mapping[str, Packs]) -> None:
        self._packs = packs
        self._taken: dict[str, Pack] = {}

    def take(self, kind: str, ref: BlobRef, facts: tuple[int, int] | None) -> bool:
        """Whether something is in a pack, and the pack looks as ``facts`` say, if they say anything."""
        place = self._packs[kind].find(ref.digest)
        if place is None or (kind == "blobs" and place[2] != ref.size) or (facts is not None and place[0].facts != facts):
            return False
        self._taken[f"{kind}/packs/{place[0].name}"] = place[0]
        return True

    def listed(self) -> tuple[bytes, bytes]:
        """Their paths below the store, and what they look like."""
        facts = array("Q", [number for pack in self._taken.values() for number in (pack.size, *pack.facts)])
        return packed(map(os.fsencode, self._taken)), facts.tobytes()


def _apart(basis: Basis, packs: _Packs) -> tuple[list[BlobRef], bytes]:
    """The blobs that are files of their own, and the numbers of the witness for them."""
    facts = memoryview(_facts(basis)).cast("Q")
    left: list[BlobRef] = []
    numbers = array("Q")
    for place, ref in enumerate(basis.blobs):
        seen = (facts[2 * place], facts[2 * place + 1])
        if not packs.take("blobs", ref, seen):
            left.append(ref)
            numbers.extend(seen)
    return left, numbers.tobytes()


def _facts(basis: Basis) -> bytes:
    """The numbers of the witness; raises ValueError if it is of other blobs."""
    names, end = _listed(basis.blobs)[0], _DIGEST + 2 * _NUMBER * len(basis.blobs)
    if not basis.witness.startswith(sha256(names)) or basis.witness[end:] != names:
        raise ValueError("not a witness of these blobs")
    return basis.witness[_DIGEST:end]
