"""``lockage logs``."""

from __future__ import annotations

import click

from lockage.cli.completion import runs, steps

__all__ = ["command"]


@click.command("logs")
@click.argument("run", required=False, shell_complete=runs)
@click.argument("step", required=False, shell_complete=steps)
def command(run: str | None, step: str | None) -> None:
    """Print the log of RUN (default: the newest), or of one STEP of it, as the steps wrote it.

    \b
    Examples:
      lockage logs
      lockage logs run-000003
      lockage logs run-000003 package
    """
    import sys

    from lockage.base.errors import Usage
    from lockage.wiring import Wiring

    wiring = Wiring.from_process()
    run_id = run or wiring.runs.latest()
    found = wiring.runs.get(run_id) if run_id is not None else None
    if found is None:
        raise Usage(f"there is no run {run_id or 'yet'}", hint="A build or test prints its run's id with --json.")
    record, log = found
    if step is None:
        data = wiring.blobs.get(log)
    else:
        chosen = [one for one in record.steps if one.step == step]
        if not chosen:
            raise Usage(f"{run_id} has no step {step!r}; it has {', '.join(one.step for one in record.steps)}")
        tried = [(wiring.blobs.get(attempt.log), attempt.failure) for attempt in chosen[0].attempts]
        parts = [log + f"== {step} · attempt {number}: {failure}\n".encode() for number, (log, failure) in enumerate(tried, 1)]
        data = b"".join((*parts, wiring.blobs.get(chosen[0].log)))
    sys.stdout.buffer.write(data)
