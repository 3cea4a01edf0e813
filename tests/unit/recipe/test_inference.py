"""What is told from a project's files: one small project for every backend, and every way to be wrong."""

import msgspec
import pytest

from lockage.recipe.backend import InvalidProject, NotAProject
from lockage.recipe.hooks import HOOK_OUTPUT, InvalidHookOutput, hook_step, parse_hook_output, with_requirements
from lockage.recipe.inference import PACKAGES, InferredProject, infer, infer_recipe
from lockage.recipe.metadata import poetry_constraint
from lockage.recipe.model import Stamp
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render


def _system(backend: str, *requires: str, extra: str = "") -> str:
    listed = ", ".join(f'"{item}"' for item in requires)
    return f'[build-system]\nrequires = [{listed}]\nbuild-backend = "{backend}"\n{extra}\n'


def _infer(files: dict[str, str], *, sdist: bool = False) -> InferredProject:
    data = {path: text.encode() for path, text in files.items()}
    return infer(tuple(data), data.get, sdist=sdist)


_NAMED = '[project]\nname = "Some_Thing"\n'
_PROJECTS = {
    "static": ({"pyproject.toml": _system("hatchling.build", "hatchling") + _NAMED + 'version = "1.2"'}, "1.2", "hatchling.build"),
    "hatch path": (
        {
            "pyproject.toml": _system("hatchling.build", "hatchling")
            + _NAMED
            + 'dynamic = ["version"]\n[tool.hatch.version]\npath = "src/s.py"',
            "src/s.py": "import os\n__version__: str = '2.0'\n",
        },
        "2.0",
        "hatchling.build",
    ),
    "hatch pattern": (
        {
            "pyproject.toml": _system("hatchling.build", "hatchling")
            + _NAMED
            + 'dynamic = ["version"]\n[tool.hatch.version]\npath = "v"\npattern = "^(?P<version>.+)$"',
            "v": "7\n",
        },
        "7",
        "hatchling.build",
    ),
    "flit": (
        {
            "pyproject.toml": _system("flit_core.buildapi", "flit_core>=3") + _NAMED + 'dynamic = ["version"]',
            "src/Some_Thing/__init__.py": '"""Docs."""\n__version__ = "0.3"\n',
        },
        "0.3",
        "flit_core.buildapi",
    ),
    "flit of old": (
        {
            "pyproject.toml": _system("flit_core.buildapi", "flit_core")
            + '[tool.flit.metadata]\nmodule = "some_thing"\nrequires-python = ">=3"',
            "some_thing.py": '__version__ = "0.4"',
        },
        "0.4",
        "flit_core.buildapi",
    ),
    "poetry": (
        {
            "pyproject.toml": _system("poetry.core.masonry.api", "poetry-core")
            + '[tool.poetry]\nname = "some-thing"\nversion = "3.1"\n[tool.poetry.dependencies]\npython = "^3.8"'
        },
        "3.1",
        "poetry.core.masonry.api",
    ),
    "pdm": (
        {
            "pyproject.toml": _system("pdm.backend", "pdm-backend")
            + _NAMED
            + 'dynamic = ["version"]\n[tool.pdm.version]\nsource = "file"\npath = "a.py"',
            "a.py": '__version__ = "5"',
        },
        "5",
        "pdm.backend",
    ),
    "meson": (
        {
            "pyproject.toml": _system("mesonpy", "meson-python") + _NAMED + 'dynamic = ["version"]',
            "meson.build": "project('x', 'c', version: '0.9.1')",
        },
        "0.9.1",
        "mesonpy",
    ),
    "scikit-build-core": (
        {
            "pyproject.toml": _system("scikit_build_core.build", "scikit-build-core")
            + _NAMED
            + 'dynamic = ["version"]\n[tool.scikit-build.metadata.version]\nprovider = "x"\ninput = "v.py"',
            "v.py": '__version__ = "6"',
        },
        "6",
        "scikit_build_core.build",
    ),
    "maturin": (
        {"pyproject.toml": _system("maturin", "maturin") + _NAMED + 'dynamic = ["version"]', "Cargo.toml": '[package]\nversion = "1.1.0"'},
        "1.1.0",
        "maturin",
    ),
    "setuptools attr": (
        {
            "pyproject.toml": _system("setuptools.build_meta", "setuptools")
            + _NAMED
            + 'dynamic = ["version"]\n[tool.setuptools.dynamic]\nversion = { attr = "some.about.__version__" }',
            "src/some/about.py": "__version__ = '8'",
        },
        "8",
        "setuptools.build_meta",
    ),
    "setup.cfg": (
        {
            "setup.py": "import setuptools; setuptools.setup()",
            "setup.cfg": "[metadata]\nname = some.thing\nversion = file: VERSION\n",
            "VERSION": "9\n",
        },
        "9",
        "setuptools.build_meta:__legacy__",
    ),
    "setup.py": (
        {"setup.py": "from setuptools import setup\nV = '1.0'\nsetup(name='some_thing', version=V, python_requires='>=3.6')"},
        "1.0",
        "setuptools.build_meta:__legacy__",
    ),
    "setup.py, options": (
        {
            "setup.py": "import some_thing\noptions = dict(name='some_thing', version=some_thing.V)\nsetup(**options)",
            "some_thing.py": "V = '4'",
        },
        "4",
        "setuptools.build_meta:__legacy__",
    ),
    "no build-system": ({"pyproject.toml": _NAMED + 'version = "1"'}, "1", "setuptools.build_meta:__legacy__"),
}


