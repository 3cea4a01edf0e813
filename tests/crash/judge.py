"""What must hold in a store whatever happened to the process that wrote to it; each fault in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.disk import Image, read_image
from tests.crash.story import Facts, entries_of, hidden, outputs_of
from tests.crash.watch import watch

from lockage.base.errors import LockageError
from lockage.evidence.trust import Role
from lockage.work.book import Book, NoStore
from lockage.work.store import check_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crash.stage import Stage
    from tests.crash.story import Told

__all__ = ["continue_from", "judge", "leftovers"]

#: Files whose names begin with a dot and that stay.
_STAYS = (".git", ".gitignore", ".lockage-manifest.json")


def judge(stage: Stage, image: Image, told: Told, *, done: bool, again: bool = False) -> list[str]:
    """Look at the folders, which hold the image, with the adapters that commands use, and say what does not hold.

    What was there before the command is never lost; ``done``: it has reported its end, so that nothing that it did is lost either.
    ``again``: it ran once more, and what it signed has other times and signatures than when its story was told.
    """
    before = told.after if done else told.before
    if again and done:
        before = Facts(entries=told.before.entries, kept=told.before.kept, outputs=told.after.outputs)
    return [*_lost(stage, image, before, told.after, again=again), *_exposed(stage, image), *_unsound(stage, told)]


def _exposed(stage: Stage, image: Image) -> Iterator[str]:
    """Results lie beside a file that tells git to pass them over."""
    if any(path.startswith(f"{stage.out}/") and not hidden(stage.inside(path)) for path in image):
        ignore = image.get(f"{stage.out}/.gitignore")
        if ignore is None or ignore.data != b"*\n":
            yield "results make a work tree dirty"


def _lost(stage: Stage, image: Image, before: Facts, after: Facts, *, again: bool) -> Iterator[str]:
    for path in sorted((before.kept & after.kept) - image.keys()):
        yield f"lost: {path}"
    try:
        entries = entries_of(image, stage)
    except LockageError as error:
        yield f"the ledger cannot be read: {error}"
    else:
        known = before.entries if again else after.entries
        if entries[: len(known)] != known[: len(entries)] or len(entries) > len(after.entries) + (again and 1):
            yield f"the ledger's {len(entries)} entries are not those that were to be"
        if len(entries) < len(before.entries):
            yield f"the ledger lost {len(before.entries) - len(entries)} entries"
    found = outputs_of(image, stage)
    for path in sorted(found.keys() | before.outputs.keys() | after.outputs.keys()):
        allowed = {before.outputs.get(path), after.outputs.get(path)}
        if found.get(path) not in allowed:
            yield f"{path} is {'missing' if path not in found else 'neither what it was nor what it was to be'}"


def _unsound(stage: Stage, told: Told) -> Iterator[str]:
    services = stage.services()
    try:
        found = check_store(services)
        yield from (f"{broken.kind} {broken.name} {broken.what}" for broken in found.broken)
        if found.stale_results and not told.swept:
            yield f"{found.stale_results} results of actions refer to what is not there"
        try:
            book = Book.open(services, make=False)
        except NoStore:
            pass
        else:
            for role in Role:
                book.signer(role)
    except LockageError as error:
        yield f"{error.code}: {error}"
    finally:
        _close(services)


def _close(services: object) -> None:
    ledger = vars(services).get("ledger")
    if ledger is not None:
        ledger.close()


def leftovers(stage: Stage, image: Image) -> list[str]:
    """Files that were to get another name, and that nobody writes any more."""
    found = {stage.inside(path) for path, item in image.items() if item.kind == "file"}
    return sorted(
        path for path in found if "/tmp/" in path or "/.lockage/" in path or (hidden(path) and path.rpartition("/")[2] not in _STAYS)
    )


def continue_from(stage: Stage, told: Told) -> list[str]:
    """Run the interrupted command again in the folders as they are, and say what it did not bring about."""
    stage.check_out(told.commit)
    ended = watch(stage.program(*told.arguments), [], lambda _: 0, stage.scratch)
    if ended.code != 0:
        return [f"the next {told.arguments[0]} ended with {ended.code}: {ended.err}"]
    tidied = watch(stage.tidy, [], lambda _: 0, stage.scratch)
    if tidied.code != 0:
        return [f"nothing more can be written after the next {told.arguments[0]}: {tidied.err}"]
    image = read_image(stage.watched)
    # A folder that a pull was making is removed by the next pull, and by nothing else.
    left = [path for path in leftovers(stage, image) if told.arguments[0] == "pull" or ".lockage-" not in path]
    faults = [f"left over after the next {told.arguments[0]}: {path}" for path in left]
    found = outputs_of(image, stage)
    faults += [
        f"the next {told.arguments[0]} did not make {path} what it was to be"
        for path, digest in told.after.outputs.items()
        if found.get(path) != digest
    ]
    faults += [f"the next {told.arguments[0]} made {path}" for path in sorted(found.keys() - told.after.outputs.keys())]
    lost = [path for path in told.before.kept & told.after.kept if path not in image]
    faults += [f"lost by the next {told.arguments[0]}: {path}" for path in lost]
    return [*faults, *_unsound(stage, told)]
