"""The Tab key, asked as bash asks: words from the commands, the recipe and the store, and silence where something is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import Digest
from lockage.cli import completion
from lockage.cli.app import run
from lockage.work.book import Book

RECIPE = """
[project]
name = "shop"
[environment.build]
os = "debian:bookworm"
[environment.docs]
os = "debian:bookworm"
[step.wheel]
environment = "build"
run = "make"
outputs = ["dist"]
[step.web]
environment = "docs"
run = "make"
outputs = ["web"]
"""
ASK = """
eval "$(lockage completion bash)"
COMP_WORDS=(lockage %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_lockage_completion lockage
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("LOCKAGE_KEYS", str(tmp_path / "keys"))
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "lockage.toml").write_text(RECIPE)
    monkeypatch.chdir(folder)
    return folder


def ask(words: str, folder: Path, tmp_path: Path) -> list[str]:
    """What bash would offer."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "lockage").write_text(f'#!/bin/sh\nexec {sys.executable} -P -c "from lockage.cli import main; main()" "$@"\n')
    (programs / "lockage").chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LOCKAGE_HOME": str(tmp_path / "store"),
        "LOCKAGE_KEYS": str(tmp_path / "keys"),
    }
    done = subprocess.run([bash, "-c", ASK % words], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return [word for word in done.stdout.split("\n") if word]


@pytest.mark.slow
def test_bash_completes_commands_steps_and_nothing_where_there_is_no_store(here: Path, tmp_path: Path) -> None:
    assert ask("ver", here, tmp_path) == ["verify"]
    assert ask("build --step w", here, tmp_path) == ["wheel", "web"]
    assert ask("promote shop --to ''", here, tmp_path) == []
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("shell", "says"), [("bash", "complete -o nosort"), ("zsh", "#compdef lockage"), ("fish", "complete --no-files --command lockage")]
)
def test_scripts(shell: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert says in script
    assert completion.VARIABLE in script
    assert run(["completion", "tcsh"]) == 2


def test_words_of_the_recipe_and_the_store(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, parameter = click.Context(click.Command("x")), click.Option(["--x"])
    assert completion.steps(context, parameter, "we") == ["web"]
    assert completion.environments(context, parameter, "") == ["build", "docs"]
    assert completion.runs(context, parameter, "") == []
    services = MemoryServices()
    monkeypatch.setattr(completion, "_catalog", lambda: Book.open(services, make=True).catalog)
    assert completion.channels(context, parameter, "") == ["dev", "staging", "prod"]
    assert completion.channels(context, parameter, "p") == ["prod"]
    assert completion.projects(context, parameter, "") == completion.releases(context, parameter, "") == []
    (here / "lockage.toml").write_text("not toml")
    assert completion.steps(context, parameter, "") == []


def test_a_broken_ledger_is_no_noise(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "ledger.db").write_bytes(Digest.of(b"x").encode())
    context, parameter = click.Context(click.Command("x")), click.Option(["--x"])
    assert completion.channels(context, parameter, "") == []
    assert capsys.readouterr() == ("", "")
