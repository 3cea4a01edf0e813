"""A few planted bugs, one for each kind of mitigation, mended together: what is written, that it is proven, and what stays as it was."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Done, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: What a step runs to make `$0`, and the mitigations that are to be found; none: no recipe can mend it.
BUGS = {
    "folder": ("pwd > $0; ls -U parts >> $0", {"own-folder"}),
    "clock": ("date +%Y-%m-%d > $0", {"frozen-clock"}),
    "random": ("python3 -c 'import uuid; print(uuid.uuid4())' > $0", {"fixed-random"}),
    "variables": ("echo ${OMP_NUM_THREADS:-$(nproc)} > $0", {"one-job"}),
    "passes.tar.gz": ("mkdir p; echo x > p/x; tar czf $0 p", {"passes"}),
    "two": ("date -d @1700000000 +%H > $0; umask >> $0", {"time-zone", "umask"}),
    "host": ("uname -n > $0", set()),
}


def step(name: str) -> str:
    run = json.dumps("mkdir made; " + BUGS[name][0].replace("$0", f"made/{name}"))
    return (
        f'\n[step.{name.partition(".")[0]}]  # {name}\nenvironment = "build"\ninputs = ["parts/**"]\nrun = {run}\n'
        f'outputs = ["made/{name}"]\nartifacts = ["made/{name}"]\nstabilize = false\n'
    )


class Fixed:
    """The store in which the bugs were mended, and what the program said of it."""

    def __init__(self, store: Store) -> None:
        parts = store.work / "parts"
        parts.mkdir()
        for name in ("alpha", "beta", "gamma"):
            (parts / name).touch()
        store.recipe("".join(map(step, BUGS)))
        self.store = store
        self.before = (store.work / "lockage.toml").read_text()
        self.done: Done = store("verify", "--fix", "--json")
        self.after = (store.work / "lockage.toml").read_text()
        store.commit("mended")
        self.again: Any = store("verify", "--json", "--no-blame").json  # Any: a document


@pytest.fixture(scope="module")
def fixed(warm: Store, module_path: Path) -> Fixed:
    return Fixed(warm.copy(module_path / "fix"))


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_mended_by_what_is_expected(name: str, fixed: Fixed) -> None:
    mended = {artifact: set(one["mitigations"]) for one in fixed.done.json["fix"]["mended"] for artifact in one["artifacts"]}
    assert mended.get(name, set()) == BUGS[name][1]
    (verdict,) = (verdict for verdict in fixed.again["artifacts"] if verdict["filename"] == name)
    assert (verdict["robust"] == "identical") == bool(BUGS[name][1]), verdict


def test_what_cannot_be_mended_is_told_and_ends_with_4(fixed: Fixed) -> None:
    assert fixed.done.code == 4
    (left,) = fixed.done.json["fix"]["unmended"]
    assert (left["artifact"], left["cause"]) == ("host", "host-name-written")
    assert left["advice"]


def test_every_line_of_the_author_is_still_there(fixed: Fixed) -> None:
    assert fixed.done.json["fix"]["written"] == "lockage.toml"
    assert fixed.done.json["fix"]["recipe"] == fixed.after
    kept = set(fixed.after.splitlines())
    changed = [line for line in fixed.before.splitlines() if line not in kept]
    assert {line.partition(" = ")[0] for line in changed} <= {"run", "stabilize"}
    assert tomllib.loads(fixed.after)["step"]["host"] == tomllib.loads(fixed.before)["step"]["host"]
    assert fixed.after.count("# lockage verify --fix: ") >= len(BUGS) - 1


def test_what_was_mended_is_found_to_be_so(fixed: Fixed) -> None:
    recipe = fixed.after[: fixed.after.index("\n[step.host]")]
    (fixed.store.work / "lockage.toml").write_text(recipe)
    fixed.store.commit("without the host")
    said = fixed.store("verify", "--fix", expect=0)
    assert "mended" not in said.stdout
    assert (fixed.store.work / "lockage.toml").read_text() == recipe


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--fix-to", "x.toml"), "--fix-to says where"),
        (("--fix", "--no-blame"), "--fix needs to know"),
        (("--fix", "--blame-rebuilds", "0"), "--fix needs to know"),
        (("--fix", "--fix-rebuilds", "0"), "--fix-rebuilds"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(cli: Store, options: tuple[str, ...], said: str) -> None:
    assert said in cli("verify", *options, expect=2).stderr
