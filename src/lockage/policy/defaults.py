"""The policies of the three channels that a new store begins with."""

from __future__ import annotations

from lockage.base.name import ChannelName
from lockage.policy.gates import Deviations, From, Reproduced, SourceClean, Tests
from lockage.policy.policy import Policy
from lockage.policy.refusal import Refusal
from lockage.record.conditions import DeviationKind

__all__ = ["DEFAULT_POLICIES"]

_DEV, _STAGING, _PROD = ChannelName("dev"), ChannelName("staging"), ChannelName("prod")
#: An environment that nothing pins can be built in, and its artifacts go nowhere; a rollback skips `from`, so each channel asks.
_PINNED = Deviations(refuse=(Refusal(DeviationKind.HOST_ENVIRONMENT),))

#: From the lowest channel up.
DEFAULT_POLICIES: tuple[Policy, ...] = (
    Policy(channel=_DEV, gates=(SourceClean(), Tests(), _PINNED)),
    Policy(channel=_STAGING, gates=(From(channel=_DEV), Tests(), Reproduced(), _PINNED)),
    Policy(channel=_PROD, gates=(From(channel=_STAGING), SourceClean(), Tests(), Reproduced(), _PINNED)),
)
