"""Which recorded response answers a request, and what to say of one that none answers.

Invariant: for the same requests in the same order the answers are the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.replay.model import Exchange, Request, pairs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.recipe.service import Matching
    from lockage.replay.model import Recording, Response

__all__ = ["Replay", "Unexpected"]

#: How many recorded requests are told of that come near to one that was not recorded.
_NEAREST = 3
_LONGEST = 120
_FORM = "application/x-www-form-urlencoded"


class Unexpected(msgspec.Struct, frozen=True, kw_only=True):
    """A request that no recorded response answers, and why: what comes nearest, and in what it differs."""

    request: Request
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """One line."""
        return f"{str(self.request)[:_LONGEST]} ({self.reasons[0]})"


class Replay:
    """One service while a step runs; for one thread at a time. ``unexpected`` is what it could not answer, in the order asked."""

    def __init__(self, recording: Recording, matching: Matching, hosts: tuple[str, ...] = ()) -> None:
        self._exchanges = recording.exchanges
        self._matching = matching
        self._hosts = frozenset(hosts)
        self._used = [0] * len(recording.exchanges)
        self._last = -1
        self.unexpected: list[Unexpected] = []

    def answer(self, request: Request) -> Response | Unexpected:
        """The response to a request; one that is not answered is kept in ``unexpected``."""
        fitting = self._fitting(request)
        chosen = self._in_order(fitting) if self._matching.in_order else self._any(fitting)
        if chosen is not None:
            self._used[chosen] += 1
            self._last = chosen
            return self._exchanges[chosen].response
        if not fitting and request.method == "HEAD" and self._exchanges[0].any_body:  # a folder says nothing of HEAD where it has GET
            found = self._any(self._fitting(msgspec.structs.replace(request, method="GET")))
            if found is not None:
                self._used[found] += 1
                return self._exchanges[found].response
        unexpected = Unexpected(request=request, reasons=tuple(self._reasons(request, fitting)))
        self.unexpected.append(unexpected)
        return unexpected

    def unused(self) -> tuple[Exchange, ...]:
        """What was recorded and never asked for. Of a file of a folder one of its paths is enough."""
        used = {one.place for one, times in zip(self._exchanges, self._used, strict=True) if times}
        found = {one.place: one for one in self._exchanges if one.place not in used}
        return tuple(found.values())

    def _fitting(self, request: Request) -> list[int]:
        """The recorded exchanges, by number, whose requests are equal to this one."""
        return [number for number, one in enumerate(self._exchanges) if not any(self._differences(request, one))]

    def _any(self, fitting: list[int]) -> int | None:
        unused = [number for number in fitting if not self._used[number]]
        if unused:
            return unused[0]
        return fitting[-1] if fitting and self._matching.repeat else None

    def _in_order(self, fitting: list[int]) -> int | None:
        if self._next() in fitting:
            return self._next()
        return self._last if self._matching.repeat and self._last in fitting else None

    def _next(self) -> int:
        return next((number for number, times in enumerate(self._used) if not times), len(self._used))

    def _differences(self, request: Request, one: Exchange) -> Iterator[str]:
        """In what a request is not the recorded one, the most telling first."""
        recorded, ignore = one.request, self._matching.ignore
        if request.path != recorded.path:
            yield f"the path is {request.path[:_LONGEST]}, not {recorded.path[:_LONGEST]}"
        if request.method != recorded.method:
            yield f"the method is {request.method}, not {recorded.method}"
        if request.host in self._hosts and recorded.host in self._hosts and request.host != recorded.host:
            yield f"the host is {request.host}, not {recorded.host}"
        if "query" not in ignore and request.query != recorded.query:
            yield f"the query is {_query(request)}, not {_query(recorded)}"
        for name in self._matching.headers:
            asked, was = request.header(name), recorded.header(name)
            if asked != was:
                yield f"the header {name} is {_value(asked)}, not {_value(was)}"
        if "body" not in ignore and not one.any_body and not _same_body(request, recorded):
            yield f"the body is {_body(request.body)}, not {_body(recorded.body)}"

    def _reasons(self, request: Request, fitting: list[int]) -> Iterator[str]:
        if fitting and self._matching.in_order:
            following = self._next()
            if following < len(self._exchanges):
                one = self._exchanges[following]
                yield f"{one.place}, {str(one.request)[:_LONGEST]}, comes before it, and requests are to come as they were recorded"
                return
        if fitting:
            places = ", ".join(self._exchanges[number].place for number in fitting[:_NEAREST])
            yield f"recorded {_times(len(fitting))} ({places}), and asked for once more"
            return
        near = [(list(self._differences(request, one)), one) for one in self._exchanges]
        near.sort(key=lambda found: (found[1].request.path != request.path, len(found[0])))
        for differences, one in near[:_NEAREST]:
            yield f"nearest is {one.place}, {str(one.request)[:_LONGEST]}: {'; '.join(differences)}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _query(request: Request) -> str:
    return "&".join(f"{name}={value}" for name, value in request.query)[:_LONGEST] or "empty"


def _value(text: str | None) -> str:
    return "missing" if text is None else repr(text[:_LONGEST])


def _body(body: bytes) -> str:
    if not body:
        return "empty"
    if len(body) <= _LONGEST and body.isascii() and body.decode().isprintable():
        return repr(body.decode())
    return f"{len(body)} bytes with sha256 {Digest.of(body)[:12]}…"


def _same_body(one: Request, other: Request) -> bool:
    """Whether bodies say the same: JSON by its value, a form by its fields, all else by its bytes."""
    if one.body == other.body:
        return True
    kind = (other.header("content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return _same_value(json.loads(one.body), json.loads(other.body))
        except (ValueError, RecursionError):
            return False
    if kind == _FORM:
        return pairs_of(one.body.decode("latin-1")) == pairs_of(other.body.decode("latin-1"))
    return False


def _same_value(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_value(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_value, one, other))
    return one == other
