"""The root of every error that lockage raises on purpose.

Invariants: a code is unique and never changes its meaning; the exit code is one of :class:`ExitCode`; every error says
what was wrong, where (in its details), and what to do (its hint). Only the doors (cli, web) turn an error into an exit.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lockage.base.excerpt import Excerpt

__all__ = [
    "Conflict",
    "Drift",
    "ExitCode",
    "Fault",
    "Integrity",
    "LockageError",
    "NotPermitted",
    "NotReproduced",
    "Refused",
    "StepFailed",
    "Unreachable",
    "Usage",
]

Detail = str | int | bool | None | tuple[str, ...]


class ExitCode(IntEnum):
    """What the process's exit status means; documented in docs/errors.md."""

    DONE = 0
    FAULT = 1
    USAGE = 2
    DRIFT = 3
    NOT_REPRODUCED = 4
    REFUSED = 5
    INTEGRITY = 6
    CONFLICT = 7
    NOT_PERMITTED = 8
    STEP_FAILED = 9
    UNREACHABLE = 10


class LockageError(Exception):
    """Something that lockage noticed and can explain.

    Subclasses set ``code`` (kebab-case, unique), ``exit_code`` and ``hint`` (what to do, a sentence in the imperative).
    ``details`` are machine-readable facts such as ``file``, ``line``, ``key``, ``expected`` and ``found``; ``excerpts`` are the
    lines of a file that it is about, in the file's order.
    """

    code: ClassVar[str] = "fault"
    exit_code: ClassVar[ExitCode] = ExitCode.FAULT
    hint: str = "Report this with the command that led to it."
    retryable: ClassVar[bool] = False
    excerpts: tuple[Excerpt, ...] = ()

    def __init__(self, message: str, *, hint: str | None = None, **details: Detail) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return self.message


class Fault(LockageError):
    """An invariant of lockage itself does not hold."""

    code = "fault"


class Usage(LockageError):
    """The command, recipe or configuration cannot be used as it is."""

    code = "usage"
    exit_code = ExitCode.USAGE
    hint = "Correct the command or the file named, and run it again."


class Drift(LockageError):
    """An input is not what the lock says."""

    code = "drift"
    exit_code = ExitCode.DRIFT
    hint = "If the change is wanted, run `lockage lock` and commit lockage.lock."


class NotReproduced(LockageError):
    """The same inputs gave another result."""

    code = "not-reproduced"
    exit_code = ExitCode.NOT_REPRODUCED
    hint = "Run `lockage verify` to find what makes it differ."


class Refused(LockageError):
    """A policy says no."""

    code = "refused"
    exit_code = ExitCode.REFUSED
    hint = "Meet the conditions listed, then ask again."


class Integrity(LockageError):
    """A digest, signature or proof does not hold."""

    code = "integrity"
    exit_code = ExitCode.INTEGRITY
    hint = "Do not use these bytes; restore them from a copy you trust."


class Conflict(LockageError):
    """Somebody else was first, or bytes would change under a name."""

    code = "conflict"
    exit_code = ExitCode.CONFLICT
    hint = "Look at the present state with `lockage status`, then decide again."


class NotPermitted(LockageError):
    """The host or the store does not allow this."""

    code = "not-permitted"
    exit_code = ExitCode.NOT_PERMITTED
    hint = "Ask whoever runs this machine or store for the permission named."


class StepFailed(LockageError):
    """A step did not do what its recipe says."""

    code = "step-failed"
    exit_code = ExitCode.STEP_FAILED
    hint = "Read the step's log, mend the cause, and build again."


class Unreachable(LockageError):
    """An outside service did not answer."""

    code = "unreachable"
    exit_code = ExitCode.UNREACHABLE
    hint = "Check the network and the configured mirror or index, then run the command again."
    retryable = True
