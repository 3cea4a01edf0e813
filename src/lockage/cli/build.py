"""``lockage build``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.completion import steps as step_names
from lockage.cli.options import (
    cache_options,
    events_option,
    json_option,
    keep_going_option,
    keep_options,
    lock_option,
    out_option,
    source_argument,
    wanted_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.recipe.wanted import Wanted
    from lockage.work.whole import CacheUse

__all__ = ["command"]


@click.command("build")
@source_argument
@out_option
@lock_option
@wanted_options
@click.option(
    "--step", "steps", multiple=True, shell_complete=step_names, help="Only this step and what it needs; may be given several times."
)
@click.option("--add-missing", is_flag=True, help="Without lockage.toml: add the OS packages that a failed step lacks, and build again.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many steps may run beside each other.")
@keep_going_option
@keep_options
@cache_options
@events_option
@json_option
def command(
    source: str,
    out: Path,
    lock_file: Path | None,
    wanted: Wanted,
    steps: tuple[str, ...],
    add_missing: bool,
    jobs: int | None,
    keep_going: bool,
    keep_failed: bool,
    keep_failed_in: Path | None,
    use: CacheUse,
    as_json: bool,
) -> None:
    """Build SOURCE (a git work tree or URL, an sdist, a directory; default: here) in the sandbox.

    A project without lockage.toml gets an inferred recipe, and its lock is written beside the artifacts. Steps whose
    inputs have not changed are not run again. Provenance is signed and recorded.

    \b
    Examples:
      lockage build                           the commit checked out here, artifacts into ./dist
      lockage build shop-1.2.0.tar.gz --out D
      lockage build . --step package -j 4
      lockage build --keep-going              every failure at once, not only the first
      lockage build shop-1.2.0.tar.gz --publishable --python 3.11 --python 3.13
      lockage build lxml-6.0.0.tar.gz --add libxml2-dev --add libxslt1-dev
      lockage build lxml-6.0.0.tar.gz --add-missing
      lockage build --recheck                 every kept result hashed again
      lockage build --reexecute 10%           a sample of what is unchanged, executed again
    """
    from lockage.base.name import StepName
    from lockage.cli.echoing import Overheard
    from lockage.cli.project import built_document, built_lines, keep_folder, open_project, open_services
    from lockage.cli.publication import publication_document, publication_lines, repairing_command
    from lockage.cli.screen import json_text, say
    from lockage.work.hand_over import hand_over
    from lockage.work.publication import examine_all
    from lockage.work.whole import AS_USUAL

    overheard = Overheard(quiet=as_json)
    keep = keep_folder(keep_failed, keep_failed_in)
    only = tuple(StepName(step) for step in steps)
    if add_missing:
        from lockage.work.add_missing import hand_over_adding  # only who asks for it

        if lock_file is not None:
            raise click.UsageError("--add-missing makes a new lock; it cannot be used together with --lock.")
        wiring = open_services(jobs=jobs, quiet=as_json, keep=keep)
        project, built = hand_over_adding(wiring, source, wanted=wanted, out=out, keep=keep, only=only, keep_going=keep_going, use=use)
    else:
        wiring, project = open_project(source, out=out, lock_file=lock_file, wanted=wanted, jobs=jobs, quiet=as_json, keep=keep)
        built = hand_over(wiring, project, out=out, keep=keep, only=only, keep_going=keep_going, use=use)
    examined = examine_all(wiring, ((artifact.name, artifact.blob) for artifact in built.artifacts))
    repairing = repairing_command("build", source, project, wanted)
    if as_json:
        lines = [json_text({**built_document(project, built), **publication_document(examined, repairing)})]
    else:
        lines = [*built_lines(project, built, out), *publication_lines(examined, repairing)]
    for line in lines:
        say(line)
    if use == AS_USUAL and keep is None and not add_missing:
        overheard.keep(wiring, project, built, output="".join(f"{line}\n" for line in lines), out=out, lock_file=lock_file)
