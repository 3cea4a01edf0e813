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

    from tests.crash.disk import Image

Lived = tuple[Stage, Disk, list[Told]]


@pytest.fixture(scope="session")
def _lived() -> Iterator[tuple[Lived, Image]]:
    with made_stage() as stage:
        begun = Disk(stage.watched)
        disk = deepcopy(begun)
        story = record(stage, disk)
        yield (stage, begun, story), disk.now()


@pytest.fixture
def lived(_lived: tuple[Lived, Image]) -> Lived:
    """The stage as it is after the story, its disk before it, and the story."""
    (stage, begun, story), end = _lived
    stage.show(end)
    stage.check_out(story[-1].commit)
    return stage, deepcopy(begun), story


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stage on which nothing has happened."""
    with made_stage() as fresh:
        yield fresh
