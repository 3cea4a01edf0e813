"""What a lock file offers to who begins a recipe: which of its groups or extras hold what tests need."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from lockage.base.path import RelPath
from lockage.environment.declaration import PythonLock
from lockage.environment.python_lock.kind import LockKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["offer_of"]

#: In which order lock files are looked for: requirements are not, as their names do not say whether they are locks.
_FILES = (LockKind.UV, LockKind.POETRY, LockKind.PDM, LockKind.PYLOCK)
#: What projects call the groups and extras of their tests, in order of preference: one is enough.
_NAMES = ("test", "tests", "testing", "dev")


def offer_of(paths: Collection[str], read: Callable[[str], bytes | None]) -> PythonLock | None:
    """The lock file at the top of a source, and the group or extra of it that is for tests; None if there is none that can be read.

    ``dev`` is the last that is looked for, as it often holds much more than tests need.
    """
    for kind in _FILES:
        data = read(kind) if kind in paths else None
        if data is None:
            continue
        try:
            document = tomllib.loads(data.decode())
        except (ValueError, RecursionError):
            continue  # `lockage lock` says what is wrong with it, if it is ever asked for
        groups, extras = set(_groups(kind, document)), set(_extras(kind, document))
        for name in _NAMES:
            if name in groups:
                return PythonLock(file=RelPath(kind), groups=(name,))
            if name in extras:
                return PythonLock(file=RelPath(kind), extras=(name,))
        return PythonLock(file=RelPath(kind))
    return None


def _groups(kind: LockKind, document: dict[str, object]) -> Iterator[str]:
    if kind is LockKind.PDM:
        yield from _texts(_table(document.get("metadata")).get("groups"))
    elif kind is LockKind.PYLOCK:
        yield from _texts(document.get("dependency-groups"))
    for package in _tables(document.get("package")):
        if kind is LockKind.POETRY:
            yield from _texts(package.get("groups"))
        elif kind is LockKind.UV and _is_top(package):
            yield from _table(package.get("dev-dependencies"))


def _extras(kind: LockKind, document: dict[str, object]) -> Iterator[str]:
    if kind is LockKind.POETRY:
        yield from _table(document.get("extras"))
    elif kind is LockKind.PYLOCK:
        yield from _texts(document.get("extras"))
    elif kind is LockKind.UV:
        for package in _tables(document.get("package")):
            if _is_top(package):
                yield from _table(package.get("optional-dependencies"))


def _is_top(package: dict[str, object]) -> bool:
    source = _table(package.get("source"))
    return "." in (source.get("editable"), source.get("virtual"), source.get("directory"))


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
