"""Channel names from the command line."""

from __future__ import annotations

from lockage.base.errors import Usage
from lockage.base.name import ChannelName

__all__ = ["InvalidChannel", "channel_name"]


class InvalidChannel(Usage):
    """What was given cannot be the name of a channel."""

    code = "invalid-channel"
    hint = "Name a channel that `lockage policy list` shows."


def channel_name(text: str) -> ChannelName:
    """The channel of that name; raises :class:`InvalidChannel`."""
    try:
        return ChannelName(text)
    except ValueError as error:
        raise InvalidChannel(str(error)) from error
