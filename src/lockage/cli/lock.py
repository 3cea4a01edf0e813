"""``lockage lock``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.options import json_option, source_argument, wanted_options

__all__ = ["command"]


@click.command("lock")
@source_argument
@click.option("--upgrade", is_flag=True, help="Resolve everything anew, not only what changed in the recipe.")
@click.option("--check", is_flag=True, help="Change nothing; exit 3 if lockage.lock does not fit the recipe.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for lockage.lock (default: beside the recipe).")
@wanted_options
@json_option
def command(source: str, upgrade: bool, check: bool, out: Path | None, pythons: tuple[str, ...], publishable: bool, as_json: bool) -> None:
    """Resolve and pin every environment of SOURCE's recipe into lockage.lock.

    Every OS package and wheel is fetched, kept in the store and pinned by sha256; each environment is put together once
    and its root's digests are pinned as well. What an unchanged environment pinned before stays as it was.

    \b
    Examples:
      lockage lock
      lockage lock --upgrade
      lockage lock --check
    """
    from lockage.cli.screen import Progress, print_json, say, short, table
    from lockage.recipe.wanted import Wanted
    from lockage.wiring import Wiring
    from lockage.work.prepare import lock_project

    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    folder = out or Path(source if Path(source).is_dir() else ".")
    lock, written = lock_project(
        wiring, source, folder=folder, upgrade=upgrade, check=check, wanted=Wanted(pythons=pythons, publishable=publishable)
    )
    path = folder / "lockage.lock"
    if as_json:
        environments = {
            name: {"os": str(e.os), "packages": len(e.packages), "wheels": len(e.python), "root": e.root}
            for name, e in lock.environments.items()
        }
        print_json({"lock": lock.digest, "file": str(path), "written": written, "environments": environments})
        return
    rows = [
        (name, str(e.os), f"{len(e.packages)} OS packages", f"{len(e.python)} wheels", f"root {short(e.root.tree.digest)}")
        for name, e in lock.environments.items()
    ]
    for line in table(rows):
        say(line)
    say(f"{path}: {'written' if written else 'unchanged'}, {short(lock.digest)}")
