"""The policies of the three channels that a new store begins with."""

from __future__ import annotations

from lockage.base.name import ChannelName
from lockage.policy.gates import From, Reproduced, SourceClean, Tests
from lockage.policy.policy import Policy

__all__ = ["DEFAULT_POLICIES"]

_DEV, _STAGING, _PROD = ChannelName("dev"), ChannelName("staging"), ChannelName("prod")

#: From the lowest channel up.
DEFAULT_POLICIES: tuple[Policy, ...] = (
    Policy(channel=_DEV, gates=(SourceClean(), Tests())),
    Policy(channel=_STAGING, gates=(From(channel=_DEV), Tests(), Reproduced())),
    Policy(channel=_PROD, gates=(From(channel=_STAGING), SourceClean(), Tests(), Reproduced())),
)