@pytest.mark.parametrize("case", _PROJECTS)
def test_name_version_and_backend_are_told_without_running_anything(case: str) -> None:
    files, version, backend = _PROJECTS[case]
    project = _infer(files)
    assert (project.name, project.version, project.backend.name) == ("some-thing", version, backend)


@pytest.mark.parametrize("sdist", [False, True])
@pytest.mark.parametrize("case", _PROJECTS)
def test_what_init_writes_is_the_recipe_that_was_inferred(case: str, sdist: bool) -> None:
    recipe = infer_recipe(_infer(_PROJECTS[case][0], sdist=sdist))
    assert recipe.inferred
    assert parse_recipe(render(recipe).encode()) == msgspec.structs.replace(recipe, inferred=False)


def test_an_sdist_says_itself_what_it_is() -> None:
    files = {
        "pyproject.toml": _system("setuptools.build_meta", "setuptools", "setuptools-scm") + '[project]\nname = "x"\ndynamic = ["version"]',
        "PKG-INFO": "Metadata-Version: 2.1\nName: Real.Name\nVersion: 3.2.1\nRequires-Python: >=3.12\n\nVersion: 0\n",
    }
    project = _infer(files, sdist=True)
    assert (project.name, project.version, project.requires_python, project.tools) == ("real-name", "3.2.1", ">=3.12", ())
    recipe = infer_recipe(project)
    (step,) = recipe.steps
    assert (step.name, step.artifacts, step.stamp, step.inputs) == ("wheel", ("wheelhouse/*.whl",), (Stamp.DATE,), ("**",))
    assert "git" not in recipe.environments["build"].packages
    assert "PRETEND" not in step.run[2]
    assert str(recipe.environments["build"].os) == "debian:trixie"


def test_a_commit_gives_an_sdist_and_the_wheel_of_that_sdist() -> None:
    recipe = infer_recipe(_infer(_PROJECTS["static"][0]))
    sdist, wheel = recipe.steps
    assert (sdist.name, sdist.outputs, sdist.stamp) == ("sdist", ("dist",), (Stamp.DATE, Stamp.VERSION))
    assert (wheel.needs, wheel.inputs, wheel.outputs) == (("sdist",), (), ("wheelhouse",))
    assert recipe.environments["build"].python == ("hatchling",)
    assert recipe.version.rule == "pyproject"


