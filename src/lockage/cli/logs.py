"""``lockage logs``."""

from __future__ import annotations

import click

from lockage.cli.completion import runs, steps

__all__ = ["command"]


@click.command("logs")
@click.argument("run", required=False, shell_complete=runs)
@click.argument("step", required=False, shell_complete=steps)
def command(run: str | None, step: str | None) -> None:
    """Print the log of RUN (its id or number; default: `latest`), or of one STEP of it, as the steps wrote it.

    \b
    Examples:
      lockage logs
      lockage logs run-000003
      lockage logs run-000003 package
      lockage logs latest package
    """
    import sys

    from lockage.base.errors import Usage
    from lockage.wiring import Wiring
    from lockage.work.find import Finder

    wiring = Wiring.from_process()
    found = Finder(wiring).run(run or "latest")
    if found is None:
        raise Usage(f"there is no run {run}", hint="Name a run by its id or number; `lockage show` says which is the newest.")
    run_id, record, log = found.run_id, found.run, found.log
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
