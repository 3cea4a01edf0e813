"""A story of commands, from an empty store to a rollback, told as the changes that they make and what each of them reported as done."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from tests.crash.disk import Disk, Image, read_image
from tests.crash.watch import Change, Ended, watch

from lockage.adapters.ledger_sql import SqlLedger
from lockage.base.digest import Digest
from lockage.cli.app import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.stage import Stage

__all__ = ["CONTENTS", "STORY", "Chapter", "Facts", "Told", "entries_of", "facts_of", "hidden", "outputs_of", "placed", "record"]


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One command, and what the project's README says before it; None: what it said."""

    arguments: tuple[str, ...]
    readme: str | None = None


#: OUT and PULLED stand for folders of the stage.
_STORY = (
    Chapter(arguments=("lock",)),
    Chapter(arguments=("build", "--out", "OUT"), readme="one\n"),
    Chapter(arguments=("test",)),
    Chapter(arguments=("verify",)),
    Chapter(arguments=("release",)),
    Chapter(arguments=("promote", "shop", "--to", "dev")),
    Chapter(arguments=("build", "--out", "OUT"), readme="two\n"),
    Chapter(arguments=("test",)),
    Chapter(arguments=("release",)),
    Chapter(arguments=("promote", "shop", "--to", "dev")),
    Chapter(arguments=("pull", "dev", "--into", "PULLED")),
    Chapter(arguments=("rollback", "dev", "--to", "shop@1.0-1")),
    Chapter(arguments=("pull", "dev", "--into", "PULLED")),
    Chapter(arguments=("store", "check")),
    Chapter(arguments=("build", "--out", "OUT")),
)

#: The commands that delete what nothing needs, of those that there are.
_DELETING = (Chapter(arguments=("gc", "--keep", "0d", "--keep-runs", "1")),) if "gc" in COMMANDS else ()
#: Everything that changes a store.
STORY = (*_STORY, *_DELETING, *_STORY[-2:])

#: Folders of a store in which nothing that is there may be lost once a command has ended.
CONTENTS = ("blobs/sha256", "blobs/packs", "actions", "runs")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What may be relied upon: the ledger's entries, the names of what is kept, and the digests of files put where users look."""

    entries: tuple[bytes, ...] = ()
    kept: frozenset[str] = frozenset()
    outputs: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter as it went: what was there, its changes, the commit that was checked out, what held before it and what after.

    ``swept``: something may have been deleted, upon which a result may refer to what is gone, and counts as absent.
    """

    chapter: Chapter
    start: Image
    arguments: tuple[str, ...]
    commit: str
    changes: tuple[Change, ...]
    before: Facts
    after: Facts
    ended: Ended
    swept: bool = False


def hidden(path: str) -> bool:
    """Whether a path is one that users do not look at."""
    return "/." in path


def outputs_of(image: Image, stage: Stage) -> dict[str, str]:
    """The files of an image that a user looks at, by path, each by its digest; names with a dot in front are lockage's own."""
    places = (f"{stage.top}/results/", f"{stage.work}/lockage.lock")
    return {
        path: str(Digest.of(item.data))
        for path, item in image.items()
        if item.kind == "file" and path.startswith(places) and not hidden(stage.inside(path))
    }


def facts_of(image: Image, stage: Stage) -> Facts:
    """The facts that hold in an image."""
    tops = tuple(f"{stage.home}/{name}/" for name in CONTENTS)
    kept = frozenset(
        path
        for path, item in image.items()
        if item.kind == "file" and path.startswith(tops) and "/tmp/" not in stage.inside(path) and not hidden(stage.inside(path))
    )
    return Facts(entries=entries_of(image, stage), kept=kept, outputs=outputs_of(image, stage))


def entries_of(image: Image, stage: Stage) -> tuple[bytes, ...]:
    """The entries of an image's ledger, read from a copy: who opens a database may change it."""
    with TemporaryDirectory(dir=stage.scratch) as folder:
        for path, item in image.items():
            if path.startswith(f"{stage.home}/ledger.db"):
                (Path(folder) / path.rpartition("/")[2]).write_bytes(item.data)
        ledger = SqlLedger(Path(folder) / "ledger.db")
        try:
            return tuple(ledger.entries())
        finally:
            ledger.close()


def record(stage: Stage, disk: Disk, chapters: tuple[Chapter, ...] = STORY, prepare: Callable[[], None] = lambda: None) -> list[Told]:
    """Live through a story; the disk is afterwards what the folders are. ``prepare`` may change the program before each command."""
    told: list[Told] = []
    before = Facts()
    for chapter in chapters:
        if chapter.readme is not None:
            disk.put(stage.work / "README.md", chapter.readme.encode())
            (stage.work / "README.md").write_text(chapter.readme)
        if chapter in _DELETING:
            _let_the_second_pass()
        commit = stage.commit() if chapter.readme is not None else stage.git("rev-parse", "HEAD")
        changes: list[Change] = []
        start = disk.now()

        def heard(change: Change, changes: list[Change] = changes) -> int:
            changes.append(change)
            return 0

        arguments = placed(stage, chapter.arguments)
        ended = watch(stage.program(*arguments, prepare=prepare), stage.watched, heard, stage.scratch)
        assert ended.code == 0, (arguments, ended)
        for change in changes:
            disk.apply(change)
        seen = read_image(stage.watched)
        assert seen == disk.now(), f"{arguments}: not every change was seen"
        after = facts_of(seen, stage)
        told.append(
            Told(
                chapter=chapter,
                start=start,
                arguments=arguments,
                commit=commit,
                changes=tuple(changes),
                before=before,
                after=after,
                ended=ended,
                swept=chapter in _DELETING or any(earlier.swept for earlier in told),
            )
        )
        before = after
    return told


def _let_the_second_pass() -> None:
    """Ages are in whole seconds, so what is as old as the present counts as young: when the command is run again, it would not."""
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.01)


def placed(stage: Stage, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments with the stage's folders in the places of their names."""
    known: dict[str, Path] = {"OUT": stage.out, "PULLED": stage.top / "results" / "pulled"}
    return tuple(str(known[argument]) if argument in known else argument for argument in arguments)
