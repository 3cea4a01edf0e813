"""Whether passes make the same bytes of two files: what the grade `stabilized` means."""

from __future__ import annotations

from lockage.base.errors import StepFailed
from lockage.base.instant import ZIP_FLOOR
from lockage.stabilize.passes import stabilize

__all__ = ["stable_alike"]


def stable_alike(name: str, a: bytes, b: bytes) -> bool:
    """Whether both are the same after their passes; never for what a pass refuses."""
    try:
        return stabilize(name, a, ZIP_FLOOR).data == stabilize(name, b, ZIP_FLOOR).data
    except StepFailed:
        return False
