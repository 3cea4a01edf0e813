"""A recipe for a Python project that has none (docs/inference.md).

Invariants: nothing of the project is run; the same files give the same recipe. All inferred builds name the same operating
system packages, so that they share one layer of their roots; only what a project's files prove to be needed comes on top.

The backend is called directly, by one line of Python: a build front end from the package index would be one more thing in the
environment that a project's own requirements could collide with, or that could be the project itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import EnvironmentName, ProjectName, StepName, Version
from lockage.base.path import RelPath
from lockage.environment.declaration import Declaration
from lockage.environment.python import choose_suite
from lockage.recipe.backend import Backend, InvalidProject, NotAProject, VersionTool, quoting, read_backend, read_pyproject, version_tools
from lockage.recipe.crates import read_crates
from lockage.recipe.dropped import setuptools_limit
from lockage.recipe.metadata import Metadata, read_metadata, table_at
from lockage.recipe.model import Recipe, Resources, Stamp, Step, VersionFrom
from lockage.recipe.python_call import OF_SUITES, PythonCall, python_call
from lockage.recipe.setup_requires import declares_package

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from lockage.environment.base import LockedImage, OsBase
    from lockage.recipe.metadata import Read

__all__ = [
    "ENVIRONMENT",
    "PACKAGES",
    "WHEEL_FOLDER",
    "InferredProject",
    "infer",
    "infer_recipe",
    "preparation",
    "sdist_step",
    "shell",
    "wheel_step",
]

ENVIRONMENT = EnvironmentName("build")

#: What a build of a Python package can expect on any Linux machine. A name that others bring along is listed where builds call it
#: by name: the list is what the recipe says, not what happens to follow from it.
PACKAGES: tuple[str, ...] = (
    "bash",
    "binutils",
    "ca-certificates",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "g++",
    "gcc",
    "grep",
    "gzip",
    "libc-bin",
    "libc6-dev",
    "libffi-dev",
    "make",
    "mawk",
    "pkg-config",
    "python3",
    "python3-dev",
    "sed",
    "tar",
)

#: What files of the tree prove to be needed on top: suffix or name → packages.
_LANGUAGES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("Cargo.toml",), ("cargo", "rustc")),
    ((".f", ".f77", ".f90", ".f95", ".f03", ".f08"), ("gfortran",)),
)
#: Sources of compiled code: such a build gets more time.
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".pxd", ".s", ".asm", ".rs", ".f", ".f77", ".f90", ".f95", ".f03", ".f08")
#: Folders whose files say nothing about what a build compiles.
_BESIDE = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks"})

_SDIST_FOLDER = RelPath("dist")
WHEEL_FOLDER = RelPath("wheelhouse")
SDIST_STEP = StepName("sdist")
_WHEEL_STEP = StepName("wheel")


class InferredProject(msgspec.Struct, frozen=True, kw_only=True):
    """What could be told of a Python project: ``version`` is None if only its build or its tags know; ``requires_python`` is as written.

    ``stated`` says that the version stands in ``[project]`` or in an sdist's metadata, where every reader of the source finds it.
    """

    name: ProjectName
    version: Version | None
    stated: bool
    requires_python: str | None
    backend: Backend
    tools: tuple[VersionTool, ...]
    compiled: bool
    packages: tuple[str, ...]
    sdist: bool
    crates: RelPath | None = None

    @property
    def repository(self) -> bool:
        """Whether the build needs a version control repository around the sources."""
        return not self.sdist and (self.backend.module == "mesonpy" or any(tool.repository for tool in self.tools))


def infer(paths: Collection[str], read: Read, *, sdist: bool, folder: str = "") -> InferredProject:
    """Tell what a project is from its files: ``paths`` of all of them, ``read`` for the bytes of one (None if it is not there).

    ``sdist``: the source is an sdist; ``folder`` is only for messages. Raises :class:`NotAProject`, :class:`InvalidProject`.
    """
    data = read("pyproject.toml")
    pyproject = read_pyproject(data)
    if not pyproject and read("setup.py") is None and not declares_package(read("setup.cfg")):
        raise NotAProject(f"{folder or 'the source'} has neither lockage.toml nor pyproject.toml nor setup.py", folder=folder or None)
    _must_be_a_project(pyproject, read, folder)
    metadata = read_metadata(pyproject, read)
    with quoting(data):
        backend = _limited(read_backend(pyproject), read)
        name = _name(metadata)
    tools = () if sdist else version_tools(backend, pyproject, read)
    return InferredProject(
        name=name,
        version=None if any(tool.placeholder for tool in tools) else _version(metadata),
        stated=sdist or isinstance(table_at(pyproject, "project").get("version"), str),
        requires_python=metadata.requires_python,
        backend=backend,
        tools=tools,
        compiled=any(_is_source(path, _COMPILED) for path in paths),
        packages=_packages(paths),
        sdist=sdist,
        crates=_crates(backend, paths, read),
    )


def _limited(backend: Backend, read: Read) -> Backend:
    """The backend with a limit to setuptools that setup.py needs and does not state."""
    limit = setuptools_limit(backend.requires, read)
    return backend if limit is None else msgspec.structs.replace(backend, requires=(*backend.requires, limit))


def _crates(backend: Backend, paths: Collection[str], read: Read) -> RelPath | None:
    """The Cargo.lock whose crates the wheel needs: only of maturin it is certain that nothing can be built without them."""
    found = [path for path in paths if path.rpartition("/")[2] == "Cargo.lock" and _BESIDE.isdisjoint(path.split("/"))]
    vendored = any(path.startswith(".cargo/") for path in paths)
    if backend.module != "maturin" or len(found) != 1 or vendored:
        return None
    return RelPath(found[0]) if read_crates(read(found[0]) or b"", found[0]) else None


def _must_be_a_project(pyproject: Mapping[str, Any], read: Read, folder: str) -> None:
    """A pyproject.toml may hold nothing but the settings of tools; then nothing says that there is a package to build."""
    if not pyproject or "build-system" in pyproject or "project" in pyproject or table_at(pyproject, "tool", "poetry"):
        return
    if read("setup.py") is None and read("setup.cfg") is None:
        raise NotAProject(
            f"{folder or 'the source'} has a pyproject.toml without [build-system] and [project], and no setup.py", folder=folder or None
        )


def _name(metadata: Metadata) -> ProjectName:
    if metadata.name is None:
        raise InvalidProject(
            "the project's name cannot be told without running its build",
            hint="Add [project] with `name` to pyproject.toml, or write a lockage.toml.",
            file="pyproject.toml",
            key="project.name",
        )
    try:
        return ProjectName.normalised(metadata.name)
    except ValueError as error:
        raise InvalidProject(f"pyproject.toml: project.name: {error}", file="pyproject.toml", key="project.name") from error


def _version(metadata: Metadata) -> Version | None:
    """The version if it is one that file names can hold; anything else is left to the build."""
    try:
        return Version(metadata.version) if metadata.version else None
    except ValueError:
        return None


def _is_source(path: str, suffixes: tuple[str, ...]) -> bool:
    *folders, name = path.lower().split("/")
    return name.endswith(suffixes) and _BESIDE.isdisjoint(folders)


def _packages(paths: Collection[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for names, packages in _LANGUAGES:
        suffixes = tuple(name.lower() for name in names)
        if any(_is_source(path, suffixes) for path in paths):
            found.update(packages)
    return tuple(sorted(found))


def infer_recipe(
    project: InferredProject, *, os: OsBase | None = None, added: Collection[str] = (), image: LockedImage | None = None
) -> Recipe:
    """The recipe of an inferred project; ``os`` overrides the suite chosen by requires-python. Raises NoFittingSuite.

    ``added`` are OS packages that nothing tells of and that somebody knows to be needed. On an ``image`` there are those that it has,
    and the Python that it is locked with.
    """
    declaration = _on_suite(project, os, added) if image is None else _on_image(project, image)
    # "pyproject" falls back to the commit's tag. What a backend would read from a file of code is handed on as it was found.
    found = project.version if not project.stated else None
    version = VersionFrom(rule="pyproject") if found is None else VersionFrom(rule="literal", literal=found)
    steps = _steps(project, python_call(None if image is None else image.python))
    return Recipe(project=project.name, version=version, environments={ENVIRONMENT: declaration}, steps=steps, inferred=True)


def _on_suite(project: InferredProject, os: OsBase | None, added: Collection[str]) -> Declaration:
    packages = [*PACKAGES, *project.packages, *(("git",) if project.repository else ())]
    packages += [term for term in dict.fromkeys(added) if term not in packages]
    return Declaration(
        os=os or choose_suite(project.requires_python), packages=tuple(sorted(packages)), python=_requirements(project.backend)
    )


def _on_image(project: InferredProject, image: LockedImage) -> Declaration:
    interpreter = msgspec.UNSET if image.python is None else image.python.path
    return Declaration(image=image.base, interpreter=interpreter, python=_requirements(project.backend))


def _requirements(backend: Backend) -> tuple[str, ...]:
    return tuple(dict.fromkeys(backend.requires))


def _steps(project: InferredProject, python: PythonCall) -> tuple[Step, ...]:
    wheel = wheel_step(project, python=python)
    return (wheel,) if project.sdist else (sdist_step(project), wheel)


def sdist_step(project: InferredProject, environment: EnvironmentName = ENVIRONMENT) -> Step:
    """The step that makes the sdist of a commit or a directory."""
    return Step(
        name=SDIST_STEP,
        environment=environment,
        stamp=(Stamp.DATE, Stamp.VERSION),
        run=shell(*preparation(project), *_call(OF_SUITES, project.backend, "build_sdist", _SDIST_FOLDER)),
        outputs=(_SDIST_FOLDER,),
        artifacts=(f"{_SDIST_FOLDER}/*.tar.gz",),
        resources=Resources(),
    )


def wheel_step(
    project: InferredProject,
    *,
    name: StepName = _WHEEL_STEP,
    environment: EnvironmentName = ENVIRONMENT,
    folder: RelPath = WHEEL_FOLDER,
    needs: tuple[StepName, ...] = (),
    before: tuple[str, ...] = (),
    python: PythonCall = OF_SUITES,
) -> Step:
    """The step that makes the wheel, of the sdist alone; ``before`` are shell lines that deal with what else it ``needs``."""
    if not project.sdist:
        needs = (SDIST_STEP, *needs)
        before = (
            *before,
            f"tar -xf {_SDIST_FOLDER}/*.tar.gz --strip-components=1 --no-same-owner",
            f"rm -r {_SDIST_FOLDER}",
            'find . -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +',
        )
    return Step(
        name=name,
        environment=environment,
        needs=needs,
        inputs=("**",) if project.sdist else (),
        stamp=(Stamp.DATE,),
        run=shell(*before, *_call(python, project.backend, "build_wheel", folder)),
        outputs=(folder,),
        artifacts=(f"{folder}/*.whl",),
        resources=Resources(timeout=2 * 3600) if project.compiled else Resources(),
        crates=project.crates,
    )


def shell(*lines: str) -> tuple[str, ...]:
    """The arguments that run these lines one after the other, up to the first that fails."""
    return ("/bin/sh", "-euc", "".join(f"{line}\n" for line in lines))


def _call(python: PythonCall, backend: Backend, hook: str, folder: RelPath) -> tuple[str, ...]:
    """Lines that call a PEP 517 hook. It writes outside the sources, as some backends take a new folder there for a package."""
    module, _, attributes = backend.name.partition(":")
    target = f"{module}.{attributes}" if attributes else module
    path = f"sys.path[:0] = [os.path.abspath(p) for p in {list(backend.path)!r}]; ".replace("'", '\\"') if backend.path else ""
    imports = "os, sys; " if path else "sys; "
    return (
        'mkdir "$TMPDIR/built"',
        f'{python.command} -c "{python.code}import {imports}{path}import {module}; {target}.{hook}(sys.argv[1])" "$TMPDIR/built"',
        f'mkdir -p {folder} && mv "$TMPDIR"/built/* {folder}/',
    )


def preparation(project: InferredProject) -> tuple[str, ...]:
    """Shell lines that tell version tools the version, and make the repository that some of them look into."""
    names = dict.fromkeys(name for tool in project.tools for name in tool.variables)
    lines = [f'export {name}="$LOCKAGE_VERSION"' for name in names]
    if project.repository:
        tags = dict.fromkeys(f"{tool.tag}$LOCKAGE_VERSION" for tool in project.tools if tool.repository)
        lines += [
            # Never in a repository that is there already: somebody may run the line by hand.
            'test ! -e .git || { echo "there is a repository already" >&2; exit 1; }',
            'export GIT_AUTHOR_NAME=lockage GIT_AUTHOR_EMAIL=lockage@localhost GIT_AUTHOR_DATE="@$SOURCE_DATE_EPOCH +0000"',
            'export GIT_COMMITTER_NAME=lockage GIT_COMMITTER_EMAIL=lockage@localhost GIT_COMMITTER_DATE="@$SOURCE_DATE_EPOCH +0000"',
            "git init -q -b main . && git add -A -f . && git commit -q -m source",
            *(f'git tag "{tag}"' for tag in tags),
        ]
    return tuple(lines)
