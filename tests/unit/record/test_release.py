"""Release documents and published names."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.canonical import InvalidDocument, canonical
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName, Version
from lockage.record.artifact import Artifact
from lockage.record.release import Release, Unpublishable, artifact_set, close_release, published_name
from lockage.record.source import DirectoryOrigin, Source

SHOP, V = ProjectName("my-shop"), Version("1.4.0")
SOURCE = Source(tree=BlobRef.of(b""), date=Instant(1_700_000_000), version=V, origin=DirectoryOrigin(reason="dirty"))


def artifact(name: str, data: bytes = b"x") -> Artifact:
    return Artifact(name=name, blob=BlobRef.of(data), raw=BlobRef.of(data), content_digest=Digest.of(data), step=StepName("wheel"))


def closing(*artifacts: Artifact, build: int = 1) -> Release:
    return close_release(
        artifacts,
        project=SHOP,
        version=V,
        build=build,
        platform="linux_x86_64",
        source=SOURCE,
        recipe=Digest.of(b"r"),
        lock=Digest.of(b"l"),
    )


@pytest.mark.parametrize(
    ("built", "published"),
    [
        ("my_shop-1.4.0-py3-none-any.whl", "my_shop-1.4.0-py3-none-any.whl"),
        ("dist/my_shop-1.4.0-1-cp311-abi3-manylinux_2_28_x86_64.whl", "my_shop-1.4.0-1-cp311-abi3-manylinux_2_28_x86_64.whl"),
        ("my_shop-1.4.0.tar.gz", "my_shop-1.4.0.tar.gz"),
        ("My.Shop-1.4.zip", "My.Shop-1.4.zip"),
        ("my_shop-1.5.0.tar.gz", "my-shop-1.4.0-7-linux_x86_64-my_shop-1.5.0.tar.gz"),
        ("data.tar.gz", "my-shop-1.4.0-7-linux_x86_64-data.tar.gz"),
        ("other-1.4.0.tar.gz", "my-shop-1.4.0-7-linux_x86_64-other-1.4.0.tar.gz"),
        ("dist/manual (draft).html", "my-shop-1.4.0-7-linux_x86_64-manual_draft_.html"),
        (".hidden", "my-shop-1.4.0-7-linux_x86_64-hidden"),
        ("naïve", "my-shop-1.4.0-7-linux_x86_64-na_ve"),
    ],
)
def test_published_names(built: str, published: str) -> None:
    assert published_name(SHOP, V, 7, "linux_x86_64", built) == published


@pytest.mark.parametrize("built", ["shop.whl", "my shop-1.0-py3-none-any.whl", "a-b-c.whl", "x" * 250])
def test_names_that_cannot_be_published(built: str) -> None:
    with pytest.raises(Unpublishable):
        published_name(SHOP, V, 7, "linux_x86_64", built)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=60).filter(
        lambda name: not name.endswith(".whl")
    )
)
def test_a_published_name_is_safe_everywhere(built: str) -> None:
    name = published_name(SHOP, V, 1, "linux_x86_64", built)
    assert name.isascii()
    assert not set(name) & set(' /\\:*?"<>|')
    assert not name.startswith((".", "-"))


def test_a_release_comes_back_sorted_and_the_same() -> None:
    one, two = artifact("my_shop-1.4.0-py3-none-any.whl", b"w"), artifact("manual.html", b"m")
    release = closing(one, two)
    assert release == closing(two, one)
    assert [item.name for item in release.artifacts] == ["my-shop-1.4.0-1-linux_x86_64-manual.html", "my_shop-1.4.0-py3-none-any.whl"]
    assert Release.decode(release.encode()) == release
    assert release.digest == Digest.of(release.encode())
    assert release.artifacts[1].ref == one.blob


def test_the_artifact_set_is_of_the_artifacts_alone() -> None:
    one, two = artifact("a", b"1"), artifact("b", b"2")
    assert closing(one, two).artifact_set == closing(two, one, build=9).artifact_set
    assert closing(one, two).artifact_set == artifact_set([("b", BlobRef.of(b"2")), ("a", BlobRef.of(b"1"))])
    others = (closing(one), closing(artifact("a", b"2"), artifact("b", b"1")), closing(one, artifact("c", b"2")))
    assert len({closing(one, two).artifact_set, *(other.artifact_set for other in others)}) == 4
    assert artifact_set([("a", BlobRef.of(b"1"))]) == Digest.of(canonical([["a", Digest.of(b"1"), 1]]))


@pytest.mark.parametrize(
    "artifacts",
    [
        (),
        (artifact("a", b"1"), artifact("a", b"2")),
        (artifact("x/manual"), artifact("y/manual")),
        (artifact("Manual"), artifact("manual")),
        (artifact("a b"), artifact("a*b")),
    ],
    ids=["none", "same name", "same basename", "same but for case", "same once made safe"],
)
def test_artifacts_that_cannot_be_told_apart_are_refused(artifacts: tuple[Artifact, ...]) -> None:
    with pytest.raises(Unpublishable):
        closing(*artifacts)


def test_a_document_that_is_not_exactly_a_release_is_refused() -> None:
    release = closing(artifact("a"), artifact("b"))
    data = release.encode()
    for wrong in (
        data + b"\n",
        data.replace(b'"build":1', b'"build":0'),
        data.replace(b"lockage-release/1", b"lockage-release/2"),
        data.replace(b'"build":1,', b'"build":1,"yanked":true,'),
        msgspec.structs.replace(release, artifacts=release.artifacts[::-1]).encode(),
        msgspec.structs.replace(release, artifacts=release.artifacts[:1] * 2).encode(),
        msgspec.structs.replace(release, artifacts=()).encode(),
        msgspec.structs.replace(release, artifacts=(msgspec.structs.replace(release.artifacts[0], name="../x"),)).encode(),
        data.replace(b'"size":1', b'"size":-1'),
        b"{}",
    ):
        assert wrong != data
        with pytest.raises(InvalidDocument):
            Release.decode(wrong)
