"""One story for all tests of a process, and what its disk held before it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from tests.crash.disk import Disk
from tests.crash.stage import Stage, made_stage
from tests.crash.story import Told, record

if TYPE_CHECKING:
    from collections.abc import Iterator

Lived = tuple[Stage, Disk, list[Told]]


@pytest.fixture(scope="session")
def _lived() -> Iterator[Lived]:
    with made_stage() as stage:
        begun = Disk(stage.watched)
        yield stage, begun, record(stage, deepcopy(begun))


@pytest.fixture
def lived(_lived: Lived) -> Lived:
    """The stage, its disk before the story, and the story."""
    stage, begun, story = _lived
    return stage, deepcopy(begun), story


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stage on which nothing has happened."""
    with made_stage() as fresh:
        yield fresh
