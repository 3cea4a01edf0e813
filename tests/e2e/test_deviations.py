"""Deviations, from the machine to a refusal: what is recorded of this host is signed, shown, and refused by a policy that lists it."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from lockage.record.host import HostFact

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

NOTE = """
[step.note]
environment = "build"
inputs = ["README.md"]
run = "cp README.md note.txt"
outputs = ["note.txt"]
artifacts = ["note.txt"]
"""


def apply(store: Store, channel: str, *refused: str, also: str = "[]") -> None:
    gate = f'[[gates]]\ngate = "deviations"\nrefuse = {json.dumps(refused)}\nalso = {also}\n'
    (store.work.parent / "policy.toml").write_text(f'channel = "{channel}"\n{gate}')
    store("policy", "apply", "../policy.toml", "--json", expect=0)


def reasons(store: Store, channel: str) -> list[str]:
    """Why a promotion was refused."""
    error = store("promote", "shop", "--to", channel, "--json", expect=5).error
    assert error["code"] == "promotion-refused"
    found: list[str] = error["details"]["reasons"]
    return found


@pytest.fixture
def noted(shop: Store) -> Store:
    """A release of one step that this machine has just executed."""
    shop.recipe(NOTE)
    shop("release", "--json", expect=0)
    return shop


def test_a_policy_refuses_this_machine_and_another_takes_it(noted: Store) -> None:
    run: dict[str, Any] = noted("show", "--json", expect=0).json["run"]
    host = run["host"]
    assert set(host) <= set(HostFact)
    kernel, disk = os.uname().release, host["store-file-system"]
    assert host["kernel"] == kernel
    version = re.search(r"[0-9]+(\.[0-9]+)*", kernel)
    assert version is not None
    apply(noted, "staging", f"kernel <= {version[0]}", f"store-file-system = {disk}")
    (reason,) = reasons(noted, "staging")
    again = "execute it on another machine (`lockage build --reexecute 100%` in the same store)"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[host["machine"]]
    who = reason.partition("(told by ")[2].partition(")")[0]
    assert reason == (
        f"deviations: shop-1.2.0-1-linux_{machine}-note.txt: "
        f"`kernel <= {version[0]}` is refused, and what executed note in {run['run']} has kernel {kernel};"
        f" `store-file-system = {disk}` is refused, and what executed note in {run['run']} has store-file-system {disk} (told by {who})."
        f" To mend it, {again}; then promote again, or change the policy of staging"
    )
    apply(
        noted, "staging", f"kernel < {version[0]}", f"store-file-system != {disk}", "stale-suite", "retried-step", "cpu-features lacks fpu"
    )
    assert noted("promote", "shop", "--to", "staging", "--json", expect=0).json["changed"] is True


def test_tests_and_rebuilds_are_asked_where_a_policy_says_so(noted: Store) -> None:
    noted("test", "--json", expect=0)
    noted("verify", "--axes", "priority", "--json", expect=0)
    apply(noted, "staging", "kernel != *", also='["tests", "rebuilds"]')
    assert noted("promote", "shop", "--to", "staging", "--json", expect=0).json["changed"] is True
    apply(noted, "prod", "stale-suite", "system != Windows", also='["rebuilds"]')
    assert "`system != Windows` is refused, and what executed note in run-" in reasons(noted, "prod")[0]
