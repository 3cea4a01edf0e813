"""What a registry wants to know before it answers: challenges (RFC 9110 11.6.1), and where tokens are had (distribution's token spec)."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode

__all__ = ["Challenge", "challenges_of"]

_SCHEME = re.compile(r"([A-Za-z]+)(?:\s+(?=[A-Za-z0-9_-]+\s*=)|\s*$|\s*,\s*)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(NamedTuple):
    """One way to say who one is: the scheme in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str]

    def token_address(self, scope: str) -> str | None:
        """Where a token for a ``scope`` is had; None if the challenge does not say. The registry's own word for the scope comes first."""
        realm = self.parameters.get("realm", "")
        if self.scheme != "bearer" or not realm.startswith(("https://", "http://")):
            return None
        query = {"service": self.parameters.get("service", ""), "scope": self.parameters.get("scope") or scope}
        return f"{realm}{'&' if '?' in realm else '?'}{urlencode({name: value for name, value in query.items() if value})}"


def challenges_of(header: str) -> list[Challenge]:
    """The challenges of one header; what cannot be read ends the list."""
    found: list[Challenge] = []
    at = 0
    while (scheme := _SCHEME.match(header, at)) is not None:
        at = scheme.end()
        parameters: dict[str, str] = {}
        while (parameter := _PARAMETER.match(header, at)) is not None:
            value = parameter[3] if parameter[3] is not None else re.sub(r"\\(.)", r"\1", parameter[2])
            parameters.setdefault(parameter[1].lower(), value)
            at = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
        at += len(header[at:]) - len(header[at:].lstrip(" ,\t"))
    return found
