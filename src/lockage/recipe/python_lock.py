"""The keys of an environment that take over another tool's lock file: ``python-lock``, and what of it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.declaration import PythonLock
from lockage.environment.python_lock.kind import LockKind, kind_of
from lockage.recipe.reader import shown

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["python_lock_of"]

_DETAILS = ("groups", "extras", "project")


def python_lock_of(table: Table) -> PythonLock | msgspec.UnsetType:
    """What an environment's table says of another tool's lock file; its faults are reported."""
    file = table.text("python-lock", _file, 'the path of a lock file, such as "uv.lock"')
    groups = table.texts("groups", _name, "dependency groups") or ()
    extras = table.texts("extras", _name, "extras") or ()
    project = table.text("project", _project, "the normalised name of a project in the lock file")
    if file is None:
        for key in _DETAILS:
            if table.has(key) and not table.has("python-lock"):
                table.fault(key, f'{shown(key)} says what to take of a lock file; the key "python-lock" is missing')
        return msgspec.UNSET
    kind = kind_of(file)
    for key in _DETAILS:
        if table.has(key) and (kind is LockKind.REQUIREMENTS or (key == "project" and kind is not LockKind.UV)):
            table.fault(key, f"{file.name} is taken as a whole: it does not say what belongs to which {key.removesuffix('s')}")
    return PythonLock(file=file, groups=groups, extras=extras, project=project)


def _file(text: str) -> RelPath:
    path = RelPath(text)
    kind_of(path)
    return path


def _name(text: str) -> str:
    if not text.strip() or "\n" in text or "'" in text or '"' in text:
        raise ValueError(f"not a name: {shown(text)}")
    return text


def _project(text: str) -> ProjectName:
    try:
        return ProjectName.normalised(text)
    except ValueError as error:
        raise ValueError(f"not a project name: {shown(text)}") from error
