"""``lockage diff``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.options import json_option

__all__ = ["command"]


@click.command("diff")
@click.argument("a", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("b", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def command(a: Path, b: Path, as_json: bool) -> int:
    """Compare two files: how equal they are, and for archives which members differ, in what, and from which byte on.

    Exit 0 if they are identical, 4 if not.

    \b
    Examples:
      lockage diff dist/shop-1.2.0.tar.gz other/shop-1.2.0.tar.gz
      lockage diff a.whl b.whl --json
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.screen import print_json, say
    from lockage.compare import Grade, compare_files, render_text

    found = compare_files(a.name, a.read_bytes(), b.read_bytes())
    if as_json:
        print_json(found)
    else:
        for line in render_text(found):
            say(line)
    return int(ExitCode.DONE if found.grade is Grade.IDENTICAL else ExitCode.NOT_REPRODUCED)
