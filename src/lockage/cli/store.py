"""``lockage store``."""

from __future__ import annotations

import sys

import click

from lockage.cli.options import json_option

__all__ = ["command"]


@click.group("store", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """What the store holds: of each kind how many, how large, how old; and how much room its disk has.

    \b
    Examples:
      lockage store
      lockage store check
    """
    if context.invoked_subcommand is not None:
        return
    from lockage.cli.screen import human_size, print_json, say, table
    from lockage.wiring import Wiring
    from lockage.work.store import survey_store

    found = survey_store(Wiring.from_process())
    if as_json:
        print_json({"store": found.place, "size": found.size, "free": found.free, "kinds": found.kinds})
        return
    say(f"{found.place}: {human_size(found.size)}, {human_size(found.free)} free")
    rows = [
        (
            kind.kind,
            f"{kind.count:,}",
            human_size(kind.size),
            "" if kind.oldest is None else str(kind.oldest),
            "" if kind.again or not kind.count else "to be kept",
        )
        for kind in found.kinds
    ]
    for line in table(rows, header=("kind", "number", "size", "oldest", "")):
        say(line)


@command.command("check")
@json_option
def check(as_json: bool) -> int:
    """Read everything again: every blob, root, result, record and the ledger. Exit 6 if something is broken.

    What is broken is set aside, never deleted, and named with what it is for and what brings it back. Builds may go on
    meanwhile.

    \b
    Examples:
      lockage store check
      lockage store check --json
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.screen import Progress, exit_for, human_size, print_json, say
    from lockage.wiring import Wiring
    from lockage.work.store import check_store, survey_store

    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    kinds = {kind.kind: kind.size for kind in survey_store(wiring).kinds}
    counter = _Counter(kinds["blobs"] + kinds["roots"], quiet=as_json)
    try:
        found = check_store(wiring, counter)
    finally:
        counter.close()
    if as_json:
        checked = {kind: {"count": count, "size": size} for kind, (count, size) in found.checked.items()}
        print_json({"whole": found.whole, "checked": checked, "broken": found.broken, "stale_results": found.stale_results})
        return exit_for(found.whole, ExitCode.INTEGRITY)
    for kind, (count, size) in found.checked.items():
        say(f"{_NAMES[kind]}: {count:,}" + (f", {human_size(size)}" if size else ""))
    if found.stale_results:
        say(f"results of actions that refer to what is gone: {found.stale_results}; their steps run again when they are wanted")
    for item in found.broken:
        say()
        say(f"{item.kind} {item.name} {item.what}")
        for use in item.used:
            say(f"  it is {use}")
        if item.aside:
            say(f"  set aside: {item.aside}")
        say(f"  to mend it: {item.remedy}")
    say()
    say("everything is what was put there" if found.whole else f"{len(found.broken)} broken")
    return exit_for(found.whole, ExitCode.INTEGRITY)


_NAMES = {"blob": "blobs", "root": "layers of roots", "action": "results of actions", "run": "records of runs", "ledger": "ledger entries"}


class _Counter:
    """Says on a terminal how far the reading is."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._done = 0
        self._said = -1
        self._speaks = not quiet and total > 0 and sys.stderr.isatty()

    def __call__(self, size: int) -> None:
        self._done += size
        part = min(100 * self._done // max(self._total, 1), 100)
        if self._speaks and part != self._said:
            self._said = part
            sys.stderr.write(f"\r  {part:3} %")
            sys.stderr.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._speaks:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
