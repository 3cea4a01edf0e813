"""Whatever runs beside what, and whatever ends first: the same log, artifacts and exit (docs/scheduling.md)."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from types import ModuleType

RANDOM = st.randoms(use_true_random=False)


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interleavings", Path(__file__).with_name("interleavings.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


interleavings = load()


@given(RANDOM)
@settings(max_examples=60)
def test_a_run_that_keeps_going_comes_to_the_same_in_every_world(rng: random.Random) -> None:
    interleavings.check(interleavings.random_case(rng), rng)


@given(RANDOM)
@settings(max_examples=60)
def test_a_run_that_stops_names_a_failure_and_begins_nothing_after_it(rng: random.Random) -> None:
    interleavings.check_fail_fast(interleavings.random_case(rng), rng)


def test_workers_notice_what_should_not_run_together() -> None:
    """The check itself: two steps with one lock, and more CPUs than there are."""
    rng = random.Random(1)
    one = interleavings.random_case(rng).steps[0]._replace(needs=(), exclusive=("port-1",), pools=(), cpus=4, memory=1)
    for other in (one._replace(name="s1"), one._replace(name="s1", exclusive=(), cpus=5)):
        case = interleavings.Case((one, other), (), frozenset())
        world = interleavings.random_world(rng, case, jobs=6)
        workers = interleavings.SimulatedWorkers(case, world)
        workers.start("s0", lambda: None)
        with pytest.raises(interleavings.Overcommitted):
            workers.start("s1", lambda: None)
