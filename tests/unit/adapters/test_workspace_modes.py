"""The modes of what is put into a workspace are those that were asked for, whatever this process's umask is and whether it is known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree
from lockage.running.workspace import populate

if TYPE_CHECKING:
    from pathlib import Path

WANTED = {"plain": (0o644, 0o755, 0o755), "shared": (0o664, 0o775, 0o2775), "private": (0o600, 0o700, 0o700)}


@pytest.mark.parametrize("modes", WANTED)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("umask", [0, 0o002, 0o022, 0o077])
def test_the_umask_does_not_show(tmp_path: Path, umask: int, modes: str, *, known: bool) -> None:
    blobs = MemoryBlobs()
    blob = blobs.put(b"content")
    tree = Tree.of([FileNode(RelPath("folder/file"), blob), FileNode(RelPath("folder/program"), blob, executable=True)])
    root, directories = tree.encode()
    blobs.put_many(directories.values())
    before = os.umask(umask)
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        populate(folder, root, blobs, order="sorted", time=1, modes=modes, umask=umask if known else 0o777)
    finally:
        os.close(folder)
        os.umask(before)
    below = tmp_path / "folder"
    assert tuple(path.stat().st_mode & 0o7777 for path in (below / "file", below / "program", below)) == WANTED[modes]
    assert {path.stat().st_mtime for path in (below, below / "file", tmp_path)} == {1}
