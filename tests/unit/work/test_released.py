"""Verification of a release over fakes: from what it names, wherever the head is now, and compared with what was released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory import MemoryActionCache, MemoryMemo
from lockage.adapters.memory.packages import make_wheel
from lockage.base.errors import ExitCode
from lockage.base.tree import FileNode, read_tree
from lockage.compare.grade import Grade
from lockage.evidence.predicate import REPRODUCTION
from lockage.variation import Claim
from lockage.work.book import Book
from lockage.work.release import NoRelease, find_release, release_project
from lockage.work.released import ReleaseInputDiffers, ReleaseInputMissing, built_of_release, release_meant
from lockage.work.verify import Verification, verify_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.memory.executor import Workspace
    from lockage.adapters.memory.services import MemoryServices
    from lockage.catalog.model import ReleaseRecord
    from lockage.record.release import Release
    from lockage.work.prepare import Project

    Commit = Callable[..., Project]


def record(services: MemoryServices, name: str = "shop") -> ReleaseRecord:
    return find_release(Book.open(services, make=False).catalog, name)


def verified(services: MemoryServices, name: str = "shop", **more: object) -> Verification:
    plan, built = built_of_release(services, record(services, name), **more)  # type: ignore[arg-type]  # as the test says
    return verify_release(services, plan, built, blaming=30)


@pytest.fixture
def release(services: MemoryServices, commit: Commit) -> Release:
    """A release of which nothing is left but blobs and ledger, and a head that has moved."""
    made = release_project(services, commit(services)).release
    commit(services, {"src/later": b"", "lockage.lock": b"gone"}, version="2.0")
    services.cache = MemoryActionCache()
    services.memo = MemoryMemo()
    return made


def test_a_release_is_rebuilt_from_what_it_names(services: MemoryServices, release: Release) -> None:
    before = len(services.ledger.data)
    found = verified(services)
    assert found.identical
    assert [verdict.sha256[0] for verdict in found.artifacts] == [item.sha256 for item in release.artifacts]
    assert {round_.claim for round_ in found.rounds} == set(Claim)
    assert found.artifacts[0].raw is None, "what the steps wrote before their passes is not known of a release"
    known = Book.open(services, make=False).catalog.evidence(release.artifacts[0].sha256)
    assert [each.predicate for each in known].count(REPRODUCTION) == 2
    assert len(services.ledger.data) > before


def test_what_is_compared_is_what_was_released(services: MemoryServices, release: Release) -> None:
    """A build that is stable now, but other than it was when it was released, is not reproduced."""

    def other(workspace: Workspace) -> int:
        workspace.write("dist/shop-1.0-py3-none-any.whl", make_wheel("shop", {"shop/__init__.py": b"other"}, version="1.0"))
        return 0

    services.commands["wheel"] = other
    found = verified(services)
    assert (found.reproduced, found.robust) == (Grade.DIFFERENT, Grade.DIFFERENT)
    assert found.blamed is not None
    assert {(one.axes, one.step) for one in found.blamed.found} == {((), None)}


def test_the_recipe_is_remembered_or_read_from_the_source_again(services: MemoryServices, commit: Commit) -> None:
    release_project(services, commit(services))
    assert built_of_release(services, record(services))[0].recipe == built_of_release(services, record(services))[0].recipe
    services.memo = MemoryMemo()
    assert verified(services).identical


def test_a_source_that_is_gone_is_asked_for_and_taken_only_if_it_is_the_same(
    services: MemoryServices, commit: Commit, release: Release
) -> None:
    lost = next(
        node
        for node in read_tree(release.source.tree, services.blobs.get)
        if isinstance(node, FileNode) and node.path.name == "__init__.py"
    )
    del services.blobs.data[lost.blob.digest]
    with pytest.raises(ReleaseInputMissing, match=r"__init__\.py of the source of shop@1\.0-1") as caught:
        verified(services)
    assert caught.value.exit_code is ExitCode.INTEGRITY
    with pytest.raises(ReleaseInputDiffers, match="is not the source"):
        verified(services, source="shop")
    commit(services, locator="again")
    assert verified(services, source="again").identical


def test_the_tree_itself_can_be_gone(services: MemoryServices, commit: Commit, release: Release) -> None:
    del services.blobs.data[release.source.tree.digest]
    with pytest.raises(ReleaseInputMissing, match=r"the source of shop@1\.0-1 is not in the store"):
        verified(services)


def test_a_lock_that_is_gone_is_asked_for_and_taken_only_if_it_is_the_same(services: MemoryServices, release: Release) -> None:
    lock = services.blobs.data.pop(release.lock)
    with pytest.raises(ReleaseInputMissing, match=r"lockage\.lock of the source"):
        verified(services)
    with pytest.raises(ReleaseInputDiffers, match="another lock"):
        verified(services, lock=lock + b" ")
    assert verified(services, lock=lock).identical


def test_a_name_means_a_release_only_if_there_is_one(services: MemoryServices, commit: Commit) -> None:
    assert release_meant(services, "shop") is None, "there is no store yet"
    release_project(services, commit(services))
    assert release_meant(services, "shop") == record(services)
    assert release_meant(services, "shop@1.0-1") == record(services)
    assert release_meant(services, "no such folder") is None
    assert release_meant(services, "other@1.0") is None
    with pytest.raises(NoRelease, match="the newest of shop are"):
        release_meant(services, "shop@9.9")
