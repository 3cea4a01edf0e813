"""``lockage history``."""

from __future__ import annotations

import click

from lockage.cli.completion import channels, projects
from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("history")
@click.argument("channel", shell_complete=channels)
@click.option("--project", shell_complete=projects, help="The project, if the store holds several.")
@json_option
def command(channel: str, project: str | None, as_json: bool) -> None:
    """Show everything that happened on CHANNEL, oldest first: promotions, rollbacks, refusals and conflicts.

    \b
    Examples:
      lockage history prod
      lockage history prod --project shop --json
    """
    from lockage.cli.channel import channel_name
    from lockage.cli.screen import print_json, say, table
    from lockage.wiring import Wiring
    from lockage.work.inspect import history, only_project

    wiring = Wiring.from_process()
    chosen = only_project(wiring, project)
    lines = history(wiring, chosen, channel_name(channel))
    if as_json:
        print_json({"project": chosen, "channel": channel, "history": lines})
        return
    rows = [(str(line.at), f"{line.generation or '':>3}", line.what, line.release, line.actor, "; ".join(line.reasons)) for line in lines]
    for text in table(rows, header=("when", "gen", "what", "release", "by", "")):
        say(text)
