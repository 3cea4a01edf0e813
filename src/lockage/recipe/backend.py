"""How a Python project is built: its build backend and requirements (PEP 517, PEP 518), and where its version comes from."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from lockage.base.errors import Usage
from lockage.recipe.metadata import table_at
from lockage.recipe.requirement import python_requirement
from lockage.recipe.setup_requires import setup_requires

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockage.recipe.metadata import Read

__all__ = [
    "LEGACY_BACKEND",
    "Backend",
    "InvalidProject",
    "NotAProject",
    "VersionTool",
    "quoting",
    "read_backend",
    "read_pyproject",
    "version_tools",
]

#: PEP 517, "Source trees": what stands for a missing ``build-backend``; PEP 518: what stands for a missing table.
LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
_LEGACY_REQUIRES = ("setuptools >= 40.8.0",)

#: PEP 517: ``module`` or ``module:object``, both dotted names.
_BACKEND = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?", re.ASCII)

#: A folder that can stand in a line for the shell as it is.
_FOLDER = re.compile(r"\w[\w.-]*(?:/[\w.-]+)*|\.[\w-][\w.-]*(?:/[\w.-]+)*")


class NotAProject(Usage):
    """The source has no recipe and is not a Python project, so none can be inferred."""

    code = "not-a-project"
    hint = "Write a lockage.toml that says what to build (docs/recipe.md), or name the folder that holds pyproject.toml."


class InvalidProject(Usage):
    """The project's own files do not say how to build it, or say it in a way that cannot be used; all faults are listed."""

    code = "invalid-project"
    hint = "Correct pyproject.toml as listed, or write a lockage.toml that says what to build (docs/recipe.md)."


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """The build-system table, defaults filled in: ``name`` is ``module`` or ``module:object``, ``path`` folders of the tree (or ``.``)."""

    name: str = LEGACY_BACKEND
    requires: tuple[str, ...] = _LEGACY_REQUIRES
    path: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.name.partition(":")[0]

    def needs(self, *distributions: str) -> bool:
        """Whether one of these (normalised names) is required directly."""
        return not self.required.isdisjoint(distributions)

    @property
    def required(self) -> frozenset[str]:
        """The normalised names of what is required directly."""
        return frozenset(filter(None, (required_name(text) for text in self.requires)))


class VersionTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that takes the version from version control: the variables that hand it one, or whether it needs a repository instead.

    ``tag`` is what stands before the version in the name of the repository's tag. ``placeholder``: the version that stands in the
    project's files is one that the tool replaces.
    """

    variables: tuple[str, ...] = ()
    repository: bool = False
    tag: str = ""
    placeholder: bool = False


def required_name(requirement: str) -> str:
    """The normalised name that a requirement begins with; empty if it begins with none."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def read_pyproject(data: bytes | None, file: str = "pyproject.toml") -> dict[str, Any]:
    """The parsed file; empty if there is none. Raises :class:`InvalidProject`."""
    if data is None:
        return {}
    import tomllib  # not needed where a recipe is given

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line ([0-9]+)", str(error))
        fault = InvalidProject(
            f"{file} is not TOML: {error}", file=file, line=int(line[1]) if line else None, hint="Correct the syntax of the file."
        )
        if not isinstance(error, UnicodeDecodeError):
            from lockage.recipe.quoted import syntax_fault  # only on the way to an error

            fault.excerpts = (syntax_fault(data.decode("utf-8-sig"), file, str(error)),)
        raise fault from error


@contextmanager
def quoting(data: bytes | None, file: str = "pyproject.toml") -> Iterator[None]:
    """Show the lines of a pyproject.toml that is TOML to whoever is told of faults in it."""
    try:
        yield
    except InvalidProject as error:
        faults = error.details.get("faults") or (error.message.removeprefix(f"{file}: "),)
        if data is not None and error.details.get("file") == file and not error.excerpts and isinstance(faults, tuple):
            from lockage.recipe.quoted import quoted  # only on the way to an error

            error.excerpts = quoted(data.decode("utf-8-sig"), file, [fault for fault in faults if ": " in fault])
        raise


