"""``lockage promote``."""

from __future__ import annotations

import click

from lockage.cli.completion import channels, releases
from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("promote")
@click.argument("release", shell_complete=releases)
@click.option("--to", "channel", required=True, shell_complete=channels, help="The channel that shall hold it.")
@click.option("--expect", type=click.IntRange(0), help="Only if the channel is at this generation (exit 7 otherwise).")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@json_option
def command(release: str, channel: str, expect: int | None, reason: str, as_json: bool) -> None:
    """Put RELEASE on a channel, if the channel's policy says yes on signed evidence.

    RELEASE is PROJECT (its newest release), PROJECT@VERSION, PROJECT@VERSION-BUILD, or the first digits of its digest. A
    refusal names every gate that did not pass (exit 5) and is recorded as well.

    \b
    Examples:
      lockage promote shop --to dev
      lockage promote shop@1.2.0-1 --to prod --expect 3
    """
    from lockage.cli.channel import channel_name
    from lockage.cli.screen import Progress, print_json, say
    from lockage.wiring import Wiring
    from lockage.work.promote import promote
    from lockage.work.recorded import hosts_of_lock
    from lockage.work.release import release_title

    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    done = promote(wiring, release, channel_name(channel), expect=expect, reason=reason)
    title = release_title(done.record)
    hosts = hosts_of_lock(wiring, done.record.lock)
    if as_json:
        print_json(
            {
                "release": title,
                "channel": done.channel,
                "generation": done.generation,
                "changed": done.changed,
                "gates": done.decision.verdict.gates if done.decision is not None else (),
                "unpinned_hosts": hosts,
            }
        )
        return
    if not done.changed:
        say(f"{done.channel} holds {title} already (generation {done.generation})")
        return
    say(f"{done.channel} holds {title}, generation {done.generation}")
    for gate in done.decision.verdict.gates if done.decision is not None else ():
        say(f"  {gate.gate}: {gate.reason}")
    for name in hosts:
        say(f"  UNPINNED HOST: environment {name} was the machine itself, and the policy of {done.channel} does not refuse that")
