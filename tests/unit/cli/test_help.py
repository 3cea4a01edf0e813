"""Every help has examples, and every example can be typed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lockage.cli.app import COMMANDS, program


def everything() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand with what is typed for it."""
    yield "lockage", program
    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        yield f"lockage {name}", command
        if isinstance(command, click.Group):
            yield from ((f"lockage {name} {below}", inner) for below, inner in command.commands.items())


def examples(command: click.Command) -> list[str]:
    """The lines of its block of examples; what is said beside them, and where a shell puts the output, is left out."""
    _, found, block = (command.help or "").partition("Examples")
    assert found, "no examples"
    lines = [line.strip() for line in block.split("\n")[1:]]
    return [line.partition("   ")[0].partition(" > ")[0].strip() for line in lines if line.startswith("lockage")]


@pytest.mark.parametrize(("typed", "command"), [pytest.param(*pair, id=pair[0]) for pair in everything()])
def test_examples_can_be_typed(typed: str, command: click.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = examples(command)
    assert lines
    for line in lines:
        assert line == typed or line.startswith(f"{typed} "), "an example of another command"
        words = shlex.split(line)[1:]
        for word in words:
            if word.endswith((".lock", ".toml", ".whl", ".tar.gz")):  # files that have to be there
                (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / word).touch()
        _parse(program, words)


def _parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Parse as click does, without running anything; raises on what there is not.

    Within its parent's context: click keeps the names of a command's help option as it is asked for them first.
    """
    context = command.make_context("lockage", list(words), parent=parent)
    if isinstance(command, click.Group) and context._protected_args:
        rest = [*context._protected_args, *context.args]
        _, inner, left = command.resolve_command(context, rest)
        assert inner is not None
        _parse(inner, left, context)
