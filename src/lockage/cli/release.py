"""``lockage release``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.options import add_option, json_option, lock_option, source_argument

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("release")
@source_argument
@lock_option
@add_option
@json_option
def command(source: str, lock_file: Path | None, added: tuple[str, ...], as_json: bool) -> None:
    """Close the release of SOURCE: an immutable set of artifacts with a number that the ledger allots.

    The same artifacts again are the same release; other artifacts of the same version get the next number. Only a commit or
    an sdist can be released (exit 5 otherwise).
    """
    from lockage.cli.project import open_project
    from lockage.cli.screen import human_size, print_json, say, short, table
    from lockage.work.release import release_project, release_title

    wiring, project = open_project(source, lock_file=lock_file, added=added, quiet=as_json)
    closed = release_project(wiring, project)
    if as_json:
        print_json({"release": release_title(closed.release), "digest": closed.digest, "new": closed.new, "document": closed.release})
        return
    say(f"{release_title(closed.release)}: {'closed' if closed.new else 'closed before with the same artifacts'}, {short(closed.digest)}")
    for line in table([(short(a.sha256), human_size(a.size), a.name) for a in closed.release.artifacts]):
        say(f"  {line}")
