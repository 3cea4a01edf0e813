"""What a container is started with, and how an image that begins with another one takes it over.

Invariant: what was asked for counts before what lockage says of an image, and that before what the image had that it begins with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BASE_DIGEST", "BASE_NAME", "ImageConfig", "Settings", "on_base", "settings_of"]

#: Pre-defined annotation keys (annotations.md).
BASE_DIGEST = "org.opencontainers.image.base.digest"
BASE_NAME = "org.opencontainers.image.base.name"
#: Labels that say what an image itself was made of: they are wrong of one that begins with it.
_OF_ITSELF = ("lockage.", "org.opencontainers.image.base.")


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """How it is found out whether a container works; Docker's addition. Times are nanoseconds."""

    test: tuple[str, ...] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """The ``config`` object of a configuration (config.md), with what Docker has besides but for OnBuild, which is for its own builder."""

    user: str = ""
    exposed_ports: dict[str, dict[str, str] | None] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, dict[str, str] | None] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] | None = None


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a container of the image is started with; ``variables`` and ``labels`` are sorted when they are written.

    None is what nobody asked for. ``inherited`` has what only another image says, and ``variant`` is that image's.
    """

    architecture: str
    variant: str = ""
    variables: dict[str, str] = {}
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    user: str | None = None
    working_directory: str | None = None
    labels: dict[str, str] = {}
    inherited: Settings = Settings()


def on_base(config: ImageConfig, base: Settings, variant: str, fallback: Mapping[str, str]) -> ImageConfig:
    """The same where an image is begun with: what is not asked for is the image's, and ``fallback`` are variables that it may lack.

    An entry point that is asked for takes away the image's command, which were words for another one. Labels that say what the image
    itself was made of are dropped.
    """
    pairs = (text.partition("=") for text in base.env or ())
    variables = {name: value for name, equals, value in pairs if equals and name}
    labels = {name: value for name, value in (base.labels or {}).items() if not name.startswith(_OF_ITSELF)}
    command = base.cmd if config.command is None and config.entrypoint is None else config.command
    return msgspec.structs.replace(
        config,
        variant=variant,
        variables={**fallback, **variables, **config.variables},
        entrypoint=base.entrypoint if config.entrypoint is None else config.entrypoint,
        command=command,
        user=base.user if config.user is None else config.user,
        working_directory=base.working_dir if config.working_directory is None else config.working_directory,
        labels=labels | config.labels,
        inherited=base,
    )


def settings_of(config: ImageConfig) -> Settings:
    """What is written: a container that nobody said anything of starts a shell."""
    command = config.command
    if command is None and not config.entrypoint:
        command = ("/bin/sh",)
    return msgspec.structs.replace(
        config.inherited,
        user=config.user or "",
        env=tuple(sorted(f"{name}={value}" for name, value in config.variables.items())) or None,
        entrypoint=config.entrypoint or None,
        cmd=command or None,
        working_dir=config.working_directory or "",
        labels=config.labels or None,
    )