def test_a_version_that_only_code_says_is_handed_on() -> None:
    recipe = infer_recipe(_infer(_PROJECTS["hatch path"][0]))
    assert (recipe.version.rule, recipe.version.literal) == ("literal", "2.0")


def test_all_inferred_builds_share_one_list_of_packages() -> None:
    for case, (files, _, _) in _PROJECTS.items():
        packages = infer_recipe(_infer(files)).environments["build"].packages
        on_top = set(packages) - set(PACKAGES)
        assert on_top == {"maturin": {"cargo", "rustc"}, "meson": {"git"}}.get(case, set())
        assert set(PACKAGES) <= set(packages)
        assert list(packages) == sorted(packages)


@pytest.mark.parametrize(
    ("requires", "extra", "lines"),
    [
        (
            "setuptools_scm[toml]>=8",
            "",
            ['export SETUPTOOLS_SCM_PRETEND_VERSION="$LOCKAGE_VERSION"', "git init", 'git tag "$LOCKAGE_VERSION"'],
        ),
        ("hatch-vcs", "", ['export SETUPTOOLS_SCM_PRETEND_VERSION="$LOCKAGE_VERSION"']),
        ("pbr", "", ['export PBR_VERSION="$LOCKAGE_VERSION"', "git commit"]),
        ("poetry-dynamic-versioning", "", ['export POETRY_DYNAMIC_VERSIONING_BYPASS="$LOCKAGE_VERSION"']),
        ("versioningit", "", ['git tag "v$LOCKAGE_VERSION"']),
        ("setuptools", "[tool.versioneer]\ntag_prefix = 'rel-'", ['git tag "rel-$LOCKAGE_VERSION"']),
        ("pdm-backend", "[tool.pdm.version]\nsource = 'scm'", ['export PDM_BUILD_SCM_VERSION="$LOCKAGE_VERSION"']),
    ],
)
def test_a_version_tool_is_told_the_version(requires: str, extra: str, lines: list[str]) -> None:
    files = {"pyproject.toml": _system("x.y", requires) + _NAMED + 'dynamic = ["version"]\n' + extra}
    recipe = infer_recipe(_infer(files))
    for line in lines:
        assert line in recipe.steps[0].run[2]
    assert ("git" in recipe.environments["build"].packages) == any("git " in line for line in lines)
    assert "LOCKAGE_VERSION" not in recipe.steps[1].run[2]


def test_setup_cfg_of_versioneer() -> None:
    files = {"setup.py": "setup(name='a')", "setup.cfg": "[versioneer]\nVCS = git\ntag_prefix = v\n[other]\n"}
    assert 'git tag "v$LOCKAGE_VERSION"' in infer_recipe(_infer(files)).steps[0].run[2]


def test_an_in_tree_backend_is_found_where_it_says() -> None:
    files = {"pyproject.toml": _system("own.api:make.it", extra='backend-path = ["./src/", "."]') + _NAMED + 'version = "1"'}
    project = _infer(files)
    assert project.backend.path == ("src", ".")
    line = infer_recipe(project).steps[0].run[2]
    assert 'for p in [\\"src\\", \\".\\"]' in line
    assert "import own.api; own.api.make.it.build_sdist(sys.argv[1])" in line


