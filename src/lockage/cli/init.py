"""``lockage init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.options import json_option, source_argument, wanted_options

if TYPE_CHECKING:
    from lockage.recipe.wanted import Wanted

__all__ = ["command"]


@click.command("init")
@source_argument
@wanted_options
@json_option
def command(source: str, wanted: Wanted, as_json: bool) -> None:
    """Write the recipe that lockage infers for the project in SOURCE into its lockage.toml, commented.

    Where there is a uv.lock, poetry.lock, pdm.lock or pylock.toml, a test step with what that pins is added as a comment.
    An existing lockage.toml is never overwritten.

    \b
    Examples:
      lockage init
      lockage init services/shop
    """
    from lockage.base.errors import Usage
    from lockage.cli.screen import Progress, print_json, say
    from lockage.recipe.render import render
    from lockage.wiring import Wiring
    from lockage.work.prepare import infer_recipe
    from lockage.work.python_lock import tests_offered

    folder = Path(source)
    path = folder / "lockage.toml"
    if not folder.is_dir():
        raise Usage(f"{source} is not a directory", hint="Name the folder of a Python project.")
    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    if wiring.folders.read(folder, path.name) is not None:
        raise Usage(f"{path} is already there", hint="Edit it, or move it away first.", file=str(path))
    recipe = infer_recipe(wiring, source, wanted)
    offered = tests_offered(wiring, source, recipe)
    wiring.folders.write(folder, path.name, (render(recipe) + (f"\n{offered}" if offered else "")).encode())
    if as_json:
        print_json({"file": str(path), "project": recipe.project, "steps": [step.name for step in recipe.steps]})
    else:
        say(f"{path} written: {', '.join(step.name for step in recipe.steps)}. Next: `lockage lock`, then commit both files.")
