"""``lockage rollback``."""

from __future__ import annotations

import click

from lockage.cli.completion import channels, projects, releases
from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("rollback")
@click.argument("channel", shell_complete=channels)
@click.option("--project", shell_complete=projects, help="The project, if the store holds several.")
@click.option("--to", "release", shell_complete=releases, help="The release to go back to (default: the one that the channel held before).")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@json_option
def command(channel: str, project: str | None, release: str | None, reason: str, as_json: bool) -> None:
    """Put back what CHANNEL held before: a new generation that holds an old release.

    A rollback skips the gate `from`, never integrity or revocation; nothing is deleted. It sets a hold, so that no automatism
    promotes over it.

    \b
    Examples:
      lockage rollback prod --reason 'receipts look odd'
      lockage rollback prod --project shop --to shop@1.2.0-1
    """
    from lockage.cli.channel import channel_name
    from lockage.cli.screen import print_json, say
    from lockage.wiring import Wiring
    from lockage.work.inspect import only_project
    from lockage.work.promote import roll_back
    from lockage.work.release import release_title

    wiring = Wiring.from_process()
    done = roll_back(wiring, only_project(wiring, project), channel_name(channel), to=release, reason=reason)
    title = release_title(done.record)
    if as_json:
        print_json({"release": title, "channel": done.channel, "generation": done.generation})
    else:
        say(f"{done.channel} holds {title} again, generation {done.generation}; held against automatic promotion")
