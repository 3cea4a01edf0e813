"""The lines of inferred recipes, run by this machine's own Python on a project whose backend is its own."""

import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.environment.base import Interpreter, LockedImage
from lockage.recipe.hooks import HOOK_OUTPUT, hook_step, parse_hook_output
from lockage.recipe.inference import InferredProject, infer, infer_recipe
from lockage.recipe.model import Recipe, Step
from lockage.recipe.python_call import python_call

_BACKEND = """
import io, os, sys, tarfile
print("noise on stdout")
class backend:
    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        assert "." not in sys.path and "" not in sys.path and os.getcwd() not in sys.path
        return [*os.environ.get("ASK", "").split(","), "wheel; python_version > '3'"] if os.environ.get("ASK") else []
    @staticmethod
    def build_sdist(folder, config_settings=None):
        with tarfile.open(f"{folder}/own-1.0.tar.gz", "w:gz") as archive:
            for name in ("pyproject.toml", "tools", "data.txt"):
                archive.add(name, f"own-1.0/{name}")
        return "own-1.0.tar.gz"
    @staticmethod
    def build_wheel(folder, config_settings=None):
        with open(f"{folder}/own-1.0-py3-none-any.whl", "w") as stream:
            stream.write(open("data.txt").read() + str(int(os.stat("data.txt").st_mtime)) + " ".join(sorted(os.listdir("."))))
        return "own-1.0-py3-none-any.whl"
"""
_PYPROJECT = """\
[build-system]
requires = []
build-backend = "own_backend:backend"
backend-path = ["tools"]
[project]
name = "own"
version = "1.0"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools/own_backend.py").write_text(_BACKEND)
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    (folder / "data.txt").write_text("data ")
    (folder / "tarfile.py").write_text("raise SystemExit('a module of the project took the place of the library')")
    return folder


def _inferred(folder: Path) -> tuple[InferredProject, Recipe]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = infer(tuple(files), files.get, sdist=False)
    return found, infer_recipe(found)


def _run(step: Step, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    temporary = folder.parent / f"tmp-{step.name}"
    temporary.mkdir()
    own = folder.parent / "bin"
    own.mkdir(exist_ok=True)
    if not (own / "python3").exists():
        (own / "python3").symlink_to(sys.executable)
    environment = {
        "PATH": f"{own}:/usr/bin:/bin",
        "TMPDIR": str(temporary),
        "SOURCE_DATE_EPOCH": "1000000000",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(step.run, cwd=folder, env=environment | more, capture_output=True, text=True, check=False)


def test_a_commit_is_built_to_an_sdist_and_the_sdist_to_a_wheel(project: Path, tmp_path: Path) -> None:
    _, recipe = _inferred(project)
    sdist, wheel = recipe.steps
    done = _run(sdist, project)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (project / "dist").iterdir()] == ["own-1.0.tar.gz"]
    workspace = tmp_path / "second"
    workspace.mkdir()
    (project / "dist").rename(workspace / "dist")
    done = _run(wheel, workspace)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (workspace / "wheelhouse").iterdir()] == ["own-1.0-py3-none-any.whl"]
    # The wheel was made of the sdist alone, all of it dated as the source is.
    text = (workspace / "wheelhouse/own-1.0-py3-none-any.whl").read_text()
    assert text == "data 1000000000" + "data.txt pyproject.toml tools"


def test_the_hooks_are_asked(project: Path) -> None:
    found, recipe = _inferred(project)
    done = _run(hook_step(found, recipe), project, ASK="ninja>=1,cmake")
    assert done.returncode == 0, done.stderr
    assert parse_hook_output((project / HOOK_OUTPUT).read_bytes()) == ("ninja>=1", "cmake", "wheel; python_version > '3'")


def test_a_python_without_p_asks_hooks_that_see_no_module_of_the_project_either(project: Path) -> None:
    found, recipe = _inferred(project)
    older = python_call(Interpreter(path=sys.executable, version="3.10.1", glibc="2.28", folder=RelPath("opt"), site=RelPath("lib")))
    step = hook_step(found, recipe, python=older)
    assert "-P" not in step.run[2]
    done = _run(step, project, ASK="ninja")
    assert done.returncode == 0, done.stderr
    assert parse_hook_output((project / HOOK_OUTPUT).read_bytes()) == ("ninja", "wheel; python_version > '3'")


def test_a_python_without_p_builds_and_sees_no_module_of_the_project_either(project: Path) -> None:
    files = {str(path.relative_to(project)): path.read_bytes() for path in project.rglob("*") if path.is_file()}
    found = infer(tuple(files), files.get, sdist=True)
    older = Interpreter(path=sys.executable, version="3.9", glibc="2.28", folder=RelPath("opt"), site=RelPath("lib"))
    blob = BlobRef.of(b"")
    image = LockedImage(name="old", manifest=blob, config=blob, layers=(blob,), interpreter=older)
    recipe = infer_recipe(found, image=image)
    (wheel,) = recipe.steps
    assert (recipe.environments["build"].image, recipe.environments["build"].packages) == (image.base, ())
    assert "-P" not in wheel.run[2]
    done = _run(wheel, project)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (project / "wheelhouse").iterdir()] == ["own-1.0-py3-none-any.whl"]


def test_the_path_of_a_python_means_nothing_to_a_shell() -> None:
    odd = Interpreter(path="/opt/$(x)'/python3", version="3.12", glibc="2.28", folder=RelPath("opt"), site=RelPath("lib"))
    call = python_call(odd)
    assert shlex.split(call.command) == ["/opt/$(x)'/python3", "-P"]


def test_hooks_that_are_not_there_ask_for_nothing(project: Path) -> None:
    (project / "tools/own_backend.py").write_text("backend = object()\n")
    found, recipe = _inferred(project)
    assert _run(hook_step(found, recipe), project).returncode == 0
    assert parse_hook_output((project / HOOK_OUTPUT).read_bytes()) == ()


def test_a_backend_that_fails_shows_its_own_traceback(project: Path) -> None:
    (project / "tools/own_backend.py").write_text("def boom():\n    raise ValueError('no compiler')\nboom()\n")
    found, recipe = _inferred(project)
    done = _run(hook_step(found, recipe), project)
    assert done.returncode == 1
    assert "in boom" in done.stderr
    assert "ValueError: no compiler" in done.stderr
    assert "own_backend:backend failed in get_requires_for_build_sdist" in done.stderr
    assert not (project / HOOK_OUTPUT).exists()


def test_the_repository_of_a_version_tool_is_the_same_everywhere(project: Path, tmp_path: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT.replace("requires = []", 'requires = ["setuptools-scm"]'))
    (project / "tools/own_backend.py").write_text(
        "import subprocess, os\n"
        "def build_sdist(folder):\n"
        "    text = subprocess.run(['git', 'log', '-1', '--format=%H %D %ci'], capture_output=True, text=True, check=True).stdout\n"
        "    open(folder + '/own-1.0.tar.gz', 'w').write(text + os.environ['SETUPTOOLS_SCM_PRETEND_VERSION'])\n"
    )
    (project / "pyproject.toml").write_text((project / "pyproject.toml").read_text().replace("own_backend:backend", "own_backend"))
    (project / ".gitignore").write_text("data.txt\n")
    _, recipe = _inferred(project)
    done = _run(recipe.steps[0], project, LOCKAGE_VERSION="3.0")
    assert done.returncode == 0, done.stderr
    text = (project / "dist/own-1.0.tar.gz").read_text()
    assert "tag: 3.0" in text
    assert "2001-09-09 01:46:40 +0000" in text
    assert text.endswith("\n3.0")
    listed = subprocess.run(["git", "-C", str(project), "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    assert "data.txt" in listed


def test_a_repository_that_is_there_is_left_alone(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT.replace("requires = []", 'requires = ["setuptools-scm"]'))
    (project / ".git").mkdir()
    _, recipe = _inferred(project)
    done = _run(recipe.steps[0], project, LOCKAGE_VERSION="3.0")
    assert done.returncode == 1
    assert "there is a repository already" in done.stderr


def test_a_sdist_can_be_read_back(project: Path) -> None:
    _, recipe = _inferred(project)
    assert _run(recipe.steps[0], project).returncode == 0
    with tarfile.open(project / "dist/own-1.0.tar.gz") as archive:
        assert "own-1.0/data.txt" in archive.getnames()
