"""Modes in real sandboxes: what each holds is the same whatever verify varies, and differs without it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lockage.recipe.modes import Mode

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

_PYTHON = "import os, random, secrets, time, uuid; print"
#: What each mode holds, as a command that prints it.
HOLDS = {
    Mode.FROZEN_CLOCK: [
        "date +%s",
        f"python3 -c '{_PYTHON}(time.time(), time.localtime().tm_year > 1970)'",
        """printf 'const char *when = __DATE__ __TIME__;' > d.c && env -u SOURCE_DATE_EPOCH TZ=UTC gcc -c -o d.o d.c && sha256sum d.o""",
        "gcc -c -o x.o x.c && ar rcUS x.a x.o && head -c 36 x.a | tail -c 12",
    ],
    Mode.SINGLE_CPU: ["env -u OMP_NUM_THREADS nproc", f"python3 -c '{_PYTHON}(os.cpu_count(), len(os.sched_getaffinity(0)))'"],
    Mode.FIXED_ADDRESSES: [f"python3 -c '{_PYTHON}(object())'"],
    Mode.FIXED_PIDS: [f"(true & wait; sleep 0.0$(date +%N | cut -c1) & true; python3 -c '{_PYTHON}(os.getpid())')"],
    Mode.FIXED_RANDOM: [
        f"python3 -c '{_PYTHON}(os.urandom(8).hex(), uuid.uuid4(), random.random(), secrets.token_hex())'",
        "head -c 8 /dev/urandom | od -x",
        "head -c 8 /dev/random | od -x",
    ],
}


def step(name: str, mode: Mode, modes: str) -> str:
    run = f"mkdir {name}; echo 'int x;' > x.c; " + "; ".join(f"{command} >> {name}/{name}" for command in HOLDS[mode])
    return (
        f'[step.{name}]\nenvironment = "build"\ninputs = ["README.md"]\nrun = {json.dumps(run)}\n'
        f'outputs = ["{name}"]\nartifacts = ["{name}/*"]\n{modes}\n'
    )


@pytest.fixture(scope="module")
def verified(warm: Store, module_path: Path) -> dict[str, Any]:  # Any: a document
    store = warm.copy(module_path / "modes")
    steps = "".join(step(mode, mode, f'modes = ["{mode}"]') + step(f"no-{mode}", mode, "") for mode in Mode)
    store.recipe(steps)
    found: dict[str, Any] = store("verify", "--json", "--no-blame", expect=4).json
    assert found["failures"] == [], found["last_lines"]
    return found


def grade(verified: dict[str, Any], name: str) -> str:
    """The robust grade; of addresses the other one: another locale and the library that moves the clock take addresses themselves."""
    (verdict,) = (artifact for artifact in verified["artifacts"] if artifact["filename"] == name)
    return str(verdict["reproduced" if Mode.FIXED_ADDRESSES in name else "robust"])


@pytest.mark.parametrize("mode", Mode)
def test_a_mode_holds_in_every_world(mode: Mode, verified: dict[str, Any]) -> None:
    assert grade(verified, mode) == "identical"


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.FIXED_PIDS])
def test_without_it_the_same_differs(mode: Mode, verified: dict[str, Any]) -> None:
    assert grade(verified, f"no-{mode}") == "different"


def test_what_is_held_still_is_told(verified: dict[str, Any]) -> None:
    assert verified["held"] == {"frozen-clock": ["clock"], "single-cpu": ["cpu-count"], "fixed-addresses": ["address-layout"]}
    assert "clock" in verified["axes"], "steps without the mode are varied"


def test_an_axis_that_no_step_is_varied_in_is_not_counted_as_proven(shop: Store) -> None:
    shop.recipe(step("frozen-clock", Mode.FROZEN_CLOCK, 'modes = ["frozen-clock"]'))
    found = shop("verify", "--json", "--axes", "clock,user", expect=0).json
    assert found["axes"] == ["user"]
    assert found["unavailable"] == ["clock", "clock=next-month"]
    assert set(found["unavailable_because"].values()) == {"a mode holds it still"}


def test_the_clock_stands_at_the_sources_date_if_the_step_is_stamped(shop: Store) -> None:
    shop.recipe(
        '[step.a]\nenvironment = "build"\nstamp = ["date"]\nmodes = ["frozen-clock"]\noutputs = ["a"]\nartifacts = ["a"]\n'
        'run = "date +%s > a; echo $SOURCE_DATE_EPOCH >> a"\n'
    )
    shop("build", expect=0)
    now, date = (shop.work / "dist" / "a").read_text().split()
    assert now == date == shop.git("log", "-1", "--format=%ct")


def test_an_environment_without_libfaketime_cannot_hold_it(shop: Store) -> None:
    lock = json.loads((shop.work / "lockage.lock").read_text())
    lock["environments"]["build"]["instruments"] = []
    (shop.work / "lockage.lock").write_text(json.dumps(lock))
    shop.recipe(step("frozen-clock", Mode.FROZEN_CLOCK, 'modes = ["frozen-clock"]'))
    error = shop("build", "--json", expect=8).error
    assert error["code"] == "mode-unavailable"
    assert "libfaketime" in error["message"]
