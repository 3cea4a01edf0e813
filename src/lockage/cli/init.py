"""``lockage init``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.options import add_option, json_option, source_argument

__all__ = ["command"]


@click.command("init")
@source_argument
@add_option
@json_option
def command(source: str, added: tuple[str, ...], as_json: bool) -> None:
    """Write the recipe that lockage infers for the project in SOURCE into its lockage.toml, commented.

    An existing lockage.toml is never overwritten.
    """
    from lockage.base.errors import Usage
    from lockage.cli.screen import Progress, print_json, say
    from lockage.recipe.render import render
    from lockage.wiring import Wiring
    from lockage.work.prepare import infer_recipe

    folder = Path(source)
    path = folder / "lockage.toml"
    if not folder.is_dir():
        raise Usage(f"{source} is not a directory", hint="Name the folder of a Python project.")
    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    if wiring.folders.read(folder, path.name) is not None:
        raise Usage(f"{path} is already there", hint="Edit it, or move it away first.", file=str(path))
    recipe = infer_recipe(wiring, source, added=added)
    wiring.folders.write(folder, path.name, render(recipe).encode())
    if as_json:
        print_json({"file": str(path), "project": recipe.project, "steps": [step.name for step in recipe.steps]})
    else:
        say(f"{path} written: {', '.join(step.name for step in recipe.steps)}. Next: `lockage lock`, then commit both files.")
