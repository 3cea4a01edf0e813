"""Worlds that share nothing but this machine: a clone of this checkout each, with a user, a umask and settings of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).parents[1]


class World(NamedTuple):
    """Where a clone lies, whose it is, and what its shell is told."""

    folder: Path
    uid: int
    umask: str
    settings: dict[str, str]

    def settle(self) -> None:
        """Clone this checkout into it."""
        (self.folder / "home").mkdir(parents=True)
        self.folder.chmod(0o755)
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(CHECKOUT), str(self.folder / "checkout")], check=True)
        if os.getuid() == 0:
            self.own(self.folder)

    def own(self, folder: Path) -> None:
        """Make a folder and all in it this world's user's; for root only."""
        subprocess.run(["chown", "-R", f"{self.uid}:{self.uid}", str(folder)], check=True)

    def lockage(self, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:  # Any: the document of any command
        """What ``lockage ARGUMENTS --json`` prints in this world, in its checkout or elsewhere in it."""
        program = self.folder / "checkout" / "bin" / "lockage"
        command = ["sh", "-c", f'umask {self.umask}; exec "$@" --json', "sh", str(program), *arguments]
        if os.getuid() == 0:
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *command]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOCKAGE_", "XDG_", "PYTHON"))}
        environment = {**kept, "HOME": str(self.folder / "home"), **self.settings}
        done = subprocess.run(
            command,
            cwd=cwd or self.folder / "checkout",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        return found or {"error": {"message": done.stderr[-500:]}}
