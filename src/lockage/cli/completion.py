"""``lockage completion``, and what completes the words of other commands."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lockage.catalog import Catalog
    from lockage.recipe.model import Recipe

__all__ = ["VARIABLE", "channels", "command", "environments", "projects", "releases", "runs", "shown", "steps"]

#: The variable by which the shell's script asks lockage for words; the scripts are click's own.
VARIABLE = "_LOCKAGE_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, channels, releases, steps and runs with the Tab key.

    \b
    Examples:
      lockage completion bash > ~/.local/share/bash-completion/completions/lockage
      lockage completion zsh > ~/.zfunc/_lockage
      lockage completion fish > ~/.config/fish/completions/lockage.fish
    """
    from click.shell_completion import get_completion_class

    from lockage.cli.app import program
    from lockage.cli.screen import say

    kind = get_completion_class(shell)
    assert kind is not None
    maker = kind(program, {}, "lockage", VARIABLE)
    say((maker.source_template % maker.source_vars()).strip())


def _catalog() -> Catalog:
    from lockage.wiring import Wiring
    from lockage.work.book import Book

    return Book.open(Wiring.from_process(), make=False).catalog


def _recipe() -> Recipe:
    from lockage.recipe.parse import parse_recipe

    return parse_recipe(Path("lockage.toml").read_bytes())


def _begun(words: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    """Those that begin so; whatever goes wrong gives none: a shell that completes has nowhere to tell of errors."""
    found: list[str] = []
    with suppress(Exception):
        found.extend(str(word) for word in words() if word.startswith(incomplete))
    return found


def channels(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Channels of the store."""
    return _begun(lambda: _catalog().policies, incomplete)


def projects(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Projects of the store."""
    return _begun(lambda: _catalog().projects, incomplete)


def releases(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Releases of the store, the newest of each project first."""

    def words() -> Iterator[str]:
        from lockage.work.release import release_title

        catalog = _catalog()
        for project in catalog.projects:
            yield from (release_title(record) for record in reversed(catalog.releases(project)))

    return _begun(words, incomplete)


def steps(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Steps of the recipe that stands here."""
    return _begun(lambda: [step.name for step in _recipe().steps], incomplete)


def environments(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Environments of the recipe that stands here."""
    return _begun(lambda: _recipe().environments, incomplete)


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Runs on this machine, the newest first."""

    def words() -> Iterable[str]:
        from lockage.wiring import Wiring

        return Wiring.from_process().runs.recent(20)

    return _begun(words, incomplete)


def shown(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """What can be shown: runs and releases."""
    return [*_begun(lambda: ["latest"], incomplete), *runs(context, parameter, incomplete), *releases(context, parameter, incomplete)]
