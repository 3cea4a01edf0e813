"""What the root of an image has beyond the image, so that a step can run in it as in any other root.

Nothing that an image brings is changed. Added, where nothing is, are the folders and files that the sandbox puts its own over, what tells
compilers to map the build path away, and what fixes Python's names of temporary files (see :mod:`rules`, which these tables are part of:
they never change within a realiser). The links, alternatives, certificates and dpkg's status of an image are its maker's affair.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root.assembling import with_parents
from lockage.environment.root.entry import Entry, Kind, directory
from lockage.environment.root.rules import COMPILER_SPECS, FILES, PYTHON_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.environment.root.assembling import Entries

__all__ = ["fitted"]

_FOLDERS: tuple[tuple[str, int], ...] = (
    ("build", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("home/builder", 0o755),
    ("proc", 0o755),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/local", 0o755),
    ("var", 0o755),
    ("var/tmp", 0o1777),
)
#: Those of FILES that the sandbox has its own of, or that compilers read.
_FILES = ("compiler-options", "group", "hostname", "hosts", "machine-id", "nsswitch.conf", "passwd", "resolv.conf")
#: As COMPILERS has it, but below any folder: images have compilers in /opt as well.
_COMPILERS = re.compile(r"((?:[^/]+/)*usr/(?:local/)?)lib(?:exec)?/gcc/([^/]+/[^/]+)/(?:cc1|cc1plus|f951)")
_SITE = re.compile(r"(?:[^/]+/)*lib/python3(?:\.[0-9]+/site-packages|/dist-packages)")


def fitted(entries: Entries) -> dict[RelPath, bytes]:
    """Add to the ``entries`` of an image what its root needs, and return the bytes of the files added."""
    added: dict[RelPath, bytes] = {}
    for text, mode in _FOLDERS:
        path = RelPath(text)
        if _free(entries, path):
            entries[path] = directory(path, mode)
    for path, data in _files(entries):
        if _free(entries, path):
            added[path] = data
            entries[path] = Entry(path=path, kind=Kind.FILE, mode=0o644, size=len(data), sha256=Digest.of(data))
    with_parents(entries)
    return added


def _free(entries: Entries, path: RelPath) -> bool:
    """Whether nothing is at a path, and nothing but folders above it."""
    if path in entries:
        return False
    above = path.parent
    while above is not None:
        if above in entries:
            return entries[above].kind is Kind.DIRECTORY
        above = above.parent
    return True


def _files(entries: Entries) -> Iterator[tuple[RelPath, bytes]]:
    for name in _FILES:
        yield RelPath(f"etc/{name}"), FILES[f"etc/{name}"].encode()
    compilers = {(found[1], found[2]) for path in entries if (found := _COMPILERS.fullmatch(path))}
    for prefix, compiler in sorted(compilers):
        yield RelPath(f"{prefix}lib/gcc/{compiler}/specs"), COMPILER_SPECS.encode()
    sites = sorted(path for path, entry in entries.items() if entry.kind is Kind.DIRECTORY and _SITE.fullmatch(path))
    for site in sites:
        for text, content in PYTHON_FILES.items():
            yield site.joined(RelPath(text).name), content.encode()
