"""``lockage policy``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.options import json_option

__all__ = ["command"]


@click.group("policy")
def command() -> None:
    """What channels demand of a release.

    \b
    Examples:
      lockage policy list
      lockage policy apply prod.toml
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the policy of every channel.

    \b
    Examples:
      lockage policy list
      lockage policy list --json
    """
    from lockage.cli.screen import print_json, say, short
    from lockage.wiring import Wiring
    from lockage.work.govern import policies

    found = policies(Wiring.from_process())
    if as_json:
        print_json({"policies": found})
        return
    for applied in found:
        gates = ", ".join(str(gate.__struct_config__.tag) for gate in applied.policy.gates)
        say(f"{applied.policy.channel}: {gates}  ({short(applied.digest)})")


@command.command("apply")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def apply(file: Path, as_json: bool) -> None:
    """Put the policy in FILE (TOML, docs/policies.md) in force for its channel; the change is recorded in the ledger.

    \b
    Examples:
      lockage policy apply prod.toml
    """
    from lockage.cli.screen import print_json, say, short
    from lockage.wiring import Wiring
    from lockage.work.govern import apply_policy

    applied, changed = apply_policy(Wiring.from_process(), file.read_bytes(), str(file))
    if as_json:
        print_json({"channel": applied.policy.channel, "digest": applied.digest, "changed": changed})
    else:
        say(f"{applied.policy.channel}: {'in force' if changed else 'was in force already'}, {short(applied.digest)}")
