"""Projects that say what they are in setup.py or setup.cfg, and tools whose version replaces the one that stands in a file."""

import pytest

from lockage.recipe.backend import NotAProject
from lockage.recipe.inference import InferredProject, infer, infer_recipe


def _infer(files: dict[str, str]) -> InferredProject:
    return infer(tuple(files), lambda path: files[path].encode() if path in files else None, sdist=False)


def test_a_setup_cfg_that_names_a_package_is_enough() -> None:
    project = _infer({"setup.cfg": "[metadata]\nname = shop\nversion = 1.2\n[options]\npython_requires = >=3.8\n"})
    assert (project.name, project.version, project.requires_python) == ("shop", "1.2", ">=3.8")
    assert project.backend.name == "setuptools.build_meta:__legacy__"


@pytest.mark.parametrize("text", ["[flake8]\nmax-line-length = 100\n", "[metadata]\nlicense = MIT\n", "[metadata\n", "name = 1\n"])
def test_a_setup_cfg_of_tools_alone_is_none(text: str) -> None:
    with pytest.raises(NotAProject):
        _infer({"setup.cfg": text})


SCM = ['export SETUPTOOLS_SCM_PRETEND_VERSION="$LOCKAGE_VERSION"', "git commit"]
PBR = ['export PBR_VERSION="$LOCKAGE_VERSION"', "git commit"]


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({"setup.py": "setup(name='a', use_scm_version=True, setup_requires=['setuptools_scm'])"}, SCM),
        ({"setup.py": "setup(name='a', use_scm_version={'write_to': 'a/v.py'})"}, SCM),
        ({"setup.py": "options = dict(setup_requires='setuptools-scm>=3')\nsetup(name='a', **options)"}, SCM),
        ({"setup.py": "setup(setup_requires=['pbr>=2.0', 'six'], pbr=True)", "setup.cfg": "[metadata]\nname = a\n"}, PBR),
        ({"setup.cfg": "[metadata]\nname = a\n[options]\nsetup_requires =\n  pbr>=2\n"}, PBR),
    ],
)
def test_a_version_tool_of_setup_requires_is_told_the_version(files: dict[str, str], lines: list[str]) -> None:
    recipe = infer_recipe(_infer(files))
    assert all(line in recipe.steps[0].run[2] for line in lines)
    assert "git" in recipe.environments["build"].packages


@pytest.mark.parametrize("setup", ["setup(name='a', use_scm_version=False)", "setup(name='a'", "setup(name='a', setup_requires=NEEDS)"])
def test_what_asks_for_no_tool_gets_no_repository(setup: str) -> None:
    recipe = infer_recipe(_infer({"setup.py": setup, "setup.cfg": "[metadata]\nname = a\n"}))
    assert "git" not in recipe.environments["build"].packages


POETRY = """
[build-system]
requires = ["poetry-core", "poetry-dynamic-versioning"]
build-backend = "poetry_dynamic_versioning.backend"
[tool.poetry]
name = "a"
version = "0.0.0"
"""


def test_a_version_that_a_tool_replaces_is_not_handed_on() -> None:
    recipe = infer_recipe(_infer({"pyproject.toml": POETRY + "[tool.poetry-dynamic-versioning]\nenable = true\n"}))
    assert recipe.version.rule == "pyproject"  # which is of the tag, as [project] has none
    assert 'export POETRY_DYNAMIC_VERSIONING_BYPASS="$LOCKAGE_VERSION"' in recipe.steps[0].run[2]
    assert infer_recipe(_infer({"pyproject.toml": POETRY})).version.literal == "0.0.0", "it is not enabled, so it replaces nothing"


MODERN = '[build-system]\nrequires = ["Setuptools>=61", "wheel"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "a"\n'


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"setup.py": "import pkg_resources\nsetup(name='a')"}, "setuptools < 82"),
        ({"setup.py": "from pkg_resources import parse_version\nsetup(name='a')", "pyproject.toml": MODERN}, "setuptools < 82"),
        ({"setup.py": "def f():\n    import pkg_resources\nsetup(name='a')"}, "setuptools < 82"),
        ({"setup.py": "import helpers\nsetup(name='a')", "helpers.py": "from pkg_resources import require"}, "setuptools < 82"),
        (
            {"setup.py": "from a.b import x\nsetup(name='a')", "a/b/__init__.py": "import c", "c.py": "__import__('pkg_resources')"},
            "setuptools < 82",
        ),
        ({"setup.py": "setup(name='a', use_2to3=True)"}, "setuptools < 58"),
        ({"setup.py": "import pkg_resources\nextra = dict(use_2to3=True)\nsetup(name='a', **extra)"}, "setuptools < 58"),
    ],
)
def test_setuptools_is_limited_where_setup_py_uses_what_newer_ones_dropped(files: dict[str, str], limit: str) -> None:
    project = _infer(files)
    assert project.backend.requires[-1] == limit
    assert infer_recipe(project).environments["build"].python == project.backend.requires


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "setup(name='a')"},
        {"setup.py": "setup(name='a', use_2to3=False)"},
        {"setup.py": "try:\n    import pkg_resources\nexcept ImportError:\n    pass\nsetup(name='a')"},
        {"setup.py": "try:\n    import pkg_resources\nexcept:\n    pass\nsetup(name='a')"},
        {"setup.py": "import helpers\nsetup(name='a')", "helpers.py": "def f():\n    import pkg_resources"},
        {"setup.py": "import helpers\nsetup(name='a')", "helpers.py": "import pkg_resources ("},
        {"setup.py": "import pkg_resources\nsetup(name='a')", "pyproject.toml": MODERN.replace(">=61", ">=82")},
        {"setup.py": "import pkg_resources\nsetup(name='a')", "pyproject.toml": MODERN.replace("Setuptools>=61", "hatchling")},
        {"pyproject.toml": MODERN},
    ],
)
def test_setuptools_is_not_limited_without_need_or_against_the_project(files: dict[str, str]) -> None:
    assert not any(" < " in text for text in _infer({"setup.cfg": "[metadata]\nname = a\n", **files}).backend.requires)
