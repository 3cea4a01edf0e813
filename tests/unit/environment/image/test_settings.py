"""What a container is started with where an image begins with another one."""

from __future__ import annotations

import pytest

from lockage.environment.image import ImageConfig, Settings, on_base
from lockage.environment.image.settings import settings_of

BASE = Settings(
    user="1000",
    env=("PATH=/opt/bin", "HOME=/srv", "odd", "HOME=/root"),
    entrypoint=("/bin/tool",),
    cmd=("serve",),
    working_dir="/srv",
    labels={"maintainer": "a", "lockage.release": "other", "org.opencontainers.image.base.digest": "below", "lockage": "a word"},
    exposed_ports={"80/tcp": {}},
    volumes={"/data": {}},
    stop_signal="SIGINT",
    shell=("/bin/sh", "-c"),
)
NOTHING = ImageConfig(architecture="arm64")


def written(config: ImageConfig, base: Settings = BASE) -> Settings:
    return settings_of(on_base(config, base, "v8", {"LANG": "C.UTF-8", "PATH": "/usr/bin"}))


def test_what_nobody_asks_for_is_the_bases() -> None:
    found = written(NOTHING)
    assert found == Settings(
        user="1000",
        env=("HOME=/root", "LANG=C.UTF-8", "PATH=/opt/bin"),
        entrypoint=("/bin/tool",),
        cmd=("serve",),
        working_dir="/srv",
        labels={"maintainer": "a", "lockage": "a word"},
        exposed_ports={"80/tcp": {}},
        volumes={"/data": {}},
        stop_signal="SIGINT",
        shell=("/bin/sh", "-c"),
    )
    assert on_base(NOTHING, BASE, "v8", {}).variant == "v8"


def test_what_is_asked_for_counts_before_the_bases() -> None:
    asked = ImageConfig(
        architecture="arm64",
        variables={"PATH": "/ours", "NEW": "1"},
        command=("-V",),
        user="0",
        working_directory="/",
        labels={"maintainer": "b", "lockage.release": "ours"},
    )
    found = written(asked)
    assert found.env == ("HOME=/root", "LANG=C.UTF-8", "NEW=1", "PATH=/ours")
    assert (found.entrypoint, found.cmd) == (("/bin/tool",), ("-V",))
    assert (found.user, found.working_dir) == ("0", "/")
    assert found.labels == {"maintainer": "b", "lockage": "a word", "lockage.release": "ours"}


@pytest.mark.parametrize(
    ("entrypoint", "command", "expected"),
    [
        (None, None, (("/bin/tool",), ("serve",))),
        (("/bin/other",), None, (("/bin/other",), None)),
        (("/bin/other",), ("x",), (("/bin/other",), ("x",))),
        ((), None, (None, ("/bin/sh",))),
        ((), ("x",), (None, ("x",))),
        (None, (), (("/bin/tool",), None)),
    ],
)
def test_another_entry_point_takes_the_command_away(
    entrypoint: tuple[str, ...] | None, command: tuple[str, ...] | None, expected: tuple[object, object]
) -> None:
    found = written(ImageConfig(architecture="arm64", entrypoint=entrypoint, command=command))
    assert (found.entrypoint, found.cmd) == expected


def test_an_empty_user_and_folder_are_asked_for_too() -> None:
    found = written(ImageConfig(architecture="arm64", user="", working_directory=""))
    assert (found.user, found.working_dir) == ("", "")


def test_a_base_that_says_nothing_starts_a_shell() -> None:
    found = written(NOTHING, Settings())
    assert (found.entrypoint, found.cmd, found.labels) == (None, ("/bin/sh",), None)
    assert found.env == ("LANG=C.UTF-8", "PATH=/usr/bin")
