"""The ready-made CI files: true to the services' schemas, and every command in them run on the example, from nothing but the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "examples" / "ci"
#: It brings the schemas that the two services publish.
CHECKER = "check-jsonschema==0.39.0"
SCHEMAS = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}

pytestmark = [pytest.mark.sandbox, pytest.mark.network]


def uv_beside(tools: Path) -> list[str]:
    """The program uv with a cache beside the tools' environment: the user's own is no business of a test."""
    return [str(Path(sys.executable).with_name("uv")), "--cache-dir", str(tools.parents[1] / "cache")]


@pytest.fixture(scope="module")
def tools(module_path: Path) -> Path:
    """The bin folder of an environment with the checker, which reads YAML as well."""
    uv = uv_beside(module_path / "venv" / "bin")
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(module_path / "venv")], check=True, timeout=120)
    python = module_path / "venv" / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), CHECKER], check=True, timeout=300)
    return module_path / "venv" / "bin"


def read(tools: Path, name: str) -> Any:  # Any: whatever YAML holds
    code = "import json, ruamel.yaml, sys; print(json.dumps(ruamel.yaml.YAML(typ='safe', pure=True).load(open(sys.argv[1]))))"
    done = subprocess.run([tools / "python", "-c", code, str(EXAMPLES / name)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def commands(tools: Path, name: str) -> list[str]:
    """The shell commands of an example's job, in their order."""
    document = read(tools, name)
    if name.startswith("github"):
        return [step["run"] for step in document["jobs"]["build"]["steps"] if "run" in step]
    return [*document["build"]["before_script"], *document["build"]["script"]]


def cached(tools: Path) -> set[str]:
    """The folders of a store that the examples keep from job to job."""
    (step,) = (step for step in read(tools, "github-actions.yml")["jobs"]["build"]["steps"] if "cache" in step.get("uses", ""))
    paths = step["with"]["path"].split() + read(tools, "gitlab-ci.yml")["build"]["cache"]["paths"]
    return {path.partition("/lockage/")[2] or path.partition("/home/")[2] for path in paths}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_is_what_its_service_takes(tools: Path, name: str, tmp_path: Path) -> None:
    def check(file: Path) -> subprocess.CompletedProcess[str]:
        command = [str(tools / "check-jsonschema"), "--builtin-schema", SCHEMAS[name], str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    good = check(EXAMPLES / name)
    assert good.returncode == 0, good.stdout + good.stderr
    wrong = tmp_path / name
    wrong.write_text(
        (EXAMPLES / name).read_text().replace("timeout-minutes: 60", "timeout-minutes: [a]").replace("timeout: 1h", "timeout: []")
    )
    assert check(wrong).returncode == 1, "the schema is not looked at"


def test_every_command_of_the_examples_works_from_the_cache_alone(tools: Path, warm: Store, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept = cached(tools)
    assert kept == {"blobs", "roots/os", "roots/python"}
    copied = warm.copy(tmp_path / "job")
    for part in kept:
        (home / part).parent.mkdir(exist_ok=True)
        (home / part).symlink_to(copied.home / part)  # as if it had been restored; only what is missing is added
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "sudo": f'#!/bin/sh\necho "$@" >> {tmp_path}/sudo.txt\n',  # the setting is the runner's, not this machine's
        "lockage": f'#!/bin/sh\nexec {sys.executable} -P -c "from lockage.cli import main; main()" "$@"\n',
        "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    installed = tmp_path / "installed"
    build = [*uv_beside(tools), "build", "-q", "--wheel", "--out-dir", str(tmp_path / "wheel"), str(CHECKOUT)]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    variables = {
        "PATH": f"{programs}:{copied.environment()['PATH']}",
        "LOCKAGE": str(wheel),
        "PIP_TARGET": str(installed),  # not into the environment that runs the tests
        "PIP_NO_DEPS": "1",  # those are here; fetching them again proves nothing
        "GITHUB_ACTIONS": "true",
    }
    job = replace(copied, home=home, keys=tmp_path / "new-keys", settings=variables)
    done: dict[str, Any] = {}
    for line in dict.fromkeys(line for name in SCHEMAS for line in commands(tools, name)):
        done[line] = job.run(["bash", "-euo", "pipefail", "-c", line])
        assert done[line].code == 0, (line, done[line])
    assert (tmp_path / "sudo.txt").read_text() == "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n"
    assert (installed / "lockage" / "cli" / "app.py").is_file()

    built = done["lockage build --out dist"]
    assert "::group::package: done in " in built.stderr
    assert built.stderr.count("::group::") == built.stderr.count("::endgroup::") == 1  # the other step printed nothing
    assert "  manual: done in " in built.stderr
    assert "\x1b" not in built.stdout + built.stderr
    document = json.loads((job.work / "dist" / "build.json").read_text())
    assert document["source"]["origin"]["kind"] == "commit", "nothing that the job wrote made the source dirty"
    assert {artifact["filename"] for artifact in document["artifacts"]} == {
        path.name for path in (job.work / "dist").iterdir() if path.name not in ("build.json", ".gitignore")
    }
