"""What the user sees: results on standard output, progress and errors on standard error, colour only on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from lockage.base.canonical import plain
from lockage.base.errors import ExitCode, LockageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.record.event import Event

__all__ = ["Progress", "human_size", "print_json", "say", "short", "show_error", "table"]


def say(text: str = "") -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}\n")


def print_json(document: Any) -> None:  # Any: a document made of plain values and structs
    """The one stable document of ``--json``."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(plain(document)), indent=2).decode() + "\n")


def _colour(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stderr.isatty() else text


def show_error(error: LockageError, *, as_json: bool) -> int:
    """Print an error: code, what was wrong, where, what to do; returns its exit code."""
    if as_json:
        print_json(
            {
                "error": {
                    "code": error.code,
                    "exit_code": int(error.exit_code),
                    "message": error.message,
                    "hint": error.hint,
                    "details": dict(error.details),
                }
            }
        )
    lines = [f"{_colour(f'error[{error.code}]', '1;31')}: {error.message}"]
    lines += [f"  {name}: {_detail(value)}" for name, value in error.details.items() if value not in (None, "", ())]
    lines.append(f"{_colour('hint', '1;36')}: {error.hint}")
    sys.stderr.write("\n".join(lines) + "\n")
    return int(error.exit_code)


def _detail(value: object) -> str:
    if isinstance(value, tuple):
        return "".join(f"\n    {item}" for item in value)
    return str(value)


def human_size(size: int) -> str:
    """A size for people: ``14.2 MiB``."""
    if size < 1024:
        return f"{size} B"
    number = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        number /= 1024
        if number < 1024 or unit == "GiB":
            return f"{number:.1f} {unit}"
    raise AssertionError


def short(digest: str) -> str:
    """The first twelve digits of a digest: enough for people."""
    return digest[:12]


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = ()) -> Iterable[str]:
    """Lines with aligned columns."""
    everything = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(everything[0]))] if everything else []
    for row in everything:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


class Progress:
    """Tells on standard error, and only to a terminal, what is being done; in CI one plain line per finished step."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        from lockage.record.event import Phase, StepEnded, StepStarted  # so that a command without progress pays nothing

        if self._quiet:
            return
        match event:
            case Phase(text=text):
                self._line(f"  {text}")
            case StepStarted(step=step):
                if self._terminal:
                    self._line(f"  {step} …")
            case StepEnded(step=step, cached=True):
                self._line(f"  {step}: unchanged")
            case StepEnded(step=step, failure=None, wall_ms=wall):
                self._line(f"  {step}: done in {wall / 1000:.1f} s")
            case StepEnded(step=step, failure=failure):
                self._line(f"  {step}: {_colour('failed', '31')} ({failure})")

    def _line(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def exit_for(passed: bool, otherwise: ExitCode) -> int:
    """The exit code of a command that succeeded or found something."""
    return int(ExitCode.DONE if passed else otherwise)
