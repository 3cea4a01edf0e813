"""uv.lock, version 1: a graph of packages; what a project needs is found by walking it from the project's own entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lockage.environment.python_lock.errors import InvalidPythonLock
from lockage.environment.python_lock.pin import Conditions, Listed, Listing, digest_of, file_name, is_inside, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockage.environment.declaration import PythonLock
    from lockage.environment.python import PythonTarget

__all__ = ["read_uv"]


class _Source(msgspec.Struct, frozen=True):
    registry: str | None = None
    git: str | None = None
    url: str | None = None
    path: str | None = None
    directory: str | None = None
    editable: str | None = None
    virtual: str | None = None

    @property
    def folder(self) -> str | None:
        """Where it lies, if it is a directory."""
        return next((folder for folder in (self.editable, self.virtual, self.directory) if folder is not None), None)


class _Dependency(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None
    source: _Source | None = None
    marker: str | None = None
    extra: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True):
    hash: str | None = None
    url: str | None = None
    path: str | None = None
    filename: str | None = None

    @property
    def name(self) -> str:
        return self.filename or file_name(self.url or self.path or "")


class _Metadata(msgspec.Struct, frozen=True, rename="kebab"):
    provides_extras: tuple[str, ...] = ()
    requires_dev: dict[str, Any] = {}  # Any: only the names count


class _Package(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    source: _Source
    version: str = ""
    resolution_markers: tuple[str, ...] = ()
    dependencies: tuple[_Dependency, ...] = ()
    optional_dependencies: dict[str, tuple[_Dependency, ...]] = {}
    dev_dependencies: dict[str, tuple[_Dependency, ...]] = {}
    wheels: tuple[_File, ...] = ()
    metadata: _Metadata = _Metadata()


class _Manifest(msgspec.Struct, frozen=True, rename="kebab"):
    dependency_groups: dict[str, tuple[_Dependency, ...]] = {}


class _Document(msgspec.Struct, frozen=True, rename="kebab"):
    version: int
    requires_python: str | None = None
    package: tuple[_Package, ...] = ()
    manifest: _Manifest = _Manifest()


def read_uv(document: dict[str, Any], lock: PythonLock, target: PythonTarget) -> Listing:
    """What the project, its extras and groups need, with all that these need. Raises ValueError, InvalidPythonLock."""
    found = msgspec.convert(document, _Document)
    if found.version != 1:
        raise ValueError(f"format version {found.version}; known is 1")
    return Listing(packages=tuple(_Walk(found, lock, target).listed()), requires_python=found.requires_python)


class _Walk:
    """One walk over the graph from a project."""

    def __init__(self, document: _Document, lock: PythonLock, target: PythonTarget) -> None:
        self._document = document
        self._lock = lock
        self._packages: dict[str, list[_Package]] = {}
        for package in document.package:
            self._packages.setdefault(normalised(package.name), []).append(package)
        self._root = self._project()
        self._conditions = Conditions(variables=target.markers(), extras=frozenset(self._names()))

    def _project(self) -> _Package | None:
        """The project's own entry; None for a workspace whose top is no project, which has nothing but groups."""
        local = [package for package in self._document.package if package.source.folder is not None]
        if self._lock.project is not None:
            named = [package for package in local if normalised(package.name) == self._lock.project]
            if not named:
                raise InvalidPythonLock(
                    f"{self._lock.file} has no project {self._lock.project!r}; it has {', '.join(p.name for p in local) or 'none'}",
                    file=self._lock.file,
                    project=self._lock.project,
                )
            return named[0]
        top = [package for package in local if package.source.folder == "."] or (local if len(local) == 1 else [])
        if not top and not self._document.manifest.dependency_groups:
            names = ", ".join(package.name for package in local) or "of which there are none"
            raise InvalidPythonLock(
                f"{self._lock.file} is of a workspace: name one of its projects, {names}",
                hint='Write project = "NAME" beside python-lock.',
                file=self._lock.file,
            )
        return top[0] if top else None

    def _names(self) -> Iterator[str]:
        """The names that markers have for what was asked, where extras or groups conflict: with the project's name and its length."""
        project = normalised(self._root.name) if self._root else ""
        yield from self._lock.extras
        yield f"project-{len(project)}-{project}"
        yield from (f"extra-{len(project)}-{project}-{extra}" for extra in self._lock.extras)
        yield from (f"group-{len(project)}-{project}-{group}" for group in self._lock.groups)

    def _start(self) -> Iterator[_Dependency]:
        root = self._root
        groups = root.dev_dependencies if root else self._document.manifest.dependency_groups
        empty = set(root.metadata.requires_dev) if root else set()
        for group in self._lock.groups:
            if group not in groups and group not in empty:
                raise InvalidPythonLock.unknown(self._lock.file, "group", group, {*groups, *empty})
            yield from groups.get(group, ())
        extras = {*root.optional_dependencies, *root.metadata.provides_extras} if root else set()
        for extra in self._lock.extras:
            if extra not in extras:
                raise InvalidPythonLock.unknown(self._lock.file, "extra", extra, extras)
        if root is not None:
            yield _Dependency(root.name, root.version or None, root.source, extra=self._lock.extras)

    def listed(self) -> Iterator[Listed]:
        seen: set[tuple[int, str]] = set()
        waiting = list(self._start())
        while waiting:
            dependency = waiting.pop()
            if not self._conditions.holds(dependency.marker):
                continue
            package = self._package(dependency)
            for extra in ("", *dependency.extra):
                if (id(package), extra) in seen:
                    continue
                seen.add((id(package), extra))
                waiting += package.optional_dependencies.get(extra, ()) if extra else package.dependencies
                if not extra and not self._left_out(package):
                    yield _listed(package)

    def _package(self, wanted: _Dependency) -> _Package:
        fitting = [
            package
            for package in self._packages.get(normalised(wanted.name), ())
            if wanted.version in (None, package.version) and wanted.source in (None, package.source)
        ]
        if len(fitting) > 1:
            fitting = [package for package in fitting if self._applies(package.resolution_markers)]
        if len(fitting) != 1:
            raise ValueError(f"{wanted.name} is needed, and {len(fitting)} entries could be it")
        return fitting[0]

    def _applies(self, markers: Iterable[str]) -> bool:
        return not markers or any(self._conditions.holds(marker) for marker in markers)

    def _left_out(self, package: _Package) -> bool:
        """A directory of the source is source, not a package of the environment."""
        folder = package.source.folder
        return folder is not None and is_inside(self._lock.file.rpartition("/")[0], folder)


def _listed(package: _Package) -> Listed:
    source = package.source
    fault = None
    if source.folder is not None:
        fault = f"is a directory outside the source ({source.folder})"
    elif source.registry is None:
        kind = "a git repository" if source.git else "an address" if source.url else "a file"
        fault = f"comes from {kind}, not from an index"
    wheels = tuple((file.name, digest) for file in package.wheels if (digest := digest_of(file.hash)) is not None)
    return Listed(name=package.name, version=package.version, wheels=wheels, fault=fault)
