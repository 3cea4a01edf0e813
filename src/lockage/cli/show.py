"""``lockage show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.completion import shown
from lockage.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.digest import Digest
    from lockage.wiring import Wiring
    from lockage.work.find import Finder, Found, FoundRun

__all__ = ["command"]


@click.command("show")
@click.argument("id_", metavar="[ID]", default="latest", shell_complete=shown)
@click.option("--full", is_flag=True, help="List every step of a run, however many there are.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write a run as a trace that chrome://tracing and ui.perfetto.dev open; `-` prints it instead.",
)
@json_option
def command(id_: str, full: bool, trace: Path | None, as_json: bool) -> None:
    """Show what ID is: a run (default: the newest), an artifact, a release or an action.

    Of a run: its source, every step with times and resources, the chain of steps that decided how long it took, its artifacts, and the
    machine it ran on. ID is a run's id or number, `latest`, a release (PROJECT, PROJECT@VERSION-BUILD) or file of it (RELEASE/NAME), an
    artifact's file, name or sha256, or an action's digest; of a digest 8 digits are enough.

    \b
    Examples:
      lockage show
      lockage show run-000003 --json
      lockage show latest --trace run.json    open it in ui.perfetto.dev
      lockage show dist/shop-1.2.0-py3-none-any.whl
      lockage show shop@1.2.0-1
    """
    from lockage.base.errors import Usage
    from lockage.cli.screen import print_json, say
    from lockage.wiring import Wiring
    from lockage.work.find import Finder, FoundRun, NothingFound

    if trace == Path("-") and as_json:
        raise Usage("--trace - and --json both want standard output", hint="Give --trace a file.")
    wiring = Wiring.from_process()
    finder = Finder(wiring)
    digest = digest_of_file(id_)
    found = finder.find(id_) if digest is None else finder.artifact(digest)
    if found is None:
        raise NothingFound(f"no run and no release of this store has made {id_} (sha256 {digest})", id=id_, sha256=digest)
    if trace is not None:
        if not isinstance(found, FoundRun):
            raise Usage("--trace is for a run", hint="Name a run: `lockage show latest --trace FILE`.")
        _write_trace(wiring, found, trace)
        if trace == Path("-"):
            return
    document, lines = _shown(wiring, finder, found, full=full)
    if as_json:
        print_json(document)
    else:
        for line in lines:
            say(line)


def _shown(wiring: Wiring, finder: Finder, found: Found, *, full: bool) -> tuple[dict[str, object], Iterator[str]]:
    """The document, and the lines for people."""
    from lockage.cli import show_text
    from lockage.work import show
    from lockage.work.find import FoundAction, FoundArtifact, FoundRelease, FoundRun

    match found:
        case FoundRun():
            run = show.show_run(wiring, found)
            return {"run": run}, show_text.run_lines(run, full=full)
        case FoundArtifact():
            artifact = show.show_artifact(wiring, finder.catalog, found)
            return {"artifact": artifact}, show_text.artifact_lines(artifact)
        case FoundRelease():
            release = show.show_release(wiring, finder.catalog, found)
            return {"release": release}, show_text.release_lines(release)
        case FoundAction():
            action = show.show_action(wiring, found)
            return {"action": action}, show_text.action_lines(action)


def digest_of_file(text: str) -> Digest | None:
    """The sha256 of a file on this disk; None if there is no such file."""
    from lockage.base.digest import Digest

    path = Path(text)
    try:
        with path.open("rb") as file:
            return Digest.of_file(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        return None
    except OSError as error:
        from lockage.base.errors import Usage

        raise Usage(f"{text} cannot be read: {error.strerror}", hint="Make it readable, or name its sha256.", file=text) from error


def _write_trace(wiring: Wiring, found: FoundRun, to: Path) -> None:
    import sys

    import msgspec

    from lockage.record.trace import trace_document
    from lockage.work.show import needs_of_run

    data = msgspec.json.encode(trace_document(found.run, found.run_id, needs_of_run(wiring, found.run))) + b"\n"
    if to == Path("-"):
        sys.stdout.buffer.write(data)
        return
    wiring.folders.write(to.absolute().parent, to.name, data)
