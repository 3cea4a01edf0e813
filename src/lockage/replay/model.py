"""Requests, responses, and recordings of them."""

from __future__ import annotations

import re
from typing import Self

import msgspec

from lockage.base.errors import Usage

__all__ = ["Exchange", "InvalidRecording", "Recording", "Request", "Response", "pairs_of", "plain_path"]

_Pairs = tuple[tuple[str, str], ...]
_CODE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]")


class InvalidRecording(Usage):
    """What a service was recorded to answer cannot be read."""

    code = "invalid-recording"
    hint = "Correct the file at the place named, or record it anew (docs/services.md)."


def plain_path(path: str) -> str:
    """A path with one spelling: what needs percent-encoding has it, nothing else, and its digits are capital (RFC 3986, 6.2.2)."""

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if _UNRESERVED.fullmatch(character) else match[0].upper()

    ascii_only = re.sub(r"[^\x21-\x7e]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass")), path)
    return re.sub(r"%([0-9A-Fa-f]{2})", one, ascii_only) or "/"


def pairs_of(query: str) -> _Pairs:
    """The names and values of a query or a form, decoded and sorted by name; values of one name stay in their order."""
    found = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.append((_decoded(name), _decoded(value)))
    return tuple(sorted(found, key=lambda pair: pair[0]))


def _decoded(text: str) -> str:
    raw = text.replace("+", " ").encode("utf-8", "surrogatepass")
    return _CODE.sub(lambda code: bytes.fromhex(code[1].decode()), raw).decode("utf-8", "replace")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is asked: names of ``headers`` are in lower case, ``query`` is as :func:`pairs_of` gives it; no port in ``host``."""

    method: str
    host: str = ""
    path: str
    query: _Pairs = ()
    headers: _Pairs = ()
    body: bytes = b""

    @classmethod
    def of(cls, method: str, target: str, *, host: str = "", headers: _Pairs = (), body: bytes = b"") -> Self:
        """A request for ``target``, a path with its query, or a whole address."""
        found = re.fullmatch(r"(?:https?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", target, re.DOTALL)
        assert found is not None, "everything matches"
        named = re.sub(r":\d+\Z", "", (found[1] or host).rpartition("@")[2]).lower()
        lower = tuple((name.lower(), value.strip()) for name, value in headers)
        return cls(method=method, host=named, path=plain_path(found[2]), query=pairs_of(found[3] or ""), headers=lower, body=body)

    def header(self, name: str) -> str | None:
        """The values of a header, several joined as RFC 9110 says; None if it is not there."""
        values = [value for found, value in self.headers if found == name]
        return ", ".join(values) if values else None

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answers."""

    status: int
    reason: str = ""
    headers: _Pairs = ()
    body: bytes = b""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded request and its response; ``place`` says where they stand. ``any_body``: the recording says nothing of the request's."""

    place: str
    request: Request
    response: Response
    any_body: bool = False


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What a service has been recorded to answer, in the order of the recording."""

    exchanges: tuple[Exchange, ...]
