"""The command line: one module per command; arguments in, exit code out."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """The ``lockage`` program; exits the process with a code of :class:`lockage.base.errors.ExitCode`."""
    from lockage.cli.app import run  # so that importing the room costs nothing

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
