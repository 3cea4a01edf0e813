"""``lockage lineage``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.completion import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.record.lineage import Lineage

__all__ = ["command"]


@click.command("lineage")
@click.argument("artifact", shell_complete=shown)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "dot", "svg"]), default="text", show_default=True, help="How to tell it."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--full", is_flag=True, help="Every package, source file and step, however many there are.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it to FILE instead of standard output.")
def command(artifact: str, form: str, as_json: bool, full: bool, out: Path | None) -> None:
    """Show all that ARTIFACT was made from: its steps with their actions, environments with every package, and source files.

    ARTIFACT is a file, the name or sha256 of an artifact (8 digits are enough), RELEASE/NAME, a release or a run (all of its artifacts).
    Also told are the passes that it went through, the releases that hold it, the channels that those are on, and what signed
    statements there are.

    \b
    Examples:
      lockage lineage dist/shop-1.2.0-py3-none-any.whl
      lockage lineage shop@1.2.0-1 --full
      lockage lineage 14d8a488d146 --json
      lockage lineage shop --format svg --out lineage.svg
    """
    from lockage.cli.screen import print_json, say
    from lockage.cli.show import digest_of_file
    from lockage.wiring import Wiring
    from lockage.work.find import Finder, NothingFound
    from lockage.work.lineage import lineage_of

    wiring = Wiring.from_process()
    finder = Finder(wiring)
    digest = digest_of_file(artifact)
    found = finder.find(artifact) if digest is None else finder.artifact(digest)
    if found is None:
        raise NothingFound(f"no run and no release of this store has made {artifact} (sha256 {digest})", id=artifact, sha256=digest)
    lineage = lineage_of(wiring, finder, found)
    if (as_json or form == "json") and out is None:
        print_json(lineage)
        return
    lines = _lines(lineage, "json" if as_json else form, full=full)
    if out is not None:
        wiring.folders.write(out.absolute().parent, out.name, "".join(f"{line}\n" for line in lines).encode())
        return
    for line in lines:
        say(line)


def _lines(lineage: Lineage, form: str, *, full: bool) -> Iterator[str]:
    """The lineage in one of the forms."""
    if form == "text":
        from lockage.cli.lineage_text import lineage_lines

        return lineage_lines(lineage, full=full)
    if form == "json":
        from lockage.cli.screen import json_text

        return iter([json_text(lineage)])
    from lockage.record.lineage_graph import graph_of

    title = f"{lineage.project} {lineage.source.version}"
    graph = graph_of(lineage, full=full)
    if form == "dot":
        from lockage.cli.lineage_dot import dot_lines

        return dot_lines(graph, title)
    from lockage.cli.lineage_svg import svg_lines

    return svg_lines(graph, title)
