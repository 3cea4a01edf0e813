"""``lockage env export``, ``env sbom`` and ``env image``: an environment as an image, as a bill of materials, what one may begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.completion import environments
from lockage.cli.options import json_option, lock_option, platform_option, source_option

if TYPE_CHECKING:
    from lockage.environment.declaration import Architecture

__all__ = ["bill", "export", "image"]


@click.command("export")
@click.argument("name", metavar="ENV", shell_complete=environments)
@click.option(
    "--oci", "target", required=True, type=click.Path(path_type=Path), help="A folder for an OCI image layout, or a file that ends in .tar."
)
@click.option("--tag", help="The image's name in the layout; an image that has it already gives way.")
@click.option("--release", "release_name", metavar="RELEASE", help="Install what this release brings as the last layer.")
@click.option("--entrypoint", metavar="COMMAND", help="What a container runs, as a shell would read it.")
@click.option("--command", metavar="COMMAND", help="What the entry point is given where nothing else is, as a shell would read it.")
@click.option("--user", help="Who runs it: a name of the image or a number, such as 1000:1000.")
@click.option("--workdir", metavar="PATH", help="The folder that it begins in.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label; may be given several times.")
@click.option("--flat", is_flag=True, help="Write the root in layers of its own, without those of the image that it begins with.")
@click.option("--sbom", "with_bill", is_flag=True, help="Attach a bill of materials (CycloneDX), to be found by the image.")
@platform_option
@source_option
@lock_option
@json_option
def export(
    name: str,
    target: Path,
    tag: str | None,
    release_name: str | None,
    entrypoint: str | None,
    command: str | None,
    user: str | None,
    workdir: str | None,
    labels: tuple[str, ...],
    flat: bool,
    with_bill: bool,
    platform: Architecture | None,
    source: str,
    lock_file: Path | None,
    as_json: bool,
) -> None:
    """Write the environment ENV as an OCI image; the same lock gives the same digest on every machine.

    A folder may hold several images, which share their layers. An environment that begins with an image becomes one on that image's layers,
    with its settings where no option says otherwise. With --release the release's wheel is installed in it. Of an environment
    that is locked for several platforms it is the machine's, or the one that --platform names: nothing of it is run.

    \b
    Examples:
      lockage env export build --oci image --tag shop-build
      lockage env export build --oci image --platform arm64
      lockage env export run --oci shop.tar --release shop@1.2.0 --entrypoint shop --user 1000:1000
    """
    from lockage.base.errors import Usage
    from lockage.base.name import EnvironmentName
    from lockage.cli.project import open_project
    from lockage.cli.screen import human_size, print_json, say, short
    from lockage.environment.base import LAYOUT, ImageBase
    from lockage.environment.image import ImageConfig
    from lockage.environment.platforms import split_name
    from lockage.plan.contract import FIXED
    from lockage.work.environments import environment_of
    from lockage.work.export_image import export_image
    from lockage.work.release import named_release

    given = dict(_label(text) for text in labels)
    if workdir and not workdir.startswith("/"):
        raise Usage(f"--workdir is no absolute path: {workdir!r}", hint="Begin it with a slash.")
    wiring, project = open_project(source, lock_file=lock_file, quiet=as_json)
    environment = environment_of(project.lock, name, platform)
    declared = project.recipe.environments.get(EnvironmentName(split_name(name)[0]))  # a lock may hold more than the recipe
    pulled = environment.pulled
    variables = {key: FIXED[key] for key in ("LANG", "PATH")} if pulled is None else pulled.variables
    config = ImageConfig(
        architecture=environment.architecture,
        variables={**variables, **(declared.variables if declared is not None else {})},
        entrypoint=_words("--entrypoint", entrypoint),
        command=_words("--command", command),
        user=user,
        working_directory=workdir,
        labels=given,
    )
    image = declared.image if declared is not None else None
    here = isinstance(image, ImageBase) and pulled is not None and image.digest == pulled.digest
    place = image.place if isinstance(image, ImageBase) and here and not image.place.startswith(LAYOUT) else ""
    release = named_release(wiring, release_name) if release_name is not None else None
    found = export_image(wiring, name, environment, target, config, tag=tag, place=place, flat=flat, release=release, with_bill=with_bill)
    if as_json:
        print_json({"digest": f"sha256:{found.digest}", "size": found.size, "layers": found.layers, "file": str(target), "tag": tag})
        return
    say(f"{target}: image sha256:{found.digest}{f', {tag}' if tag else ''}")
    for layer in found.layers:
        say(f"  layer {short(layer.blob.digest)}  {human_size(layer.blob.size)}  {layer.comment}")
    if pulled is not None:
        shared = sum(layer.of_base for layer in found.layers)
        say(f"  {shared} of {len(found.layers)} layers are those of {pulled.base}{', as --flat says' if flat else ''}")


def _words(option: str, text: str | None) -> tuple[str, ...] | None:
    """What a shell makes of an option; None if it is not given."""
    import shlex

    from lockage.base.errors import Usage

    try:
        return None if text is None else tuple(shlex.split(text))
    except ValueError as error:
        raise Usage(f"{option} cannot be read: {error}", hint="Quote it as for a shell.") from error


def _label(text: str) -> tuple[str, str]:
    from lockage.base.errors import Usage

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Usage(f"not a label: {text!r}", hint="Write it as KEY=VALUE.")
    return name, value


@click.command("sbom")
@click.argument("name", metavar="ENV", shell_complete=environments)
@click.option("--release", "release_name", metavar="RELEASE", help="With what this release brings.")
@platform_option
@source_option
@lock_option
def bill(name: str, release_name: str | None, platform: Architecture | None, source: str, lock_file: Path | None) -> None:
    """Print what the environment ENV is made of as a bill of materials (CycloneDX 1.6, JSON).

    It names every OS package and every Python package of the lock by package URL, version and sha256. The same lock gives the same bytes.

    \b
    Examples:
      lockage env sbom build > sbom.cdx.json
      lockage env sbom build --platform arm64
      lockage env sbom run --release shop@1.2.0
    """
    import sys

    from lockage.cli.project import open_project
    from lockage.work.environments import environment_of
    from lockage.work.export_image import bill_of
    from lockage.work.release import named_release

    wiring, project = open_project(source, lock_file=lock_file, quiet=True)
    environment = environment_of(project.lock, name, platform)
    release = named_release(wiring, release_name) if release_name is not None else None
    sys.stdout.buffer.write(bill_of(name, environment, release) + b"\n")


@click.command("image")
@click.argument("name", metavar="IMAGE")
@json_option
def image(name: str, as_json: bool) -> None:
    """Print by its digest the image that a tag names now, as `image` of an environment takes it.

    IMAGE is REGISTRY/NAME:TAG, or oci:PATH or oci:PATH:TAG for an image layout. Nothing is kept, and no recipe is changed.

    \b
    Examples:
      lockage env image registry.example.org/pypa/manylinux_2_28_x86_64:latest
      lockage env image oci:image:shop-build
    """
    from lockage.cli.screen import print_json, say
    from lockage.wiring import Wiring
    from lockage.work.base_image import image_of_tag

    found = image_of_tag(Wiring.from_process(), name)
    text = f"{found.place}@sha256:{found.digest}"
    if as_json:
        print_json({"image": text, "digest": f"sha256:{found.digest}"})
        return
    say(text)
