"""``lockage release``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.options import events_option, json_option, lock_option, source_argument, wanted_options

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.recipe.wanted import Wanted

__all__ = ["command"]


@click.command("release")
@source_argument
@lock_option
@wanted_options
@events_option
@json_option
def command(source: str, lock_file: Path | None, wanted: Wanted, as_json: bool) -> None:
    """Close the release of SOURCE: an immutable set of artifacts with a number that the ledger allots.

    The same artifacts again are the same release; other artifacts of the same version get the next number. Only a commit or
    an sdist can be released (exit 5 otherwise).

    \b
    Examples:
      lockage release
      lockage release .@v1.2.0
    """
    from lockage.cli.project import open_project
    from lockage.cli.publication import publication_document, publication_lines, repairing_command
    from lockage.cli.screen import human_size, print_json, say, short, table
    from lockage.work.publication import examine_all
    from lockage.work.release import release_project, release_title

    wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, quiet=as_json)
    closed = release_project(wiring, project)
    examined = examine_all(wiring, ((item.name, item.ref) for item in closed.release.artifacts))
    repairing = repairing_command("release", source, project, wanted)
    if as_json:
        document = {"release": release_title(closed.release), "digest": closed.digest, "new": closed.new, "document": closed.release}
        print_json({**document, **publication_document(examined, repairing)})
        return
    say(f"{release_title(closed.release)}: {'closed' if closed.new else 'closed before with the same artifacts'}, {short(closed.digest)}")
    rows = [(short(a.sha256), human_size(a.size), a.name) for a in closed.release.artifacts]
    for line in [*table(rows, least=(0, 1), indent=2), *publication_lines(examined, repairing)]:
        say(line)
