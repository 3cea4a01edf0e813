"""``lockage lock``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.completion import environments
from lockage.cli.options import json_option, source_argument, wanted_options

if TYPE_CHECKING:
    from lockage.recipe.wanted import Wanted

__all__ = ["command"]


@click.command("lock")
@source_argument
@click.option("--upgrade", is_flag=True, help="Resolve everything anew, not only what changed in the recipe.")
@click.option(
    "--upgrade-package",
    "renewed",
    multiple=True,
    metavar="NAME",
    help="Move this OS package or Python project, and what it needs, to the newest version; all else stays. May be given several times.",
)
@click.option("--check", is_flag=True, help="Change nothing; exit 3 if lockage.lock does not fit the recipe.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for lockage.lock (default: beside the recipe).")
@partial(wanted_options, added="Add an OS package to the environment in lockage.toml, then lock; may be given several times.")
@click.option("--environment", shell_complete=environments, help="The environment that packages are added to, if the recipe has several.")
@json_option
def command(
    source: str,
    upgrade: bool,
    renewed: tuple[str, ...],
    check: bool,
    out: Path | None,
    wanted: Wanted,
    environment: str | None,
    as_json: bool,
) -> None:
    """Resolve and pin every environment of SOURCE's recipe into lockage.lock.

    Every OS package and wheel is fetched, kept in the store and pinned by sha256; each environment is put together once
    and its root's digests are pinned as well. What an unchanged environment pinned before stays as it was; of a changed one
    everything keeps its version that can.

    \b
    Examples:
      lockage lock
      lockage lock --upgrade
      lockage lock --upgrade-package openssl --upgrade-package setuptools
      lockage lock --check
      lockage lock --add libxml2-dev --add libxslt1-dev
    """
    from lockage.base.errors import Usage
    from lockage.cli.env_difference import difference_lines
    from lockage.cli.screen import Progress, print_json, say, short, table
    from lockage.environment.lock import Lock
    from lockage.wiring import Wiring
    from lockage.work.diff_environments import changed_environments
    from lockage.work.prepare import lock_project

    if renewed and (upgrade or check):
        other, why = ("--upgrade", "moves everything") if upgrade else ("--check", "changes nothing")
        raise Usage(f"{other} {why}, and --upgrade-package moves what it names", hint="Give one of them.")
    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    folder = out or Path(source if Path(source).is_dir() else ".")
    present = wiring.folders.read(folder, "lockage.lock")
    edited = False
    if wanted.added:
        from lockage.work.add import lock_with_added  # reads and edits recipes, which a plain lock has no need of

        if check:
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
        )
    else:
        lock, written = lock_project(wiring, source, folder=folder, upgrade=upgrade, check=check, wanted=wanted, renewed=renewed)
    changes = changed_environments(Lock.decode(present), lock) if present is not None and written else ()
    path = folder / "lockage.lock"
    if as_json:
        environments = {
            name: {"os": str(e.os), "packages": len(e.packages), "wheels": len(e.python), "root": e.root}
            for name, e in lock.environments.items()
        }
        document = {"lock": lock.digest, "file": str(path), "written": written, "recipe_written": edited}
        print_json({**document, "environments": environments, "changes": changes})
        return
    if edited:
        say(f"{Path(source) / 'lockage.toml'}: {', '.join(wanted.added)} added")
    rows = [
        (name, str(e.os), f"{len(e.packages)} OS packages", f"{len(e.python)} wheels", f"root {short(e.root.tree.digest)}")
        for name, e in lock.environments.items()
    ]
    for line in table(rows):
        say(line)
    for change in changes:
        for line in difference_lines(change):
            say(line)
    say(f"{path}: {'written' if written else 'unchanged'}, {short(lock.digest)}")
