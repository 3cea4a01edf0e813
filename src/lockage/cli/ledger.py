"""``lockage ledger``."""

from __future__ import annotations

import click

from lockage.cli.options import json_option

__all__ = ["command"]


@click.group("ledger")
def command() -> None:
    """The append-only log of everything decided.

    \b
    Examples:
      lockage ledger verify
      lockage ledger log --last 5
    """


@command.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Compute every entry, the tree and the checkpoint again; the first fault is named (exit 6).

    \b
    Examples:
      lockage ledger verify
      lockage ledger verify --json
    """
    from lockage.cli.screen import print_json, say
    from lockage.wiring import Wiring
    from lockage.work.govern import check_ledger

    found = check_ledger(Wiring.from_process())
    if as_json:
        print_json({"origin": found.origin, "size": found.size, "root": found.root.hex(), "time": found.time})
    else:
        say(f"{found.origin}: {found.size} entries up to {found.time}, root {found.root.hex()[:12]}: whole, and signed")


@command.command("log")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many entries, the newest last.")
@json_option
def log(last: int, as_json: bool) -> None:
    """Print entries of the ledger.

    \b
    Examples:
      lockage ledger log
      lockage ledger log --last 5 --json
    """
    from lockage.base.canonical import plain
    from lockage.cli.screen import print_json, say, table
    from lockage.wiring import Wiring
    from lockage.work.govern import ledger_entries

    entries = [plain(entry) for entry in ledger_entries(Wiring.from_process(), -last, last)]
    if as_json:
        print_json({"entries": entries})
        return
    rows = []
    for entry in entries:
        what = [
            f"{key}={str(entry[key])[:20]}"
            for key in ("project", "version", "build", "channel", "generation", "predicate", "reason")
            if entry.get(key)
        ]
        rows.append((str(entry["sequence"]), entry["at"], entry["type"], entry["actor"], " ".join(what)))
    for line in table(rows):
        say(line)
