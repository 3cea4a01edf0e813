"""The text that Git LFS commits in place of a file (Git LFS specification, "The Pointer")."""

from __future__ import annotations

import re

from lockage.base.digest import BlobRef, Digest

__all__ = ["LEAST", "MOST", "is_pointer", "parse_pointer"]

_VERSION = b"version https://git-lfs.github.com/spec/"
#: No pointer is longer or shorter than this.
MOST = 1023
LEAST = len(_VERSION) + len(b"v1\noid sha256:\nsize 1\n") + 64
# Compiled where a pointer was found. Extensions (ext-0-…) transform contents by programs of the user's, so they are not read.
_FORM = rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n?"


def is_pointer(data: bytes) -> bool:
    """Whether a file has the form of a pointer, be it a sound one or not."""
    return len(data) <= MOST and data.startswith(_VERSION)


def parse_pointer(data: bytes) -> BlobRef | None:
    """What the pointer stands for: LFS names contents by their sha256, as blobs are; None if it cannot be read."""
    found = re.fullmatch(_FORM, data)
    return BlobRef(Digest(found[1].decode()), int(found[2])) if found else None
