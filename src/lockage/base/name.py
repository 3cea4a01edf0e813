"""Names that people give: projects, environments, steps, channels, principals. Each is its own type."""

from __future__ import annotations

import re
from typing import ClassVar, Self

__all__ = [
    "ChannelName",
    "EnvironmentName",
    "FetchName",
    "FlagName",
    "LatchName",
    "PoolName",
    "PrincipalName",
    "ProjectName",
    "ServiceName",
    "StepName",
    "Version",
]


class _Name(str):
    __slots__ = ()
    _form: ClassVar[re.Pattern[str]] = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
    _what: ClassVar[str] = "name"

    def __new__(cls, text: str) -> Self:
        if not cls._form.fullmatch(text):
            raise ValueError(f"not a valid {cls._what} (lowercase letters, digits, '-', '_' and '.', at most 64): {text[:80]!r}")
        return super().__new__(cls, text)


class ProjectName(_Name):
    """A project's normalised name (the PyPA rule: runs of ``-_.`` become one ``-``, lowercase)."""

    __slots__ = ()
    _what = "project name"
    _form = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,198}[a-z0-9])?")

    @classmethod
    def normalised(cls, text: str) -> Self:
        """The normalised form of a name as people write it."""
        return cls(re.sub(r"[-_.]+", "-", text).lower())


class EnvironmentName(_Name):
    """The name of an environment of a recipe."""

    __slots__ = ()
    _what = "environment name"


class StepName(_Name):
    """The name of a step of a recipe."""

    __slots__ = ()
    _what = "step name"


class FlagName(_Name):
    """The name of a feature flag of a recipe."""

    __slots__ = ()
    _what = "flag name"


class FetchName(_Name):
    """The name of a fetch input of a recipe."""

    __slots__ = ()
    _what = "name of a fetch input"


class LatchName(_Name):
    """The name of something that one step at a time may use, whatever build of a store it is of."""

    __slots__ = ()
    _what = "latch name"


class PoolName(_Name):
    """The name of a pool of a recipe."""

    __slots__ = ()
    _what = "pool name"


class ServiceName(_Name):
    """The name of a service of a recipe."""

    __slots__ = ()
    _what = "name of a service"


class ChannelName(_Name):
    """The name of a channel."""

    __slots__ = ()
    _what = "channel name"


class PrincipalName(_Name):
    """The name of a person or robot that signs; an e-mail address is allowed."""

    __slots__ = ()
    _what = "principal name"
    _form = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+@-]{0,126}[A-Za-z0-9])?")


class Version(_Name):
    """A project's version: one word that is safe in file names; not compared here."""

    __slots__ = ()
    _what = "version"
    _form = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+!-]{0,126}[A-Za-z0-9])?")
