"""``lockage why-not``."""

from __future__ import annotations

import click

from lockage.cli.completion import channels, releases
from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("why-not")
@click.argument("release", shell_complete=releases)
@click.argument("channel", shell_complete=channels)
@json_option
def command(release: str, channel: str, as_json: bool) -> int:
    """Judge RELEASE for CHANNEL now and say what every gate found; nothing is changed or recorded.

    Exit 0 if it could be promoted, 5 if not.

    \b
    Examples:
      lockage why-not shop prod
      lockage why-not shop@1.2.0-1 prod --json
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.channel import channel_name
    from lockage.cli.screen import print_json, say
    from lockage.wiring import Wiring
    from lockage.work.promote import judge_promotion

    decision = judge_promotion(Wiring.from_process(), release, channel_name(channel))
    verdict = decision.verdict
    if as_json:
        print_json({"passed": verdict.passed, "gates": verdict.gates, "policy": decision.policy, "now": decision.now})
    else:
        for gate in verdict.gates:
            say(f"{'pass' if gate.passed else 'FAIL'}  {gate.gate}: {gate.reason}")
        say(f"{decision.proposal.title} {'may' if verdict.passed else 'may not'} go to {channel}")
    return int(ExitCode.DONE if verdict.passed else ExitCode.REFUSED)
