"""``lockage evidence``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.completion import releases
from lockage.cli.options import json_option

__all__ = ["command"]


@click.group("evidence")
def command() -> None:
    """Signed statements about artifacts and releases.

    \b
    Examples:
      lockage evidence list shop
    """


@command.command("list")
@click.argument("release", shell_complete=releases)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Also write the bundles into this folder (readable by cosign)."
)
@json_option
def list_(release: str, out: Path | None, as_json: bool) -> None:
    """Show all evidence about RELEASE's artifacts: what it proves, or why it counts as absent.

    \b
    Examples:
      lockage evidence list shop
      lockage evidence list shop@1.2.0-1 --out bundles
    """
    from lockage.cli.screen import print_json, say, short, table
    from lockage.wiring import Wiring
    from lockage.work.evidence import evidence_of

    wiring = Wiring.from_process()
    found = evidence_of(wiring, release)
    if out is not None:
        wiring.folders.place(out, [(f"{item.bundle.digest[:16]}.sigstore.json", item.bundle) for item in found])
    if as_json:
        print_json({"release": release, "evidence": found})
        return
    rows = [(str(item.recorded), _kind(item.kind), short(item.bundle.digest), item.says) for item in found]
    for line in table(rows, least=(2, 0)):
        say(line)


def _kind(predicate: str) -> str:
    """The telling part of a predicate type such as ``in-toto.io/attestation/test-result/v0.1``."""
    return predicate.split("/")[-2] if predicate.count("/") else predicate
