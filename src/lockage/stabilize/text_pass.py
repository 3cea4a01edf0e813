"""The passes `egg-info` and `wheel-file`: lists that tools write in the order of a set or of a directory walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.stabilize.job import Job

__all__ = ["stabilize_lines", "stabilize_wheel_file"]

_TAG = b"Tag:"


def stabilize_lines(data: bytes, job: Job) -> bytes:
    """A list with its lines in order; how they end stays."""
    whole = data.endswith(b"\n")
    if not whole and b"\r" in data:
        return data  # its last line would get another end
    out = b"\n".join(sorted(data.removesuffix(b"\n").split(b"\n"))) + (b"\n" if whole else b"")
    job.change("", "lines", "as written", "sorted" if out != data else "as written")
    return out


def stabilize_wheel_file(data: bytes, job: Job) -> bytes:
    """A WHEEL file whose Tag lines are in order, where they are."""
    lines = data.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.startswith(_TAG)]
    if not data.endswith(b"\n"):
        return data
    for place, line in zip(places, sorted(lines[number] for number in places), strict=True):
        lines[place] = line
    out = b"".join(lines)
    job.change("", "Tag lines", "as written", "sorted" if out != data else "as written")
    return out
