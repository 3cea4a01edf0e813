"""A command's key holds all that it sees beside files; the store is where the whole program has it."""

import io
from pathlib import Path

import pytest

from lockage.echo.command import key_of, store_folder
from lockage.wiring import SETTINGS
from lockage.wiring.places import Places

STREAMS = (io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "ascii"))
OF_TERMINALS = ("NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "FORCE_COLOR", "TERM", "COLUMNS", "GITHUB_ACTIONS", "GITLAB_CI")
OF_PLACES = (
    "HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "PATH",
    "GIT_CONFIG_GLOBAL",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "LC_ALL",
    "LANG",
)


@pytest.mark.parametrize("name", [*(setting.name for setting in SETTINGS), *OF_TERMINALS, *OF_PLACES])
def test_every_variable_that_counts_is_in_the_key(name: str) -> None:
    assert key_of(["build"], "/here", {name: "1"}, STREAMS) != key_of(["build"], "/here", {}, STREAMS)
    assert key_of(["build"], "/here", {name: "1"}, STREAMS) != key_of(["build"], "/here", {name: "2"}, STREAMS)


def test_other_variables_are_not() -> None:
    assert key_of(["build"], "/here", {"SHLVL": "1"}, STREAMS) == key_of(["build"], "/here", {}, STREAMS)


def test_words_the_folder_and_what_is_printed_to_are_in_it() -> None:
    keys = {
        key_of(["build"], "/here", {}, STREAMS),
        key_of(["build", "."], "/here", {}, STREAMS),
        key_of(["build", "", "."], "/here", {}, STREAMS),
        key_of(["build"], "/there", {}, STREAMS),
        key_of(["build"], "/here", {}, STREAMS[::-1]),
    }
    assert len(keys) == 5


@pytest.mark.parametrize(
    "environ",
    [
        {"LOCKAGE_HOME": "/a/../b", "HOME": "/h"},
        {"LOCKAGE_HOME": "", "XDG_DATA_HOME": "/data", "HOME": "/h"},
        {"XDG_DATA_HOME": "relative", "HOME": "/h"},
        {"XDG_DATA_HOME": "", "HOME": "/h"},
        {"HOME": "/h"},
    ],
)
def test_the_store_is_where_the_whole_program_has_it(environ: dict[str, str]) -> None:
    found = store_folder(environ)
    assert found is not None
    assert Path(found) == Places(environ).store


def test_a_store_beside_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_folder({"LOCKAGE_HOME": "store"}) == "store"
    assert Places({"LOCKAGE_HOME": "store"}).store == tmp_path / "store"


def test_without_any_of_them_it_is_for_the_whole_program_to_say() -> None:
    assert store_folder({"HOME": ""}) is None