def test_compiled_sources_are_noticed_but_not_those_of_tests() -> None:
    base = _PROJECTS["static"][0]
    assert _infer({**base, "src/a.pyx": ""}).compiled
    assert not _infer({**base, "tests/a.c": ""}).compiled
    assert _infer({**base, "lib/x.f90": ""}).packages == ("gfortran",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[build-system\n", "not TOML"),
        ("build-system = 3\n" + _NAMED, "build-system: expected a table, found a number"),
        ("[build-system]\nbuild-backend = 'a'\n" + _NAMED, "build-system.requires: missing"),
        ("[build-system]\nrequires = 'hatchling'\n" + _NAMED, "build-system.requires: expected an array of texts, found 'hatchling'"),
        ("[build-system]\nrequires = [3]\n" + _NAMED, "build-system.requires: expected an array of texts"),
        ("[build-system]\nrequires = ['a @ https://example.invalid/a.zip']\n" + _NAMED, "by address"),
        ("[build-system]\nrequires = ['not good!']\n" + _NAMED, "not a Python requirement"),
        ("[build-system]\nrequires = []\nbuild-backend = 'a; import os'\n" + _NAMED, "build-system.build-backend: expected"),
        ("[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['../x']\n" + _NAMED, "not a folder inside the source"),
        ("[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['$(x)']\n" + _NAMED, "not a folder inside the source"),
        ("[build-system]\nrequires = []\nbackend-path = ['x']\n" + _NAMED, "needs build-backend"),
        ("[build-system]\nrequires = []\n", "name cannot be told"),
        ("[project]\nname = '???'\n", "not a valid project name"),
    ],
)
def test_faults_are_named(text: str, fault: str) -> None:
    with pytest.raises(InvalidProject) as caught:
        _infer({"pyproject.toml": text})
    assert fault in caught.value.message


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(InvalidProject) as caught:
        _infer({"pyproject.toml": "[build-system]\nrequires = 3\nbuild-backend = 4\nbackend-path = 5\n"})
    assert len(caught.value.message.splitlines()) == 3


@pytest.mark.parametrize("files", [{}, {"README": ""}, {"pyproject.toml": "[tool.ruff]\n"}])
def test_what_is_no_python_project(files: dict[str, str]) -> None:
    with pytest.raises(NotAProject):
        _infer(files)


@pytest.mark.parametrize(
    ("poetry", "specifier"),
    [
        ("^3.8", ">=3.8,<4"),
        ("~3.8", ">=3.8,<3.9"),
        ("~3", ">=3,<4"),
        (">=3.8,<4", ">=3.8,<4"),
        ("3.11", "==3.11"),
        ("*", None),
        ("^3.8 || ^4", None),
        ("nonsense", None),
    ],
)
def test_poetry_constraints(poetry: str, specifier: str | None) -> None:
    assert poetry_constraint(poetry) == specifier


def test_the_hook_step_sees_what_the_build_sees() -> None:
    project = _infer({"pyproject.toml": _system("a.b", "setuptools-scm") + _NAMED + 'dynamic = ["version"]'})
    recipe = infer_recipe(project)
    step = hook_step(project, recipe)
    assert (step.environment, step.inputs, step.stamp, step.outputs) == ("build", ("**",), recipe.steps[0].stamp, (HOOK_OUTPUT,))
    assert 'export SETUPTOOLS_SCM_PRETEND_VERSION="$LOCKAGE_VERSION"' in step.run[2]
    assert step.run[-4:] == ("a.b", "[]", "build_sdist", "build_wheel")


def test_what_the_hooks_ask_for_is_added_once() -> None:
    asked = parse_hook_output(b'{"build_sdist": ["wheel"], "build_wheel": ["wheel", "ninja>=1.8.2", "hatchling"]}')
    assert asked == ("wheel", "ninja>=1.8.2", "hatchling")
    recipe = infer_recipe(_infer(_PROJECTS["static"][0]))
    more = with_requirements(recipe, asked)
    assert more.environments["build"].python == ("hatchling", "wheel", "ninja>=1.8.2")
    assert with_requirements(more, asked) is more


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"build_wheel": "x"}',
        b'{"build_wheel": [3]}',
        b'{"other": []}',
        b'{"build_wheel": ["a @ file:///x"]}',
        b'{"build_wheel": ["-r x"]}',
    ],
)
def test_a_backend_that_asks_for_nonsense(data: bytes) -> None:
    with pytest.raises(InvalidHookOutput):
        parse_hook_output(data)
