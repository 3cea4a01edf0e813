"""What a step prints: small logs stay in memory, larger ones go to a file that nobody else sees; both are kept whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.running.log import Log

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.mark.parametrize(
    "pieces",
    [(), (b"one line\n",), (b"a" * MIB,), (b"a" * MIB, b"b"), (b"a", b"b" * (3 * MIB), b"c")],
    ids=["none", "line", "full", "over", "far"],
)
def test_all_that_was_written_is_kept(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    blobs, log = MemoryBlobs(), Log(tmp_path)
    for piece in pieces:
        log.write(piece)
    assert blobs.get(log.keep(blobs)) == b"".join(pieces)
    assert list(tmp_path.iterdir()) == []
    log.close()


def test_a_small_log_needs_no_folder_and_a_large_one_does(tmp_path: Path) -> None:
    log = Log(tmp_path / "nowhere")
    log.write(b"a" * MIB)
    with pytest.raises(FileNotFoundError):
        log.write(b"b")
