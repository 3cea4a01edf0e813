"""Which version a source has."""

from __future__ import annotations

import pytest

from lockage.base.name import Version
from lockage.recipe.model import VersionFrom
from lockage.record.version import (
    NoVersion,
    VersionCandidates,
    described_version,
    metadata_fields,
    pyproject_version,
    sdist_stem,
    tag_version,
    unnamed_version,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.2.3", "1.2.3"),
        ("1.2", "1.2"),
        ("V2024.1", "2024.1"),
        ("v1.0rc1", "1.0rc1"),
        ("v1.0-rc.1", "1.0rc1"),
        ("1.0-beta2", "1.0b2"),
        ("1.0alpha", "1.0a0"),
        ("1.0.post1", "1.0.post1"),
        ("1.0.dev3", "1.0.dev3"),
        ("v1x", None),
        ("release", None),
        ("1.0+local", None),
        ("v", None),
    ],
)
def test_the_version_that_a_tag_names(tag: str, version: str | None) -> None:
    assert tag_version(tag) == version


@pytest.mark.parametrize(
    ("tag", "distance", "dirty", "version"),
    [
        ("v1.2.3", 0, False, "1.2.3"),
        ("v1.2.3", 4, False, "1.2.4.dev4+g012345678"),
        ("v1.2.3", 0, True, "1.2.4.dev0+g012345678.dirty"),
        ("1.9", 1, False, "1.10.dev1+g012345678"),
        ("1.0rc1", 2, False, "1.0rc2.dev2+g012345678"),
        ("1.0.post1", 2, False, "1.0.post2.dev2+g012345678"),
        ("1.0.dev0", 2, False, "1.0.dev2+g012345678"),
        ("odd", 2, False, None),
    ],
)
def test_the_version_of_a_commit_after_a_tag(tag: str, distance: int, dirty: bool, version: str | None) -> None:
    assert described_version(tag, distance, COMMIT, dirty=dirty) == version


def test_the_version_of_a_commit_without_tags() -> None:
    assert unnamed_version(COMMIT) == "0+g012345678"
    assert unnamed_version(COMMIT, dirty=True) == "0+g012345678.dirty"


def test_the_rule_chooses() -> None:
    every = VersionCandidates(pyproject=Version("1"), metadata=Version("2"), tag=Version("3"), fallback=Version("4"))
    assert every.choose() == "1"
    assert every.choose(VersionFrom(rule="pyproject")) == "1"
    assert every.choose(VersionFrom(rule="tag")) == "3"
    assert every.choose(VersionFrom(rule="literal", literal="9")) == "9"
    assert VersionCandidates(tag=Version("3"), fallback=Version("4")).choose() == "3"
    assert VersionCandidates(fallback=Version("4")).choose() == "4"
    assert VersionCandidates(metadata=Version("2")).choose(VersionFrom(rule="tag")) == "2", (
        "an sdist carries the tag's version in its metadata"
    )


def test_no_version_is_invented_for_a_rule_that_asks_for_a_tag() -> None:
    with pytest.raises(NoVersion):
        VersionCandidates(pyproject=Version("1"), fallback=Version("4")).choose(VersionFrom(rule="tag"))
    with pytest.raises(NoVersion):
        VersionCandidates().choose()


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (b'[project]\nversion = "1.2"\n', "1.2"),
        (b'[project]\nname = "a"\ndynamic = ["version"]\n', None),
        (b"[tool.x]\n", None),
        (b"project = 1\n", None),
        (b"[project]\nversion = 1\n", None),
        (b'[project]\nversion = "not a version"\n', None),
        (b"not toml", None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_the_version_of_pyproject(data: bytes | None, version: str | None) -> None:
    assert pyproject_version(data) == version


def test_metadata_is_read_up_to_its_body() -> None:
    assert metadata_fields(b"Metadata-Version: 2.1\r\nName: Foo.Bar\r\nVersion: 1.0\r\n\r\nName: x\r\n") == ("foo-bar", "1.0")
    assert metadata_fields(b"Summary: x\n") == (None, None)
    assert metadata_fields(b"\xff\xfe") == (None, None)


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("shop-1.0.tar.gz", ("shop", "1.0")),
        ("my-old-shop-1.0.zip", ("my-old-shop", "1.0")),
        ("my_shop-1.0.TAR.GZ", ("my-shop", "1.0")),
        ("shop.tar.gz", (None, None)),
        ("shop-1.0.whl", (None, None)),
    ],
)
def test_what_a_file_name_says(file: str, found: tuple[str | None, str | None]) -> None:
    assert sdist_stem(file) == found