def read_backend(pyproject: Mapping[str, Any], file: str = "pyproject.toml") -> Backend:
    """The build-system table, defaults filled in; raises :class:`InvalidProject` with every fault."""
    faults: list[str] = []
    table = pyproject.get("build-system")
    if table is None:
        return Backend()
    if not isinstance(table, dict):
        raise InvalidProject(f"{file}: build-system: expected a table, found {_kind(table)}", file=file, key="build-system")
    requires = _texts(table, "requires", faults)
    if requires is None and "requires" not in table:
        faults.append("build-system.requires: missing; PEP 518 demands it where the table is there")
    for text in requires or ():
        try:
            python_requirement(text)
        except ValueError as error:
            faults.append(f"build-system.requires: {error}")
    name = table.get("build-backend", LEGACY_BACKEND)
    if not isinstance(name, str) or not _BACKEND.fullmatch(name):
        faults.append(f"build-system.build-backend: expected 'module' or 'module:object', found {_shown(name)}")
    path = _texts(table, "backend-path", faults) or ()
    if path and "build-backend" not in table:
        faults.append("build-system.backend-path: needs build-backend beside it")
    folders = tuple(_folder(item, faults) for item in path)
    if faults:
        raise InvalidProject("\n".join(f"{file}: {fault}" for fault in faults), file=file, key="build-system", faults=tuple(faults))
    assert requires is not None
    assert isinstance(name, str)
    return Backend(name=name, requires=requires, path=folders)


def _texts(table: Mapping[str, Any], key: str, faults: list[str]) -> tuple[str, ...] | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        faults.append(f"build-system.{key}: expected an array of texts, found {_shown(value)}")
        return None
    return tuple(value)


def _folder(text: str, faults: list[str]) -> str:
    """PEP 517, "In-tree build backends": relative to the source tree and inside it."""
    plain = text.strip().rstrip("/").removeprefix("./")
    if plain in ("", "."):
        return "."
    if not _FOLDER.fullmatch(plain) or ".." in plain.split("/"):
        faults.append(f"build-system.backend-path: not a folder inside the source: {_shown(text)}")
    return plain


def _kind(value: object) -> str:
    return {dict: "a table", list: "an array", str: "a text", bool: "a truth value", int: "a number"}.get(type(value), "another value")


def _shown(value: object) -> str:
    return repr(value)[:80] if isinstance(value, str | list | int) else _kind(value)


#: Distribution → how it is told the version (each tool's own documentation of its override).
_TOOLS: dict[str, VersionTool] = {
    "setuptools-scm": VersionTool(variables=("SETUPTOOLS_SCM_PRETEND_VERSION",), repository=True),
    "setuptools-git-versioning": VersionTool(repository=True),
    "vcs-versioning": VersionTool(variables=("SETUPTOOLS_SCM_PRETEND_VERSION", "VCS_VERSIONING_PRETEND_VERSION"), repository=True),
    "hatch-vcs": VersionTool(variables=("SETUPTOOLS_SCM_PRETEND_VERSION",)),
    "flit-scm": VersionTool(variables=("SETUPTOOLS_SCM_PRETEND_VERSION",)),
    "pbr": VersionTool(variables=("PBR_VERSION",), repository=True),
    "poetry-dynamic-versioning": VersionTool(variables=("POETRY_DYNAMIC_VERSIONING_BYPASS",)),
    "uv-dynamic-versioning": VersionTool(variables=("UV_DYNAMIC_VERSIONING_BYPASS",)),
    "versioneer": VersionTool(repository=True),
    "versioningit": VersionTool(repository=True, tag="v"),
    "dunamai": VersionTool(repository=True, tag="v"),
}


def version_tools(backend: Backend, pyproject: Mapping[str, Any], read: Read) -> tuple[VersionTool, ...]:
    """The tools in use that take the version from version control, in a fixed order."""
    required = backend.required | {required_name(text) for text in setup_requires(read)}
    found = {name: tool for name, tool in _TOOLS.items() if name in required}
    if table_at(pyproject, "tool", "poetry-dynamic-versioning").get("enable") is True:
        found["poetry-dynamic-versioning"] = VersionTool(variables=("POETRY_DYNAMIC_VERSIONING_BYPASS",), placeholder=True)
    prefix = _versioneer_prefix(pyproject, read)
    if prefix is not None:
        found["versioneer"] = VersionTool(repository=True, tag=prefix)
    if table_at(pyproject, "tool", "pdm", "version").get("source") == "scm":
        found["pdm"] = VersionTool(variables=("PDM_BUILD_SCM_VERSION",))
    return tuple(found[name] for name in sorted(found))


def _versioneer_prefix(pyproject: Mapping[str, Any], read: Read) -> str | None:
    """versioneer's ``tag_prefix``; None if the project does not use versioneer."""
    table = table_at(pyproject, "tool").get("versioneer")
    if isinstance(table, dict):
        return table["tag_prefix"].strip("\"'") if isinstance(table.get("tag_prefix"), str) else ""
    data = read("setup.cfg")
    if data is None or b"[versioneer]" not in data:
        return None
    section = data.decode("utf-8", "replace").partition("[versioneer]")[2].partition("\n[")[0]
    match = re.search(r"(?m)^tag_prefix[ \t]*=[ \t]*(.*)$", section)
    return match[1].strip().strip("\"'") if match else ""
