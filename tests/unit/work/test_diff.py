"""What of a store can be compared, by which names, and how releases are paired."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.compare.grade import Grade
from lockage.compare.side import FileSide, Incomparable, SetSide, compare_sides
from lockage.work.diff import NothingToCompare, stored_side
from lockage.work.prepare import Project
from lockage.work.release import Closed, release_project

Commit = Callable[..., Project]


@pytest.fixture
def releases(services: MemoryServices, commit: Commit) -> list[Closed]:
    """shop@1.0-1, shop@1.0-2 with other bytes, shop@1.1-1 with the bytes of the first."""
    given = (("1.0", b"one\n"), ("1.0", b"two\n"), ("1.1", b"one\n"))
    return [release_project(services, commit(services, {"src/shop/x.py": text}, version=version)) for version, text in given]


def test_two_builds_of_a_version(services: MemoryServices, releases: list[Closed]) -> None:
    found = compare_sides(stored_side(services, "shop@1.0-1"), stored_side(services, "shop@1.0-2"))
    assert (found.name, found.grade) == ("shop@1.0-1 and shop@1.0-2", Grade.DIFFERENT)
    whole, wheel = found.members
    assert [field.field for field in whole.fields] == ["source", "origin"]
    assert wheel.path == "shop-1.0-py3-none-any.whl"
    assert wheel.nested is not None
    inside = {member.path: member for member in wheel.nested.members}
    assert inside["shop/x.py"].diff[-2:] == ("-one", "+two")
    assert inside["shop-1.0.dist-info/RECORD"].follows


def test_two_versions_are_paired_without_them(services: MemoryServices, releases: list[Closed]) -> None:
    found = compare_sides(stored_side(services, "shop@1.0-1"), stored_side(services, "shop@1.1-1"))
    whole, *members = found.members
    assert ("version", "1.0", "1.1") in {(field.field, field.a, field.b) for field in whole.fields}
    wheel = next(member for member in members if member.path.endswith(".whl"))
    assert (wheel.origin, wheel.path) == ("shop-1.0-py3-none-any.whl", "shop-1.1-py3-none-any.whl")
    assert wheel.nested is not None
    metadata = next(member for member in wheel.nested.members if member.path.endswith("METADATA"))
    assert ("Version", "1.0", "1.1") in {(detail.name, detail.a, detail.b) for detail in metadata.details}


def test_a_release_is_identical_to_itself(services: MemoryServices, releases: list[Closed]) -> None:
    side = stored_side(services, "shop@1.0-1")
    assert isinstance(side, SetSide)
    assert {member.path for member in side.members} == {"shop-1.0-py3-none-any.whl", "lockage.lock"}
    assert compare_sides(side, stored_side(services, releases[0].digest)).grade is Grade.IDENTICAL


def test_a_file_of_a_release_and_an_artifact_by_digest(services: MemoryServices, releases: list[Closed]) -> None:
    artifact = releases[0].release.artifacts[0]
    by_name = stored_side(services, f"shop@1.0-1/{artifact.name}")
    for text in (artifact.sha256, f"sha256:{artifact.sha256}"):
        by_digest = stored_side(services, text)
        assert isinstance(by_digest, FileSide)
        assert isinstance(by_name, FileSide)
        assert by_digest.data == by_name.data
        assert by_digest.name.endswith(".zip")
    assert isinstance(by_name, FileSide)
    assert by_name.name == artifact.name


@pytest.mark.parametrize("text", ["shop@9", "other", "shop@1.0-1/no-such.whl", "0" * 64, "../x"])
def test_what_is_not_in_the_store(services: MemoryServices, releases: list[Closed], text: str) -> None:
    with pytest.raises(NothingToCompare):
        stored_side(services, text)


def test_a_store_without_a_ledger(services: MemoryServices) -> None:
    with pytest.raises(NothingToCompare, match=r"no file or folder.*no ledger"):
        stored_side(services, "shop")


def test_one_and_several(services: MemoryServices, releases: list[Closed]) -> None:
    with pytest.raises(Incomparable, match="one file"):
        compare_sides(stored_side(services, "shop@1.0-1"), FileSide(title="x", name="x", data=b""))
