"""A layer of an image with a Python of its own in /opt, as images for wheels have theirs, made of Debian's."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CPYTHON = "opt/_internal/cpython-3.11.2"
#: What a recipe names it by.
INTERPRETER = "/opt/python/cp311-cp311/bin/python3"


def in_opt(root: Path) -> bytes:
    """The layer, packed; ``root`` has python3-dev and gives the files. It leaves no Python in /usr/bin.

    Debian's looks for packages in its own folder by another name than others do, which a link makes up for.
    """
    out = io.BytesIO()
    links = {
        f"{CPYTHON}/bin/python3": "python3.11",
        f"{CPYTHON}/lib/python3/dist-packages": "../python3.11/site-packages",
        "opt/python/cp311-cp311": "../_internal/cpython-3.11.2",
    }
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("lib/python3.11", "include/python3.11", "bin/python3.11"):
            tar.add(
                root / "usr" / name, f"{CPYTHON}/{name}", filter=lambda info: None if info.name.endswith("EXTERNALLY-MANAGED") else info
            )
        tar.addfile(tarfile.TarInfo(f"{CPYTHON}/lib/python3.11/site-packages/own.py"))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("usr/bin/.wh.python3"))
    return gzip.compress(out.getvalue(), 1, mtime=0)
