"""What `lockage lock` refuses to be asked, and how it reads a date."""

import json

import pytest

from lockage.base.errors import Usage
from lockage.base.instant import Instant
from lockage.cli.app import run
from lockage.cli.lock import read_arguments, read_date

NOW = Instant.parse("2026-11-27T12:00:00Z")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--upgrade", "--upgrade-package", "dash"), "--upgrade without names moves everything"),
        (("--check", "--upgrade-package", "dash"), "--check changes nothing, and an upgrade does"),
        (("--check", "--upgrade", "dash"), "--check changes nothing, and an upgrade does"),
        (("shop", "till"), "one source is locked at a time"),
        (("--upgrade", "./shop", "dash", "./till"), "these are 2: ./shop, ./till"),
        (("--check", "--as-of", "2026-01-01"), "--check changes nothing, and --as-of does"),
        (("--as-of", "2026-01-01", "--upgrade-package", "dash"), "--as-of resolves every Python package anew"),
        (("--as-of", "yesterday"), "neither a day nor a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_asked_is_said(options: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lock", *options, "--json"]) == 2
    assert says in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "upgrade", "source", "named"),
    [
        ((), False, ".", ()),
        ((), True, ".", ()),
        (("shop",), False, "shop", ()),
        (("shop",), True, ".", ("shop",)),
        (("./shop",), True, "./shop", ()),
        (("libstdc++6", "./shop", "ruamel.yaml", "zope_interface"), True, "./shop", ("libstdc++6", "ruamel.yaml", "zope_interface")),
        (("shop-1.0.tar.gz",), True, "shop-1.0.tar.gz", ()),
        (("https://example.org/shop", "dash"), True, "https://example.org/shop", ("dash",)),
        ((".@v1",), True, ".@v1", ()),
    ],
)
def test_after_upgrade_names_are_those_of_packages(arguments: tuple[str, ...], upgrade: bool, source: str, named: tuple[str, ...]) -> None:
    assert read_arguments(arguments, upgrade=upgrade) == (source, named)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-28", "2026-03-01T00:00:00Z"),
        ("2026-11-26", "2026-11-27T00:00:00Z"),
        ("2026-11-27T12:00:00Z", "2026-11-27T12:00:00Z"),
        ("2026-11-27T12:00:00+02:00", "2026-11-27T10:00:00Z"),
        ("2026-11-27T09:30:15.75Z", "2026-11-27T09:30:15Z"),
    ],
)
def test_a_day_is_meant_to_its_end_and_a_time_as_it_is(text: str, moment: str) -> None:
    assert read_date(text, NOW) == Instant.parse(moment)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-11-27", "not over yet"),
        ("2026-11-27T12:00:01Z", "not over yet"),
        ("2027-01-01", "not over yet"),
        ("9999-12-31", "not over yet"),
        ("2026-02-30", "neither"),
        ("2026-13-01", "neither"),
        ("20260101", "neither"),
        ("2026-W01-1", "neither"),
        ("2026-01-01T00:00:00", "neither"),
        ("2026-01-01 00:00:00Z", "neither"),
        ("2026-01-01T25:00:00Z", "neither"),
        ("", "neither"),
        ("7 days", "neither"),
    ],
)
def test_a_date_that_is_none_or_is_to_come_is_refused(text: str, says: str) -> None:
    with pytest.raises(Usage, match=says):
        read_date(text, NOW)
