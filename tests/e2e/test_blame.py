"""A few planted bugs of benchmarks/seeded_bugs.toml, verified together: is the right axis blamed, and the cause called by its name?"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

BUGS = Path(__file__).parents[2] / "benchmarks" / "seeded_bugs.toml"
#: One that the bytes tell, one that they do not, one that differs by itself, one in compiled code, and two axes that interact.
CHOSEN = ("cwd", "ci-decides", "uuid", "compiled-path.so", "pair-user-and-zone")

#: Who writes it, where that is not the shell itself.
PROCESSES = {"uuid": "python3", "compiled-path.so": "ld"}


@pytest.fixture(scope="module")
def verified(warm: Store, module_path: Path) -> Any:  # Any: a document
    store = warm.copy(module_path / "blame")
    bugs = tomllib.loads(BUGS.read_text())
    steps = [
        f'[step.bug-{number}]\nenvironment = "build"\ninputs = ["README.md"]\noutputs = ["made/{name}"]\nartifacts = ["made/{name}"]\n'
        f"run = {json.dumps(f'mkdir made; out=made/{name}; ' + bugs[name]['run'])}\nstabilize = false\n"
        for number, name in enumerate(CHOSEN)
    ]
    store.recipe("\n".join(steps))
    return store("verify", "--json", expect=4).json


@pytest.mark.parametrize("name", CHOSEN)
def test_the_right_one_is_blamed(name: str, verified: Any) -> None:
    bug = tomllib.loads(BUGS.read_text())[name]
    first = next(one for one in verified["blame"] if one["artifact"] == name)
    assert first["axes"] == bug["axes"]
    assert first["step"] == f"bug-{CHOSEN.index(name)}"
    assert first["length"] > 0
    assert first["fix"]
    if "cause" in bug:
        assert first["cause"] == bug["cause"]
    assert first["process"][0].rpartition("/")[2] == PROCESSES.get(name, "sh")
    if name.endswith(".so"):
        assert first["place"].startswith(".rodata")


def test_few_rebuilds_were_needed(verified: Any) -> None:
    assert not verified["blame_exhausted"]
    assert verified["blame_unobserved"] is None
    assert verified["blame_rebuilds"] <= 45
