"""``lockage pull``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.completion import channels, projects
from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("pull")
@click.argument("channel", shell_complete=channels)
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder that shall hold the artifacts.")
@click.option("--project", shell_complete=projects, help="The project, if the store holds several.")
@json_option
def command(channel: str, into: Path, project: str | None, as_json: bool) -> None:
    """Put what CHANNEL holds into a folder.

    The manifest's signature, its generation and every checksum are verified before a byte appears in the folder; an older
    generation than the folder's own is refused (exit 6).

    \b
    Examples:
      lockage pull prod --into /srv/shop
      lockage pull dev --project shop --into pulled
    """
    from lockage.cli.channel import channel_name
    from lockage.cli.screen import human_size, print_json, say, short, table
    from lockage.wiring import Wiring
    from lockage.work.inspect import only_project
    from lockage.work.pull import pull

    wiring = Wiring.from_process()
    manifest = pull(wiring, only_project(wiring, project), channel_name(channel), into)
    title = f"{manifest.project}@{manifest.release.version}-{manifest.release.build}"
    if as_json:
        print_json({"release": title, "channel": manifest.channel, "generation": manifest.generation, "artifacts": manifest.artifacts})
        return
    say(f"{into} holds {title}, generation {manifest.generation} of {manifest.channel}")
    for line in table([(short(a.sha256), human_size(a.size), a.name) for a in manifest.artifacts], least=(0, 1), indent=2):
        say(line)
