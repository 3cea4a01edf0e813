"""How an inferred build calls the Python of its environment, so that nothing is imported from the folder that it is called in.

A module of the sources must not take the place of one of the library. ``-P`` sees to that since Python 3.11; an image may have an older
one, of which the first that it runs takes that folder off the search path.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lockage.environment.base import Interpreter

__all__ = ["OF_SUITES", "PythonCall", "python_call"]


class PythonCall(msgspec.Struct, frozen=True, kw_only=True):
    """What a line of the shell begins with, up to ``-c``, and what the code after it begins with."""

    command: str = "python3 -P"
    code: str = ""


#: The call of a suite's Python, which is the only one that there is.
OF_SUITES = PythonCall()


def python_call(interpreter: Interpreter | None) -> PythonCall:
    """The call of an image's Python, by its path: the search path of an image may lead to another one. None: that of a suite."""
    if interpreter is None:
        return OF_SUITES
    path = shlex.quote(interpreter.path)
    if tuple(map(int, interpreter.version.split(".")[:2])) >= (3, 11):
        return PythonCall(command=f"{path} -P")
    return PythonCall(command=path, code="import sys; del sys.path[0]; ")
