"""The command line: one module per command; arguments in, exit code out."""

from __future__ import annotations

import sys
from gc import freeze, set_threshold  # as names: the module of `lockage gc` takes the name gc in this room

__all__ = ["main"]

#: How many new objects it takes for a search for cycles. Starting up and a build of a thousand steps make about a hundred thousand that
#: all stay: with Python's own 700 the collector takes a tenth of a build in which nothing is to be done, and with 100,000 a hundredth of
#: one in which all is done. Of ten thousand steps there is a twelfth more memory in use with twice as many.
_OBJECTS = 200_000


def main(arguments: list[str] | None = None) -> None:
    """The ``lockage`` program; exits the process with a code of :class:`lockage.base.errors.ExitCode`."""
    set_threshold(_OBJECTS)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        from lockage.echo.front import answered  # so that importing the room costs nothing

        unprinted = None
        try:
            if answered(words):
                sys.exit()
        except OSError as error:
            unprinted = error
        from lockage.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)

    status = run(words, unprinted)
    freeze()  # the process ends: its last collection need not walk through every module
    sys.exit(status)
