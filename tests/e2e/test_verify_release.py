"""A release verified as a user does it: the action cache gone, HEAD moved, and the work tree full of other things."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]
#: Without copies of the root.
FEW = ("--axes", "priority,umask,hostname")


def test_a_release_is_verified_when_all_but_the_store_has_moved_on(released: Store) -> None:
    title = released("status", "--json", expect=0).json["projects"][0]["releases"][0]
    shutil.rmtree(released.home / "actions")
    (released.work / "pyproject.toml").write_text("[project]\nname = 'shop'\nversion = '9.9'\n")
    (released.work / "src" / "new.py").write_text("import this\n")
    released.commit("everything is other")
    done = released("verify", title, *FEW, "--json", expect=0).json
    assert (done["release"], done["reproduced"], done["robust"]) == (title, "identical", "identical")
    assert done["axes"] == ["priority", "hostname", "umask"]
    assert {artifact["raw"] for artifact in done["artifacts"]} == {None}
    assert 0.7 < done["flaky_at_most"] < 0.8
    said = released("verify", "shop", *FEW, "--rounds", "2", expect=0).stdout
    assert "confidence: with 95 % certainty it differs by itself in at most 52.7% of rebuilds" in said
    assert "not known" in said
    evidence = released("evidence", "list", title, expect=0).stdout
    assert "reproduced: identical, 1 axes" in evidence


def test_what_exists_as_a_path_is_a_source(released: Store, tmp_path: Path) -> None:
    (released.work / "shop").mkdir()
    refused = released("verify", "shop", *FEW, "--json")
    assert refused.code == 2, "the folder is no project"
    assert refused.error["code"] != "no-release"
    assert released("verify", "shop@9.9", "--json", cwd=tmp_path).error["code"] == "no-release"
    assert released("verify", "--source", ".", "--json").error["code"] == "usage"
    nothing = released("verify", "nothing-of-this-name", "--json").error
    assert nothing["exit_code"] == 2
    assert "nothing-of-this-name" in nothing["message"]
