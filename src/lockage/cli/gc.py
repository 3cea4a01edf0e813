"""``lockage gc``."""

from __future__ import annotations

import re

import click

from lockage.cli.options import json_option

__all__ = ["command"]

_UNITS = {"d": 86400, "h": 3600, "min": 60, "s": 1}


@click.command("gc")
@click.option(
    "--keep", "age", metavar="AGE", default="30d", show_default=True, help="Delete nothing younger than this, such as 30d, 12h or 0d."
)
@click.option("--keep-runs", type=click.IntRange(0), default=20, show_default=True, help="Keep all that this many last runs need.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@json_option
def command(age: str, keep_runs: int, dry_run: bool, as_json: bool) -> None:
    """Delete what the store does not need any more. May run beside builds.

    What releases, channels, policies and evidence need always stays, with sources and locked packages; so does all that
    the last runs used or made, the last run of every project among them. The rest goes once it is old enough, with clones of
    repositories and downloaded indexes that were not used for as long.

    \b
    Examples:
      lockage gc --dry-run                    what would go, by kind
      lockage gc
      lockage gc --keep 0d --keep-runs 1      as much as can go
    """
    from lockage.base.units import counted
    from lockage.cli.screen import Progress, human_size, print_json, say, table
    from lockage.wiring import Wiring
    from lockage.work.gc import KeepRule, collect_garbage

    rule = KeepRule(runs=keep_runs, age=_seconds(age))
    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    found = collect_garbage(wiring, rule, dry=dry_run)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "gone": found.gone,
                "size": found.size,
                "waiting": found.waiting,
                "runs_kept": found.runs,
                "free": wiring.storage.free(),
            }
        )
        return
    rows = [(kind, f"{swept.count:,}", human_size(swept.size)) for kind, swept in found.gone.items() if swept.count]
    for line in table(rows, header=("kind", "number", "size")) if rows else ():
        say(line)
    done = "would go" if dry_run else "deleted"
    kept = f"{counted(found.runs, 'run')} {'is' if found.runs == 1 else 'are'} kept"
    say(f"{human_size(found.size)} {done}; {kept}, {human_size(wiring.storage.free())} free")
    if found.waiting.count:
        say(f"{human_size(found.waiting.size)} wait in the trash for commands that run now; a gc after they have ended deletes them")


def _seconds(text: str) -> int:
    """An age in seconds."""
    found = re.fullmatch(r"([0-9]{1,6}) ?(d|h|min|s)", text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no age such as 30d, 12h, 45min or 0d", param_hint="--keep")
    return int(found[1]) * _UNITS[found[2]]
