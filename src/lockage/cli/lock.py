"""``lockage lock``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.completion import environments
from lockage.cli.options import events_option, json_option, wanted_options

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import LockedEnvironment
    from lockage.recipe.wanted import Wanted

__all__ = ["command", "read_arguments", "read_date"]


@click.command("lock")
@click.argument("arguments", nargs=-1, metavar="[SOURCE]")
@click.option(
    "--upgrade",
    is_flag=True,
    help="Resolve everything anew, not only what changed in the recipe; with names after it, move only those packages.",
)
@click.option(
    "--upgrade-package",
    "renewed",
    multiple=True,
    metavar="NAME",
    help="Move this OS package or Python project, and what it needs, to the newest version; all else stays. May be given several times.",
)
@click.option(
    "--as-of",
    metavar="DATE",
    help="Resolve Python packages anew, from what was uploaded by the end of a day (2026-11-01, UTC) or before a time (RFC 3339).",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    type=click.Choice(("amd64", "arm64")),
    help="Lock only for this platform, and leave what is locked for others as it is. May be given several times.",
)
@click.option("--check", is_flag=True, help="Change nothing; exit 3 if lockage.lock does not fit the recipe.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for lockage.lock (default: beside the recipe).")
@partial(wanted_options, added="Add an OS package to the environment in lockage.toml, then lock; may be given several times.")
@click.option("--environment", shell_complete=environments, help="The environment that packages are added to, if the recipe has several.")
@events_option
@json_option
def command(
    arguments: tuple[str, ...],
    upgrade: bool,
    renewed: tuple[str, ...],
    as_of: str | None,
    platforms: tuple[Architecture, ...],
    check: bool,
    out: Path | None,
    wanted: Wanted,
    environment: str | None,
    as_json: bool,
) -> None:
    """Resolve and pin every environment of SOURCE's recipe into lockage.lock.

    Every OS package and wheel is fetched, kept in the store and pinned by sha256; each environment is put together once
    and its root's digests are pinned as well. What an unchanged environment pinned before stays as it was; of a changed one
    everything keeps its version that can. An environment that the recipe declares for several platforms is locked for each on any machine,
    as long as nothing has to be built from source for another.

    Names after --upgrade are those of OS packages and Python projects, as with --upgrade-package; a SOURCE beside them is written
    as a path (./shop).

    \b
    Examples:
      lockage lock
      lockage lock --upgrade
      lockage lock --upgrade openssl setuptools
      lockage lock ./shop --upgrade-package openssl
      lockage lock --as-of 2026-11-01
      lockage lock --platform arm64
      lockage lock --check
      lockage lock --add libxml2-dev --add libxslt1-dev
    """
    from lockage.cli.env_difference import difference_lines
    from lockage.cli.screen import Progress, print_json, say, short, table
    from lockage.environment.lock import Lock
    from lockage.wiring import Wiring
    from lockage.work.diff_environments import changed_environments
    from lockage.work.prepare import lock_project

    source, named = read_arguments(arguments, upgrade=upgrade)
    if named:
        upgrade, renewed = False, (*named, *renewed)
    _refuse_contradictions(upgrade=upgrade, renewed=bool(renewed), dated=as_of is not None, check=check)
    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    moment = read_date(as_of, wiring.clock.now()) if as_of is not None else None
    folder = out or Path(source if Path(source).is_dir() else ".")
    present = wiring.folders.read(folder, "lockage.lock")
    edited = False
    if wanted.added:
        from lockage.work.add import lock_with_added  # reads and edits recipes, which a plain lock has no need of

        if check:
            from lockage.base.errors import Usage

            raise Usage("--check changes nothing, and --add does", hint="Give one of them.")
        beside = Path(source) if Path(source).is_dir() else None
        lock, written, edited = lock_with_added(
            wiring,
            source,
            recipe_folder=beside,
            folder=folder,
            wanted=wanted,
            environment=environment,
            upgrade=upgrade,
            renewed=renewed,
            as_of=moment,
            platforms=platforms,
        )
    else:
        lock, written = lock_project(
            wiring,
            source,
            folder=folder,
            upgrade=upgrade,
            check=check,
            wanted=wanted,
            renewed=renewed,
            as_of=moment,
            platforms=platforms,
        )
    changes = changed_environments(Lock.decode(present), lock) if present is not None and written else ()
    path = folder / "lockage.lock"
    if as_json:
        environments = {
            name: {
                "os": str(e.base),
                "architecture": e.architecture,
                "packages": len(e.packages),
                "wheels": len(e.python),
                "sdists": len(e.sdists),
                "root": e.root,
            }
            for name, e in lock.environments.items()
        }
        document = {"lock": lock.digest, "file": str(path), "written": written, "recipe_written": edited}
        print_json({**document, "environments": environments, "changes": changes})
        return
    if edited:
        say(f"{Path(source) / 'lockage.toml'}: {', '.join(wanted.added)} added")
    for line in table([_row(name, environment) for name, environment in lock.environments.items()]):
        say(line)
    for change in changes:
        for line in difference_lines(change):
            say(line)
    say(f"{path}: {'written' if written else 'unchanged'}, {short(lock.digest)}")


def _row(name: str, environment: LockedEnvironment) -> tuple[str, ...]:
    from lockage.base.units import counted
    from lockage.cli.screen import short
    from lockage.environment.lock import UNPINNED

    if environment.root == UNPINNED:
        return (name, str(environment.base), "nothing is pinned", "", "")
    root = f"root {short(environment.root.tree.digest)}"
    return (name, str(environment.base), counted(len(environment.packages), "OS package"), _python(environment), root)


def _python(environment: LockedEnvironment) -> str:
    from lockage.base.units import counted

    wheels = counted(len(environment.python), "wheel")
    return f"{wheels}, {len(environment.sdists)} from source" if environment.sdists else wheels


def _refuse_contradictions(*, upgrade: bool, renewed: bool, dated: bool, check: bool) -> None:
    """Options of which one says what the other denies."""
    from lockage.base.errors import Usage

    if renewed and upgrade:
        raise Usage("--upgrade without names moves everything, and --upgrade-package moves what it names", hint="Give one of them.")
    if renewed and dated:
        raise Usage("--as-of resolves every Python package anew, and an upgrade of packages moves what it names", hint="Give one of them.")
    if check and (renewed or dated):
        raise Usage(f"--check changes nothing, and {'an upgrade' if renewed else '--as-of'} does", hint="Give one of them.")


def read_arguments(arguments: tuple[str, ...], *, upgrade: bool) -> tuple[str, tuple[str, ...]]:
    """The source, and the packages that are named after ``--upgrade``: whatever is spelled as a name is one there. Raises Usage."""
    named = tuple(text for text in arguments if upgrade and _spelled_as_name(text))
    sources = [text for text in arguments if text not in named]
    if len(sources) > 1:
        from lockage.base.errors import Usage

        raise Usage(f"one source is locked at a time, and these are {len(sources)}: {', '.join(sources)[:200]}", hint="Name one SOURCE.")
    return (sources[0] if sources else "."), named


def _spelled_as_name(text: str) -> bool:
    """Whether this could be an OS package or a Python project, and no path, address or archive."""
    import re

    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", text) is not None and not text.endswith((".tar.gz", ".zip"))


def read_date(text: str, now: Instant) -> Instant:
    """The time before which a file must have been uploaded: the end of a day in UTC, or the time itself (RFC 3339). Raises Usage.

    A time that is not over yet would not give the same lock tomorrow.
    """
    import re
    from datetime import datetime

    from lockage.base.errors import Usage
    from lockage.base.instant import Instant

    whole_day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
    try:
        if whole_day is None and not re.fullmatch(r"[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})", text):
            raise ValueError("neither a day nor a time")
        read = datetime.fromisoformat(f"{text}T00:00:00Z" if whole_day else text)
    except ValueError as error:
        raise Usage(f"--as-of is neither a day nor a time: {text[:40]!r}", hint="Write 2026-11-01 or 2026-11-01T12:00:00Z.") from error
    moment = Instant(int(read.timestamp()) + (86400 if whole_day else 0))
    if moment > now:
        raise Usage(
            f"--as-of {text} is not over yet, so it would not give the same lock again", hint="Name a day or a time that has passed."
        )
    return moment
