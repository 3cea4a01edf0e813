"""Which recorded response answers a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.recipe.service import Matching
from lockage.replay import Exchange, Recording, Replay, Request, Response, Unexpected

JSON = (("Content-Type", "application/json"),)


def exchange(
    number: int, method: str = "GET", target: str = "/a", *, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
) -> Exchange:
    request = Request.of(method, f"https://api.example{target}", headers=headers, body=body)
    return Exchange(place=f"entry {number}", request=request, response=Response(status=200, body=str(number).encode()))


def replay(*exchanges: Exchange, hosts: tuple[str, ...] = (), **matching: object) -> Replay:
    return Replay(Recording(exchanges=exchanges), Matching(**matching), hosts)  # type: ignore[arg-type]  # the test's own words


def said(found: Response | Unexpected) -> str:
    return found.body.decode() if isinstance(found, Response) else str(found)


def ask(one: Replay, method: str = "GET", target: str = "/a", **more: object) -> str:
    return said(one.answer(Request.of(method, target, **more)))  # type: ignore[arg-type]  # the test's own words


def test_equal_requests_are_answered_in_the_order_of_the_recording_and_each_once() -> None:
    one = replay(exchange(0), exchange(1, target="/b"), exchange(2))
    assert [ask(one), ask(one, target="/b"), ask(one)] == ["0", "1", "2"]
    assert ask(one) == "GET /a (recorded 2 times (entry 0, entry 2), and asked for once more)"
    assert len(one.unexpected) == 1


def test_a_response_may_be_given_again_where_that_is_said() -> None:
    one = replay(exchange(0), exchange(1), repeat=True)
    assert [ask(one) for _ in range(4)] == ["0", "1", "1", "1"]


def test_requests_can_have_to_come_as_they_were_recorded() -> None:
    one = replay(exchange(0), exchange(1, target="/b"), in_order=True)
    assert "entry 0, GET /a, comes before it" in ask(one, target="/b")
    assert [ask(one), ask(one, target="/b")] == ["0", "1"]
    assert "recorded once (entry 1)" in ask(one, target="/b")
    again = replay(exchange(0), exchange(1, target="/b"), in_order=True, repeat=True)
    assert [ask(again), ask(again), ask(again, target="/b")] == ["0", "0", "1"]
    assert "asked for once more" in ask(again)


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("/a?x=1&y=2", True),
        ("/a?y=2&x=1", True),
        ("/%61?y=2&x=%31", True),
        ("http://anywhere:99/a?x=1&y=2#here", True),
        ("/a?x=1", False),
        ("/a?x=1&y=2&x=1", False),
        ("/A?x=1&y=2", False),
        ("/a/?x=1&y=2", False),
    ],
)
def test_paths_are_equal_in_any_spelling_and_queries_in_any_order(target: str, same: bool) -> None:
    assert (ask(replay(exchange(0, target="/a?x=1&y=2")), target=target) == "0") is same


def test_what_is_no_ascii_is_encoded_before_it_is_compared() -> None:
    one = replay(exchange(0, target="/ü ber?q=ü"), exchange(1, target="/\ud800?q=\ud800"))
    assert ask(one, target="/%C3%BC%20ber?q=%c3%bc") == "0"
    assert ask(one, target="/%ed%A0%80?q=\ud800") == "1"
    str(one.answer(Request.of("GET", "/\ud800?\ud800", body=b"\xff"))).encode()


def test_values_of_one_name_keep_their_order() -> None:
    assert ask(replay(exchange(0, target="/a?x=1&x=2")), target="/a?x=2&x=1") != "0"


@pytest.mark.parametrize(
    ("kind", "recorded", "asked", "same"),
    [
        ("application/json", b'{"a": 1, "b": [true, null]}', b'{"b":[true,null],"a":1.0}', True),
        ("application/vnd.x+json; charset=utf-8", b"[1]", b"[ 1 ]", True),
        ("application/json", b'{"a": 1}', b'{"a": true}', False),
        ("application/json", b"[1, 2]", b"[2, 1]", False),
        ("application/json", b"{}", b"not json", False),
        ("application/x-www-form-urlencoded", b"a=1&b=2", b"b=2&a=1", True),
        ("text/plain", b"a=1&b=2", b"b=2&a=1", False),
        ("", b"x", b"x", True),
        ("", b"", b"x", False),
    ],
)
def test_bodies_are_equal_by_what_they_say(kind: str, recorded: bytes, asked: bytes, same: bool) -> None:
    one = replay(exchange(0, "POST", body=recorded, headers=(("Content-Type", kind),)))
    assert (ask(one, "POST", body=asked) == "0") is same


def test_headers_count_where_they_are_named() -> None:
    recorded = exchange(0, headers=(("Accept", "text/html"), ("X-Seen", "1")))
    assert ask(replay(recorded)) == "0"
    assert ask(replay(recorded, headers=("accept",)), headers=(("ACCEPT", " text/html "),)) == "0"
    assert "the header accept is missing, not 'text/html'" in ask(replay(recorded, headers=("accept",)))
    assert "the header x-other is '2', not missing" in ask(replay(recorded, headers=("x-other",)), headers=(("X-Other", "2"),))


def test_what_is_ignored_does_not_count() -> None:
    recorded = exchange(0, "POST", "/a?x=1", body=b"x")
    assert ask(replay(recorded, ignore=("body", "query")), "POST", "/a?y=2", body=b"y") == "0"
    assert "the body is 'y', not 'x'" in ask(replay(recorded, ignore=("query",)), "POST", "/a?y=2", body=b"y")


def test_a_host_counts_where_the_service_has_it() -> None:
    two = Exchange(place="entry 1", request=Request.of("GET", "https://two.example/a"), response=Response(status=200, body=b"two"))
    one = replay(exchange(0), two, hosts=("api.example", "two.example"))
    assert ask(one, host="two.example:80") == "two"
    assert ask(one, host="127.0.2.1") == "0", "who asks by number gets what is there"
    assert "the host is two.example, not api.example" in ask(replay(exchange(0), hosts=("api.example", "two.example")), host="two.example")


def test_what_comes_nearest_is_told_with_its_differences() -> None:
    one = replay(exchange(0, "POST", "/b"), exchange(1, target="/a?page=1"), exchange(2, target="/c"))
    found = one.answer(Request.of("GET", "/a?page=2"))
    assert isinstance(found, Unexpected)
    assert found.reasons[0] == "nearest is entry 1, GET /a?page=1: the query is page=2, not page=1"
    assert len(found.reasons) == 3
    assert [one.place for one in one.unused()] == ["entry 0", "entry 1", "entry 2"]


@given(st.lists(st.sampled_from(["/a", "/b", "/c"]), max_size=6), st.permutations(range(6)), st.booleans())
def test_every_recorded_response_is_given_exactly_once(targets: list[str], order: list[int], repeat: bool) -> None:
    """Strict by default: what is answered is the multiset that was recorded, in whatever order it is asked for."""
    if not targets:
        return
    one = replay(*(exchange(number, target=target) for number, target in enumerate(targets)), repeat=repeat)
    asked = [targets[number] for number in order if number < len(targets)]
    answers = [ask(one, target=target) for target in asked]
    assert sorted(answers) == sorted(str(number) for number in range(len(targets)))
    assert one.unused() == ()
    for target in set(targets):
        assert [answer for answer, where in zip(answers, asked, strict=True) if where == target] == [
            str(number) for number, where in enumerate(targets) if where == target
        ]
    again = one.answer(Request.of("GET", targets[0]))
    assert isinstance(again, Response) is repeat
