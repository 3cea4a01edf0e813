"""What a failed step left, copied for its author to look at."""

import os
import stat
from pathlib import Path

import pytest

from lockage.ports import KEPT_MARK, FolderUnwritable
from lockage.running.keep import keep_workspace


def keep(workspace: Path, folder: Path) -> None:
    descriptor = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY)
    try:
        keep_workspace(descriptor, folder)
    finally:
        os.close(descriptor)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_bytes(b"content")
    (folder / "tool").write_bytes(b"#!")
    (folder / "tool").chmod(0o755)
    (folder / "link").symlink_to("/etc/passwd")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")).write_bytes(b"latin")
    return folder


def test_everything_is_copied_as_it_was(workspace: Path, tmp_path: Path) -> None:
    kept = tmp_path / "failed" / "step"
    keep(workspace, kept)
    assert (kept / "deep" / "er" / "file").read_bytes() == b"content"
    assert stat.S_IMODE((kept / "tool").stat().st_mode) == 0o755
    assert str((kept / "link").readlink()) == "/etc/passwd"
    assert sorted(os.listdir(os.fsencode(kept))) == [b"caf\xe9", b"deep", b"link", b"tool"]  # noqa: PTH208 (names that are not UTF-8)
    assert (tmp_path / "failed" / KEPT_MARK).is_file()
    assert (tmp_path / "failed" / ".gitignore").read_text() == "*\n"


def test_what_a_step_made_unreadable_or_special_does_no_harm(workspace: Path, tmp_path: Path) -> None:
    os.mkfifo(workspace / "pipe")
    (workspace / "tool").chmod(0)
    (workspace / "deep").chmod(0)
    kept = tmp_path / "failed" / "step"
    keep(workspace, kept)
    assert (kept / "tool").read_bytes() == b"#!"
    assert (kept / "deep" / "er" / "file").exists()
    assert not (kept / "pipe").exists()


def test_an_earlier_failure_makes_room(workspace: Path, tmp_path: Path) -> None:
    kept = tmp_path / "failed" / "step"
    keep(workspace, kept)
    (kept / "left").write_bytes(b"over")
    (workspace / "tool").unlink()
    keep(workspace, kept)
    assert not (kept / "left").exists()
    assert not (kept / "tool").exists()
    assert sorted(path.name for path in kept.parent.iterdir()) == [".gitignore", KEPT_MARK, "step"]


def test_where_nothing_can_be_written_the_error_names_the_folder(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "failed").write_bytes(b"a file")
    with pytest.raises(FolderUnwritable, match="failed"):
        keep(workspace, tmp_path / "failed" / "step")
