"""``lockage status``."""

from __future__ import annotations

import click

from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("status")
@json_option
def command(as_json: bool) -> None:
    """Show every project of the store: what each channel holds, since when, and the newest releases.

    \b
    Examples:
      lockage status
      lockage status --json
    """
    from lockage.cli.screen import print_json, say, table
    from lockage.wiring import Wiring
    from lockage.work.inspect import status

    projects = status(Wiring.from_process())
    if as_json:
        print_json({"projects": projects})
        return
    if not projects:
        say("no releases yet; `lockage release` closes one")
    for found in projects:
        say(found.project)
        rows = [
            (c.channel, c.release or "-", f"generation {c.generation}", str(c.since or ""), f"held: {c.held}" if c.held else "")
            for c in found.channels
        ]
        for line in table(rows, least=(4, 3, 2), indent=2):
            say(line)
        told = [f"{one} (built on an unpinned host)" if one in found.unpinned_hosts else one for one in found.releases[:5]]
        say(f"  releases: {', '.join(told)}" + (f" and {len(found.releases) - 5} more" if len(found.releases) > 5 else ""))
