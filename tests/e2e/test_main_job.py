"""What the main job promises beyond one good build: nothing runs twice, order has no meaning, and a lock needs no network."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

#: Nothing listens there.
UNPLUGGED = {"LOCKAGE_DEBIAN_MIRROR": "http://127.0.0.1:9/debian", "LOCKAGE_PYTHON_INDEX": "http://127.0.0.1:9/simple"}

pytestmark = [pytest.mark.network, pytest.mark.sandbox]


def forget_results(store: Store) -> None:
    """Every step must run again."""
    shutil.rmtree(store.home / "actions")


def forget_roots(store: Store) -> None:
    """Every root must be put together again; those of other stores, which a copy shares, stay."""
    roots = store.home / "roots"
    if roots.is_symlink():
        roots.unlink()
    else:
        shutil.rmtree(roots)


def test_a_second_build_runs_nothing(shop: Store, tmp_path: Path) -> None:
    first = shop("build", "--out", tmp_path / "one", "--json", expect=0).json
    forget_roots(shop)  # whatever ran would need one
    second = shop("build", "--out", tmp_path / "two", "--json", expect=0).json
    assert all(step["cached"] for step in second["steps"])
    assert second["artifacts"] == first["artifacts"]
    for artifact in first["artifacts"]:
        assert (tmp_path / "one" / artifact["filename"]).read_bytes() == (tmp_path / "two" / artifact["filename"]).read_bytes()
    assert not list((shop.home / "roots").glob("*")), "a root was put together for nothing"


def test_the_log_is_the_same_however_many_run_at_once(shop: Store, tmp_path: Path) -> None:
    logs, artifacts = [], []
    for jobs in ("1", "2"):
        forget_results(shop)
        built = shop("build", "--out", tmp_path / jobs, "--jobs", jobs, "--json", expect=0).json
        assert not any(step["cached"] for step in built["steps"])
        logs.append(shop("logs", built["run"], expect=0).stdout)
        artifacts.append(built["artifacts"])
    assert logs[0] == logs[1]
    assert "shop-1.2.0" in logs[0]
    assert artifacts[0] == artifacts[1]


def test_a_lock_needs_no_network_once_its_packages_are_kept(shop: Store, tmp_path: Path) -> None:
    expected = shop("build", "--out", tmp_path / "one", "--json", expect=0).json["artifacts"]
    before = (shop.work / "lockage.lock").read_bytes()
    forget_results(shop)
    forget_roots(shop)
    unplugged = dataclasses.replace(shop, settings=UNPLUGGED)
    assert unplugged("lock", "--json", expect=0).json["written"] is False
    assert unplugged("lock", "--check", "--json", expect=0).json["written"] is False
    built = unplugged("build", "--out", tmp_path / "two", "--json", expect=0).json
    assert not any(step["cached"] for step in built["steps"])
    assert built["artifacts"] == expected
    assert (shop.work / "lockage.lock").read_bytes() == before
    refused = unplugged("lock", "--upgrade", "--json")
    assert refused.code == 10, "the settings were not used at all"


def test_up_to_prod_and_back(released: Store, tmp_path: Path) -> None:
    """The way of the demo for one release, in documents."""
    assert released("promote", "shop", "--to", "prod", "--json").code == 5
    for channel in ("dev", "staging", "prod"):
        done = released("promote", "shop", "--to", channel, "--json", expect=0).json
        assert (done["release"], done["generation"], done["changed"]) == ("shop@1.2.0-1", 1, True)
    assert released("promote", "shop", "--to", "prod", "--json", expect=0).json["changed"] is False
    assert released("rollback", "prod", "--json").error["code"] == "nothing-before"
    pulled = released("pull", "prod", "--into", tmp_path / "pulled", "--json", expect=0).json
    for artifact in pulled["artifacts"]:
        assert (tmp_path / "pulled" / artifact["name"]).stat().st_size == artifact["size"]
    assert released("ledger", "verify").code == 0


def test_whoever_runs_it_at_low_priority_can_verify(shop: Store) -> None:
    done = shop.run(["nice", "-n", "10", *shop.command("verify", "--axes", "priority,umask", "--json")])
    assert done.code == 0, done
    assert done.json["axes"] == ["priority", "umask"]
