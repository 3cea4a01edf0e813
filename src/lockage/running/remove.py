"""Removes what a step left."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["remove_workspace"]


def remove_workspace(folder: Path) -> None:
    """Remove a folder, whatever modes those in it were given; what cannot be removed stays."""
    import shutil  # slow to import; most workspaces are not on a disk

    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
