"""``lockage test``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.options import events_option, json_option, keep_going_option, keep_options, lock_option, source_argument, wanted_options

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.recipe.wanted import Wanted

__all__ = ["command"]


@click.command("test")
@source_argument
@lock_option
@wanted_options
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many steps may run beside each other.")
@keep_going_option
@keep_options
@events_option
@json_option
def command(
    source: str,
    lock_file: Path | None,
    wanted: Wanted,
    jobs: int | None,
    keep_going: bool,
    keep_failed: bool,
    keep_failed_in: Path | None,
    as_json: bool,
) -> int:
    """Run the test steps of SOURCE's recipe in the sandbox and sign their results.

    The result, passed or failed, is evidence about the artifacts that were tested; gates judge it later. Exit 9 if a test step failed.

    \b
    Examples:
      lockage test
      lockage test --keep-going               every test step, whichever fail
      lockage test shop-1.2.0.tar.gz --lock locked/lockage.lock
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.project import keep_folder, open_project
    from lockage.cli.screen import print_json, say
    from lockage.work.test import test_project

    keep = keep_folder(keep_failed, keep_failed_in)
    wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, jobs=jobs, quiet=as_json, keep=keep)
    outcome = test_project(wiring, project, keep=keep, keep_going=keep_going)
    if as_json:
        print_json(
            {
                "project": project.recipe.project,
                "passed": outcome.passed,
                "steps": outcome.steps,
                "not_started": outcome.run.skipped,
                "run": outcome.run_id,
            }
        )
    else:
        for step in outcome.steps:
            more = f" (attempt {len(step.attempts) + 1})" if step.attempts else ""
            say(f"{step.step}: {'passed' if step.failure is None else step.failure}{more}")
        for one in outcome.run.skipped:
            say(f"{one.step}: not started, as it needs {', '.join(one.failed)}")
        if not outcome.steps:
            say("the recipe has no test steps")
    if not outcome.passed:
        raise outcome.failure(wiring)
    return int(ExitCode.DONE)
