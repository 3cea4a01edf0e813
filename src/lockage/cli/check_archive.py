"""``lockage check-archive``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.archives import date_option, files_argument
from lockage.cli.options import json_option

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.base.instant import Instant

__all__ = ["command"]


@click.command("check-archive")
@files_argument
@date_option
@json_option
def command(files: tuple[Path, ...], date: Instant | None, as_json: bool) -> int:
    """Say what in an archive is not deterministic, or not valid, and what to do about it.

    Times, order, modes, owners, names that are there twice or lead out of the folder, a RECORD that does not hold, stamps of tools,
    folders of builds, compression. Without a date the newest time in an archive is taken for it. Needs no store, keys or network.

    Exit 0 if there are notes at most, 4 if something may differ from build to build, 6 if an archive is not valid.

    \b
    Examples:
      lockage check-archive dist/shop-1.2.0-py3-none-any.whl
      lockage check-archive --date 2026-11-27 --json dist/shop-1.2.0.tar.gz
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.archives import given_date
    from lockage.cli.screen import print_json, say
    from lockage.stabilize.finding import Level, check_archive
    from lockage.stabilize.render import finding_lines

    date = given_date(date)
    found = {str(file): check_archive(file.name, file.read_bytes(), date) for file in files}
    levels = {finding.level for findings in found.values() for finding in findings}
    if as_json:
        print_json({"files": [{"file": file, "findings": findings} for file, findings in found.items()]})
    else:
        for file, findings in found.items():
            good = all(finding.level is Level.NOTE for finding in findings)
            say(f"{file}: {'nothing that varies' if good else 'findings'}")
            for line in finding_lines(findings):
                say(f"  {line}")
    if Level.INVALID in levels:
        return int(ExitCode.INTEGRITY)
    return int(ExitCode.NOT_REPRODUCED if Level.VARIES in levels else ExitCode.DONE)
