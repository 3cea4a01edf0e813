"""The axes of a verification, and the worlds that vary them.

A host axis is something the contract hides from a step; a sandbox axis is something the contract fixes. Varying the
first proves `reproduced`, varying both proves `robust`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.variation.world import CONTRACT, World

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["AXES", "Axis", "Claim", "Side", "values_of", "vary"]


class Side(StrEnum):
    """Whether an axis belongs to the host, which the contract hides, or to the sandbox, whose values it fixes."""

    HOST = "host"
    SANDBOX = "sandbox"


class Claim(StrEnum):
    """What a verification claims of an artifact (docs/glossary.md)."""

    REPRODUCED = "reproduced"
    ROBUST = "robust"


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a verification varies: the fields of a world it sets, and what a bug on it looks like."""

    name: str
    side: Side
    fields: tuple[tuple[str, object], ...]
    catches: str


def _axis(name: str, side: Side, catches: str, **fields: object) -> Axis:
    return Axis(name=name, side=side, fields=tuple(sorted(fields.items())), catches=catches)


_NOISE = (
    *((f"NOISE_{number:02d}", "x" * (40 + number)) for number in range(24)),
    ("BUILD_ID", "4711"),
    ("CI", "true"),
    ("TERM", "xterm-256color"),
)

#: Every axis that works without root, in the order in which they are reported.
AXES: tuple[Axis, ...] = (
    _axis("root-order", Side.HOST, "directory listings of the root, its file system and inodes", root_order="reversed"),
    _axis("cpu-affinity", Side.HOST, "which of the host's CPUs run the step", affinity="last"),
    _axis("kernel", Side.HOST, "the kernel release that uname reports", old_kernel=True),
    _axis("address-layout", Side.HOST, "order by memory address", fixed_addresses=True),
    _axis("priority", Side.HOST, "races decided by scheduling priority", niceness=7),
    _axis("build-path", Side.SANDBOX, "the build directory and its length", build_path="/var/tmp/a-longer/path-to/the.build-2"),
    _axis("user", Side.SANDBOX, "user and group ids and names", uid=4321, gid=1234, user="verifier"),
    _axis("home", Side.SANDBOX, "the home directory", home="/srv/homes/verifier"),
    _axis("hostname", Side.SANDBOX, "the host's name", hostname="other-host"),
    _axis("timezone", Side.SANDBOX, "local time", timezone="Asia/Kathmandu"),
    _axis("locale", Side.SANDBOX, "sorting, case and messages by language", locale="tr_TR.UTF-8"),
    _axis("umask", Side.SANDBOX, "modes of files that the build makes", umask=0o077),
    _axis("file-order", Side.SANDBOX, "directory listings of the workspace", file_order="reversed"),
    _axis("temporary-path", Side.SANDBOX, "the directory for temporary files", temporary="/var/cache/scratch"),
    _axis("cpu-count", Side.SANDBOX, "the number of CPUs that a step sees", cpus=2),
    _axis("clock", Side.SANDBOX, "the date of the build", clock_offset=398 * 86400 + 13 * 3600 + 37),
    _axis("hash-seed", Side.SANDBOX, "order of sets and dictionaries of text", hash_seed="4242"),
    _axis("environment", Side.SANDBOX, "variables that have nothing to do with the build", noise=_NOISE),
)

_BY_NAME = {axis.name: axis for axis in AXES}


def vary(names: Collection[str], base: World = CONTRACT) -> World:
    """The world in which the named axes differ from ``base``; raises KeyError for an unknown name."""
    changes: dict[str, object] = {}
    for name in names:
        changes.update(_BY_NAME[name].fields)
    return msgspec.structs.replace(base, **changes)


def values_of(name: str) -> dict[str, str]:
    """What an axis sets, as text, for the record; long values are cut."""
    return {field: str(value)[:80] for field, value in _BY_NAME[name].fields}
