"""Files of a store and of folders of results are what they were."""

import os
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.echo.kept import holds_files, settled_folder, there, unchanged


def listed(refs: list[BlobRef]) -> tuple[bytes, bytes]:
    return b"".join(ref.digest.raw for ref in refs), array("Q", [ref.size for ref in refs]).tobytes()


def cut_off(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def write_again(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    copy.replace(path)


@pytest.mark.parametrize("act", [cut_off, write_again, os.utime])
def test_a_blob_that_is_not_as_its_witness_says_is_seen(tmp_path: Path, act: Callable[[Path], object]) -> None:
    blobs = LocalBlobs(tmp_path)
    refs = blobs.put_many([b"one", b"two", b"three"])
    witness = blobs.vouch(refs, b"")
    assert witness is not None
    objects, facts = str(tmp_path / "sha256"), witness[32 : 32 + 16 * len(refs)]
    assert unchanged(objects, *listed(refs), facts)
    assert there(objects, *listed(refs), sized=True)
    act(tmp_path / "sha256" / refs[1].digest[:2] / refs[1].digest[2:])
    assert not unchanged(objects, *listed(refs), facts)
    assert there(objects, *listed(refs), sized=True) == (act is not cut_off)


def test_a_blob_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    refs = [BlobRef.of(b"never put")]
    with pytest.raises(FileNotFoundError):
        unchanged(str(tmp_path), *listed(refs), array("Q", [1, 1]).tobytes())
    with pytest.raises(FileNotFoundError):
        there(str(tmp_path), *listed(refs), sized=True)


def test_lists_that_do_not_fit_are_no_answer(tmp_path: Path) -> None:
    names, sizes = listed([])
    assert unchanged(str(tmp_path), names, sizes, b"")
    assert not unchanged(str(tmp_path), bytes(32), sizes, b"")
    with pytest.raises(ValueError, match="shorter"):
        unchanged(str(tmp_path), names, array("Q", [1]).tobytes(), b"")


def test_results_of_actions_have_their_size_in_their_name(tmp_path: Path) -> None:
    action = BlobRef.of(b"action")
    (tmp_path / action.digest[:2]).mkdir()
    assert not there(str(tmp_path), *listed([action]), sized=False)
    (tmp_path / action.digest[:2] / f"{action.digest[2:]}-{action.size}").touch()
    assert there(str(tmp_path), *listed([action]), sized=False)


def test_files_are_held_with_their_bytes_and_not_by_way_of_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    digest = Digest.of(b"x").raw
    assert holds_files([(str(tmp_path / "file"), digest)])
    assert not holds_files([(str(tmp_path / "file"), bytes(32))])
    assert not holds_files([(str(tmp_path / "link"), digest)])
    with pytest.raises(FileNotFoundError):
        holds_files([(str(tmp_path / "none"), digest)])


def test_a_folder_with_results_that_may_not_be_durable_is_not_settled(tmp_path: Path) -> None:
    assert not settled_folder(str(tmp_path))
    (tmp_path / "a").touch()
    assert settled_folder(str(tmp_path))
    (tmp_path / ".lockage").mkdir()
    assert not settled_folder(str(tmp_path))
