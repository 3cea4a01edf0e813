"""Modes beat axes: what a mode holds is the same in every world, and nothing else of the world changes."""

import pytest

from lockage.recipe.modes import MODES, Mode
from lockage.variation import AXES, CONTRACT, held, held_axes, vary

EVERYTHING = vary([axis.name for axis in AXES])


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_is_described_and_holds_axes_that_there_are(mode: Mode) -> None:
    facts = MODES[mode]
    assert facts.holds
    assert facts.escapes
    assert facts.danger
    assert set(facts.axes) <= {axis.name for axis in AXES}


@pytest.mark.parametrize("mode", Mode)
def test_a_mode_beats_exactly_its_axes(mode: Mode) -> None:
    others = [axis.name for axis in AXES if axis.name not in MODES[mode].axes]
    assert held(EVERYTHING, [mode]) == held(vary(others), [mode])
    for other in others:
        assert held(vary([other]), [mode]) != held(CONTRACT, [mode]), f"{other} is held still as well"


def test_a_world_without_modes_is_as_it_was() -> None:
    assert held(EVERYTHING, []) is EVERYTHING


def test_an_axis_is_held_only_if_every_step_holds_it() -> None:
    frozen, single = ((Mode.FROZEN_CLOCK,), False), ((Mode.SINGLE_CPU, Mode.FROZEN_CLOCK), False)
    assert held_axes([frozen, single]) == ("clock",)
    assert held_axes([frozen, ((), False)]) == ()
    assert held_axes([]) == ()
    assert held_axes([single]) == ("clock", "cpu-count")


def test_a_step_that_asks_services_has_its_loopback_and_no_proxy_in_between() -> None:
    world = vary(["loopback", "proxy", "second-run"])
    assert held(world, [], services=True) == CONTRACT
    assert held(world, []) is world
    assert held_axes([((), True)]) == ("loopback", "proxy", "second-run")
    assert held_axes([((), True), ((), False)]) == ()
