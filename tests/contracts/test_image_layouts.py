"""The contract of ports.images.ImageLayouts, over every adapter; and what only a disk can suffer."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.image_layouts_local import LocalImageLayouts
from lockage.adapters.memory.image_layouts import MemoryImageLayouts
from lockage.base.digest import BlobRef
from lockage.environment.image import InvalidLayout
from lockage.ports import FolderUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.ports.images import ImageLayouts


@pytest.fixture(params=["memory", "local"])
def layouts(request: pytest.FixtureRequest) -> ImageLayouts:
    return MemoryImageLayouts() if request.param == "memory" else LocalImageLayouts()


def test_a_layout_keeps_blobs_of_several_images(layouts: ImageLayouts, tmp_path: Path) -> None:
    one, two = BlobRef.of(b"one" * 1000), BlobRef.of(b"two")
    with layouts.open(tmp_path / "deep" / "image") as layout:
        assert (layout.index, layout.has(one)) == (None, False)
        assert layout.put([b"one"] * 1000) == one
        assert layout.has(one)
        layout.publish(b"{1}")
    with layouts.open(tmp_path / "deep" / "image") as layout:
        assert (layout.index, layout.has(one), layout.has(two)) == (b"{1}", True, False)
        layout.put([b"two"])
        layout.publish(b"{2}")
    with layouts.open(tmp_path / "deep" / "image") as layout:
        assert (layout.index, layout.has(one), layout.has(two)) == (b"{2}", True, True)


def test_what_is_not_published_changes_nothing(layouts: ImageLayouts, tmp_path: Path) -> None:
    with layouts.open(tmp_path / "image") as layout:
        layout.publish(b"{1}")

    def broken() -> Iterator[bytes]:
        yield b"some"
        raise KeyError("it broke")

    with pytest.raises(KeyError), layouts.open(tmp_path / "image") as layout:
        layout.put(broken())
    with layouts.open(tmp_path / "image") as layout:
        assert layout.index == b"{1}"
        assert not layout.has(BlobRef.of(b"some"))


# Only folders and archives on a disk


def test_a_folder_is_a_layout_that_anybody_may_read(tmp_path: Path) -> None:
    with LocalImageLayouts().open(tmp_path / "image") as layout:
        ref = layout.put([b"data"])
        layout.publish(b"{}")
    assert json.loads((tmp_path / "image" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    files = {str(path.relative_to(tmp_path / "image")): path for path in (tmp_path / "image").rglob("*") if path.is_file()}
    assert set(files) == {"oci-layout", "index.json", f"blobs/sha256/{ref.digest}"}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o644}


def test_an_archive_is_the_same_layout_whole_or_not_at_all(tmp_path: Path) -> None:
    def write(name: str, *, break_off: bool = False) -> None:
        with LocalImageLayouts().open(tmp_path / name) as layout:
            for data in (b"b" * 2000, b"a"):
                layout.put([data])
            if break_off:
                raise KeyboardInterrupt
            layout.publish(b"{}")

    write("one.tar")
    write("two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        names = tar.getnames()
    digests = sorted(f"blobs/sha256/{BlobRef.of(data).digest}" for data in (b"b" * 2000, b"a"))
    assert names == ["blobs", "blobs/sha256", *digests, "index.json", "oci-layout"]
    before = (tmp_path / "one.tar").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write("one.tar", break_off=True)
    assert (tmp_path / "one.tar").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.tar", "two.tar"]


def test_what_is_no_layout_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InvalidLayout, match=r"thesis\.tex"), LocalImageLayouts().open(tmp_path):
        pass
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"2.0"}')
    with pytest.raises(InvalidLayout, match="another version"), LocalImageLayouts().open(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oci-layout", "thesis.tex"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file" / "image", tmp_path / "file" / "image.tar"):
        with pytest.raises(FolderUnwritable, match="file/image"), LocalImageLayouts().open(target):
            pass
