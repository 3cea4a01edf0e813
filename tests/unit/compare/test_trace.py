"""What differing bytes show, and how the cause is called."""

from __future__ import annotations

import re
import struct

import pytest

from lockage.compare.causes import CAUSES, cause_of
from lockage.compare.spot import CONTENT, FAILED, MISSING, PRESENCE, Spot
from lockage.compare.trace import Mark, Trace, trace
from lockage.variation import AXES, CONTRACT, vary

ALL = vary([axis.name for axis in AXES])


def seen(a: bytes, b: bytes) -> Trace:
    return trace(a, b, CONTRACT, ALL)


@pytest.mark.parametrize(
    ("a", "b", "mark"),
    [
        (b"cc -I/build/include", b"cc -I/var/tmp/a-longer/path-to/the.build-2/include", Mark.BUILD_PATH),
        (b"cache: /tmp/x", b"cache: /var/cache/scratch/x", Mark.TEMPORARY),
        (b"by builder", b"by verifier", Mark.USER),
        (b"uid=1000", b"uid=4321", Mark.USER),
        (b"/home/builder/.x", b"/srv/homes/verifier/.x", Mark.HOME),
        (b"on lockage.", b"on other-host.", Mark.HOSTNAME),
        (b"zone UTC", b"zone Asia/Kathmandu", Mark.TIMEZONE),
        (b"lang=C", b"lang=tr_TR", Mark.LOCALE),
        (b"{}", b"{BUILD_ID: 4711}", Mark.VARIABLE),
        (b"at 1700000000 s", b"at 1734386400 s", Mark.TIME),
        (b"built 2026-11-27", b"built 2027-12-30", Mark.TIME),
        (b"on 27 Nov 2026", b"on 30 Dec 2027", Mark.TIME),
        (b"Fri Nov 27 10:00:00 2026", b"Fri Nov 27 10:00:07 2026", Mark.TIME),
        (struct.pack("<II", 7, 1700000001), struct.pack("<II", 7, 1700000901), Mark.TIME),
        (struct.pack(">II", 7, 1700000001), struct.pack(">II", 7, 1734386400), Mark.TIME),
        (b"b\na\nc\n", b"c\nb\na\n", Mark.ORDER),
        (b"{'x', 'y'}", b"{'y', 'x'}", Mark.ORDER),
        (b"INSTALL", "\u0130NSTALL".encode(), Mark.CASE),
        (b"<x at 0x7f00aa01>", b"<x at 0x7f00bb02>", Mark.ADDRESS),
        (b"id 6fa459ea-ee8a-4ca4-894e-db77e160355e", b"id 16fd2706-8baf-433b-82eb-8c7fada847da", Mark.RANDOM),
        (b"/x/tmpabcdefgh/y", b"/x/tmp12345678/y", Mark.RANDOM),
        (b"pid 4711;", b"pid 4712;", Mark.NUMBER),
        (b"version = 26.11", b"version = 27.12", Mark.NUMBER),
        (b"1" * 900 + b"/build/", b"2" * 900 + b"/var/tmp/a-longer/path-to/the.build-2/", Mark.BUILD_PATH),
    ],
)
def test_it_shows(a: bytes, b: bytes, mark: Mark) -> None:
    assert mark in seen(a, b).marks


@pytest.mark.parametrize(
    ("a", "b"),
    [(b"one thing", b"another"), (b"old\n", b"new\n"), (b"ab\tc", b"ad\tc"), (b"\x00\x01\x02\x03", b"\x00\x01\x02\x04"), (b"", b"x")],
)
def test_what_shows_nothing(a: bytes, b: bytes) -> None:
    assert seen(a, b).marks == frozenset()


def test_the_range_is_from_the_first_to_the_last_difference() -> None:
    a, b = b"A" * 70000 + b"xyz" + b"B" * 70000, b"A" * 70000 + b"x-y" + b"B" * 70000
    found = seen(a, b)
    assert (found.offset, found.length) == (70001, 2)
    assert (seen(b"abab", b"ababab").offset, seen(b"abab", b"ababab").length) == (4, 2)


def test_causes_are_named_once_for_one_meaning() -> None:
    meanings: dict[str, set[tuple[str, str]]] = {}
    for cause in CAUSES:
        meanings.setdefault(cause.name, set()).add((cause.says, cause.fix))
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cause.name)
        assert cause.fix.endswith(".")
        assert not cause.says.endswith(".")
    known = {axis.name for axis in AXES} | {"-"}
    assert {axis for cause in CAUSES for axis in cause.axes} == known


@pytest.mark.parametrize("aspect", [CONTENT, PRESENCE, FAILED, MISSING, "mode", "whatever"])
@pytest.mark.parametrize("axes", [(), *((axis.name,) for axis in AXES)], ids=str)
def test_every_difference_has_a_name(axes: tuple[str, ...], aspect: str) -> None:
    cause = cause_of(Spot(artifact="x.whl", member="x/y", aspect=aspect), axes, None)
    assert axes == () or axes[0] in cause.axes
