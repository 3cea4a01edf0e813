"""Bad input: releases that may not go where they are sent, and two who are at it at once. Heads move only where they may."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Kept, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]


def refused(store: Store, before: Kept, release: str, channel: str, *gates: str) -> list[str]:
    """The reasons of a refusal that was recorded and moved nothing."""
    error = store("promote", release, "--to", channel, "--json", expect=5).error
    assert error["code"] == "promotion-refused"
    assert error["details"]["channel"] == channel
    reasons: list[str] = error["details"]["reasons"]
    assert [reason.partition(":")[0] for reason in reasons] == list(gates)
    after = store.kept()
    assert after.size == before.size + 1
    assert after.heads == before.heads
    assert before.blobs <= after.blobs
    last = store("history", channel, "--json", expect=0).json["history"][-1]
    assert (last["what"], tuple(last["reasons"])) == ("refused", gates)
    return reasons


def test_an_untested_and_unreproduced_release_goes_nowhere(shop: Store) -> None:
    shop("release", "--json", expect=0)
    (reason,) = refused(shop, shop.kept(), "shop", "dev", "tests")
    assert "lockage test" in reason
    shop("test", "--json", expect=0)
    shop("promote", "shop", "--to", "dev", "--json", expect=0)
    (reason,) = refused(shop, shop.kept(), "shop", "staging", "reproduced")
    assert "lockage verify" in reason


def test_a_release_climbs_one_level_at_a_time(released: Store) -> None:
    for channel in ("staging", "prod"):
        (reason,) = refused(released, released.kept(), "shop", channel, "from")
        assert {"staging": "dev", "prod": "staging"}[channel] in reason


@pytest.mark.parametrize("how", ["changed", "untracked", "directory"])
def test_what_nobody_else_can_obtain_is_never_released(released: Store, how: str) -> None:
    source = "."
    if how == "changed":
        (released.work / "README.md").write_text("changed\n")
    elif how == "untracked":
        (released.work / "src" / "shop" / "more.py").write_text("")
    else:
        source = "../plain"
        shutil.copytree(released.work, released.work.with_name("plain"), ignore=shutil.ignore_patterns(".git"))
    before = released.kept()
    error = released("release", source, "--json", expect=5).error
    assert error["code"] == "source-not-clean"
    assert {"changed": "README.md", "untracked": "more.py", "directory": "directory"}[how] in error["message"]
    after = released.kept()
    assert (after.size, after.checkpoint, after.heads) == (before.size, before.checkpoint, before.heads)


def other_release(store: Store, text: str, version: str = "1.2.0") -> str:
    """Another release of the example, tested."""
    (store.work / "README.md").write_text(text)
    project = store.work / "pyproject.toml"
    project.write_text(re.sub(r'version = "1\.2\..*"', f'version = "{version}"', project.read_text()))
    store.commit(text)
    store("test", "--json", expect=0)
    title: str = store("release", "--json", expect=0).json["release"]
    return title


def test_other_bytes_of_a_version_get_another_number_and_no_used_name(released: Store) -> None:
    released("promote", "shop", "--to", "dev", "--json", expect=0)
    again = released("release", "--json", expect=0).json
    assert (again["release"], again["new"]) == ("shop@1.2.0-1", False)
    assert other_release(released, "other words") == "shop@1.2.0-2"
    before = released.kept()
    error = released("promote", "shop@1.2.0-2", "--to", "dev", "--json", expect=7).error
    assert error["code"] == "name-taken"
    assert error["details"]["name"] in error["message"]
    assert error["details"]["expected"] != error["details"]["found"]
    after = released.kept()
    assert (after.size, after.heads) == (before.size + 1, before.heads)
    assert released("history", "dev", "--json", expect=0).json["history"][-1]["what"] == "conflicted"


@pytest.mark.parametrize("release", ["nothing", "shop@9", "shop@1.2.0-7", "0123456789abcdef", "../shop", ""])
def test_a_release_that_is_none_is_a_usage_error(released: Store, release: str) -> None:
    before = released.kept()
    assert released("promote", release, "--to", "dev", "--json", expect=2).error["code"] == "no-release"
    assert released.kept() == before


@pytest.mark.parametrize("channel", ["nowhere", "DEV", "../dev", ""])
def test_a_channel_that_is_none_is_a_usage_error(released: Store, channel: str) -> None:
    before = released.kept()
    error = released("promote", "shop", "--to", channel, "--json", expect=2).error
    assert "channel" in error["message"]
    assert released.kept() == before


def test_an_expected_generation_that_has_passed_is_a_conflict(released: Store) -> None:
    released("promote", "shop", "--to", "dev", "--json", expect=0)
    before = released.kept()
    error = released("promote", "shop", "--to", "dev", "--expect", "0", "--json", expect=7).error
    assert error["code"] == "promotion-conflict"
    assert (error["details"]["expected"], error["details"]["found"]) == (0, 1)
    after = released.kept()
    assert (after.size, after.heads) == (before.size + 1, before.heads)


def test_rolling_back_where_nothing_was_before_is_refused(released: Store) -> None:
    released("promote", "shop", "--to", "dev", "--json", expect=0)
    before = released.kept()
    assert released("rollback", "dev", "--json", expect=5).error["code"] == "nothing-before"
    assert released.kept() == before


# Two at once


def at_once(store: Store, *commands: tuple[str, ...]) -> list[tuple[int, dict[str, Any]]]:
    """Run several commands at the same time; their exit codes and documents."""
    started = [store.start(*command, "--json") for command in commands]
    ended = [process.communicate(timeout=300)[0] for process in started]
    return [(process.returncode, json.loads(text)) for process, text in zip(started, ended, strict=True)]


def generation(store: Store, channel: str) -> int:
    return store.kept().heads["shop", channel][1]


def test_two_who_expect_the_same_generation_cannot_both_win(released: Store) -> None:
    releases = ["shop@1.2.0-1", other_release(released, "two", "1.2.1"), other_release(released, "three", "1.2.2")]
    before = 0
    holds = ""
    for number in range(8):
        first, second = [release for release in releases if release != holds][:2]
        expected = ("--expect", str(before)) if number % 2 else ()
        outcomes = at_once(released, *(("promote", release, "--to", "dev", *expected) for release in (first, second)))
        codes = sorted(code for code, _ in outcomes)
        assert codes in ([0, 7], [0, 0]), outcomes
        assert not expected or codes == [0, 7]
        for code, document in outcomes:
            assert code == 0 or document["error"]["code"] == "promotion-conflict"
        head = released.kept().heads["shop", "dev"]
        before += codes.count(0)
        assert head[1] == before
        assert head[0] in [document["release"] for code, document in outcomes if code == 0]
        holds = str(head[0])
        released("ledger", "verify", expect=0)


def test_the_same_promotion_twice_at_once_is_one(released: Store) -> None:
    outcomes = at_once(released, *[("promote", "shop", "--to", "dev")] * 3)
    assert sorted({code for code, _ in outcomes}) in ([0], [0, 7])
    assert [document["changed"] for code, document in outcomes if code == 0].count(True) == 1
    assert generation(released, "dev") == 1


def test_two_who_release_the_same_at_once_close_one_release(shop: Store) -> None:
    outcomes = at_once(shop, ("release",), ("release",))
    assert [code for code, _ in outcomes] == [0, 0]
    assert {document["release"] for _, document in outcomes} == {"shop@1.2.0-1"}
    assert [document["new"] for _, document in outcomes].count(True) == 1
    shop("ledger", "verify", expect=0)


def test_two_who_begin_a_store_at_once_begin_one(cli: Store) -> None:
    for _ in range(4):
        outcomes = at_once(cli, *[("policy", "list")] * 3)
        assert [code for code, _ in outcomes] == [0, 0, 0], outcomes
        cli("ledger", "verify", expect=0)
        shutil.rmtree(cli.home)
        shutil.rmtree(cli.keys)
