"""The axes of a verification, and the worlds that vary them.

A host axis is something the contract hides from a step; a sandbox axis is something the contract fixes. Varying the
first proves `reproduced`, varying both proves `robust`. An axis has one or more levels, the values it takes in rebuilds; a choice is an
axis at one of its levels, written ``timezone`` for the first and ``timezone=GMT-14`` for another.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.variation.world import CONTRACT, World

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["AXES", "Axis", "Claim", "Level", "Side", "axis_of", "values_of", "vary"]


class Side(StrEnum):
    """Whether an axis belongs to the host, which the contract hides, or to the sandbox, whose values it fixes."""

    HOST = "host"
    SANDBOX = "sandbox"


class Claim(StrEnum):
    """What a verification claims of an artifact (docs/glossary.md)."""

    REPRODUCED = "reproduced"
    ROBUST = "robust"


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One value of an axis: the fields of a world that it sets. A ``severe`` one is varied only when asked for."""

    name: str
    fields: tuple[tuple[str, object], ...]
    severe: bool = False


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a verification varies: its levels, and what a bug on it looks like.

    A ``severe`` axis is dear, or one that a sound build may fail on: it is varied only when asked for.
    """

    name: str
    side: Side
    catches: str
    levels: tuple[Level, ...]
    severe: bool = False

    @property
    def fields(self) -> tuple[tuple[str, object], ...]:
        """What the first level sets."""
        return self.levels[0].fields

    def choices(self, *, severe: bool) -> tuple[str, ...]:
        """The axis at each of its levels, the first by the axis's name alone; without the severe ones if those are not wanted."""
        wanted = [level for level in self.levels if severe or not level.severe]
        return tuple(self.name if level is self.levels[0] else f"{self.name}={level.name}" for level in wanted)


def _fields(values: dict[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(values.items()))


def _axis(name: str, side: Side, catches: str, *, severe: bool = False, **fields: object) -> Axis:
    return Axis(name=name, side=side, catches=catches, levels=(Level(name="other", fields=_fields(fields)),), severe=severe)


def _levels(name: str, side: Side, catches: str, field: str, severe: Collection[str] = (), **levels: object) -> Axis:
    made = tuple(Level(name=text, fields=((field, value),), severe=text in severe) for text, value in levels.items())
    return Axis(name=name, side=side, catches=catches, levels=made)


_HOST, _SANDBOX = Side.HOST, Side.SANDBOX
_DAY, _HOUR = 86400, 3600

_NOISE = (*((f"NOISE_{number:02d}", "x" * (40 + number)) for number in range(24)), ("BUILD_ID", "4711"))
_CI = (
    ("CI", "true"),
    ("CONTINUOUS_INTEGRATION", "true"),
    ("GITHUB_ACTIONS", "true"),
    ("GITLAB_CI", "true"),
    ("BUILD_NUMBER", "815"),
)
_DESKTOP = (
    ("DISPLAY", ":7"),
    ("XDG_SESSION_TYPE", "wayland"),
    ("WAYLAND_DISPLAY", "wayland-7"),
    ("EDITOR", "vim"),
    ("PAGER", "less"),
    ("BROWSER", "firefox"),
)
_PROXY = tuple((name, "http://proxy.invalid:3128") for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"))
_SCREEN = (("TERM", "xterm-256color"), ("COLUMNS", "43"), ("LINES", "17"), ("COLORTERM", "truecolor"))
_JOBS = (
    ("MAKEFLAGS", "-j3"),
    ("CMAKE_BUILD_PARALLEL_LEVEL", "3"),
    ("MAX_JOBS", "3"),
    ("NPY_NUM_BUILD_JOBS", "3"),
    ("CARGO_BUILD_JOBS", "3"),
    ("OMP_NUM_THREADS", "3"),
)
#: glibc(7) tunables, "The Hardware Capability Tunables"; numpy and OpenBLAS: the variables of their CPU dispatch.
_FEATURES = (
    ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-AVX512F_Usable,-ERMS,-FSRM"),
    ("NPY_DISABLE_CPU_FEATURES", "AVX512F AVX512CD AVX512_SKX AVX2 FMA3"),
    ("OPENBLAS_CORETYPE", "Nehalem"),
    ("MKL_CBWR", "COMPATIBLE"),
)
_FOLDERS = ("/opt/tools/bin", "/usr/lib/ccache", "/usr/games", "/snap/bin")

#: Every axis that works without root, in the order in which they are reported.
AXES: tuple[Axis, ...] = (
    _axis("root-order", _HOST, "directory listings of the root, its file system and inodes", root_order="reversed"),
    _axis("cpu-affinity", _HOST, "which of the host's CPUs run the step", affinity="last"),
    _axis("kernel", _HOST, "the kernel release that uname reports", old_kernel=True),
    _axis("address-layout", _HOST, "order by memory address", fixed_addresses=True),
    _axis("priority", _HOST, "races decided by scheduling priority", niceness=7),
    _axis("uptime", _HOST, "the time since the machine was started, and the monotonic clock", uptime=92 * _DAY + 5 * _HOUR),
    _axis("free-space", _HOST, "the size of the file systems and what is free on them", room=2),
    _axis("load", _HOST, "races decided by what else runs on the CPU", severe=True, load=3),
    _axis("build-path", _SANDBOX, "the build directory and its length", build_path="/var/tmp/a-longer/path-to/the.build-2"),
    _axis("user", _SANDBOX, "user and group ids and names", uid=4321, gid=1234, user="verifier"),
    _axis("group", _SANDBOX, "the name of the user's group", group="verifiers"),
    _axis("account", _SANDBOX, "the user's full name and login shell", full_name="Vera Verifier,,,", login_shell="/bin/bash"),
    _axis("home", _SANDBOX, "the home directory", home="/srv/homes/verifier"),
    _axis("settings", _SANDBOX, "a user's own settings: files in the home directory", settings=True),
    _axis("hostname", _SANDBOX, "the host's name", hostname="other-host"),
    _axis("domain-name", _SANDBOX, "the NIS domain that getdomainname reports", domain="example.invalid"),
    _axis("machine-id", _SANDBOX, "/etc/machine-id", machine_id="7665726966696572000000000000beef"),
    _axis("boot-id", _SANDBOX, "the kernel's boot id", boot_id="76657269-6669-4572-8000-00000000beef"),
    _levels(
        "timezone",
        _SANDBOX,
        "local time",
        "timezone",
        **{"Asia/Kathmandu": "Asia/Kathmandu", "GMT+12": "Etc/GMT+12", "GMT-14": "Etc/GMT-14"},
    ),
    _levels(
        "locale",
        _SANDBOX,
        "sorting, case and messages by language",
        "locale",
        tr_TR="tr_TR.UTF-8",
        et_EE="et_EE.UTF-8",
        C="C",
    ),
    _levels("umask", _SANDBOX, "modes of files that the build makes", "umask", private=0o077, shared=0o002),
    _levels("file-order", _SANDBOX, "directory listings of the workspace", "file_order", reversed="reversed", shuffled="shuffled:7"),
    _levels("source-times", _SANDBOX, "the times of the source's files", "source_times", ["spread"], earlier="earlier", spread="spread"),
    _levels("source-modes", _SANDBOX, "the modes of the source's files and folders", "source_modes", shared="shared", private="private"),
    _axis("workspace-disk", _SANDBOX, "the file system of the workspace: sizes and order of folders", severe=True, on_disk=True),
    _axis("repository", _SANDBOX, "whether the source lies in a git repository", severe=True, repository=True),
    _axis("temporary-path", _SANDBOX, "the directory for temporary files", temporary="/var/cache/scratch"),
    _axis("temporary-files", _SANDBOX, "files that others left in the directory for temporary files", leftovers=True),
    _axis("process-ids", _SANDBOX, "the numbers of processes", last_pid=4710),
    _axis("cpu-count", _SANDBOX, "the number of CPUs that a step sees", cpus=2),
    _axis("cpu-model", _SANDBOX, "the CPU that /proc/cpuinfo names", cpu_model="Other CPU @ 3.00GHz"),
    _axis("cpu-features", _SANDBOX, "instruction sets that libraries choose by what the CPU has", features=_FEATURES),
    _axis("memory-size", _SANDBOX, "the memory that /proc/meminfo tells of", memory=3072),
    _axis("parallelism", _SANDBOX, "variables that say how much to run at once", jobs=_JOBS),
    _levels(
        "clock",
        _SANDBOX,
        "the date of the build",
        "clock_offset",
        ["after-2038"],
        **{
            "next-year": 398 * _DAY + 13 * _HOUR + 37,
            "next-month": 40 * _DAY + 5 * _HOUR + 11,
            "after-2038": 20 * 365 * _DAY + 17 * _HOUR + 7,
        },
    ),
    _axis("hash-seed", _SANDBOX, "order of sets and dictionaries of text", hash_seed="4242"),
    _axis("perl-hash-seed", _SANDBOX, "order of Perl's hashes", perl_seed="4242"),
    _axis("environment", _SANDBOX, "variables that have nothing to do with the build", noise=_NOISE),
    _axis("ci", _SANDBOX, "variables that CI services set", ci=_CI),
    _axis("desktop", _SANDBOX, "variables of a desktop session", desktop=_DESKTOP),
    _axis("proxy", _SANDBOX, "variables that name a proxy", proxy=_PROXY),
    _axis("screen", _SANDBOX, "variables that describe the terminal", screen=_SCREEN),
    _axis("search-path", _SANDBOX, "the length and folders of PATH", search_path=_FOLDERS),
    _axis("variable-order", _SANDBOX, "the order of the environment variables", variable_order="reversed"),
    _axis("terminal", _SANDBOX, "whether output goes to a terminal", terminal=True),
    _axis("input", _SANDBOX, "what standard input is", piped_input=True),
    _axis("limits", _SANDBOX, "the limits of open files and of the stack", open_files=4096, stack=64 << 20),
    _axis("signals", _SANDBOX, "signals that were ignored when it was started, as nohup and daemons do", ignored_signals=True),
    _axis("shell", _SANDBOX, "which shell /bin/sh is", other_shell=True),
    _axis("loopback", _SANDBOX, "whether the loopback network is up", severe=True, loopback=False),
    _axis("architecture", _SANDBOX, "the machine that uname reports: a 32-bit one", severe=True, narrow=True),
    _axis("second-run", _SANDBOX, "what an earlier run left in the same folder", severe=True, twice=True),
)

_BY_NAME = {axis.name: axis for axis in AXES}


def axis_of(choice: str) -> str:
    """The name of a choice's axis."""
    return choice.partition("=")[0]


def _level(choice: str) -> Level:
    name, given, level = choice.partition("=")
    levels = _BY_NAME[name].levels
    if not given:
        return levels[0]
    found = next((each for each in levels if each.name == level), None)
    if found is None:
        raise KeyError(choice)
    return found


def vary(choices: Collection[str], base: World = CONTRACT) -> World:
    """The world in which the axes differ from ``base`` as chosen; raises KeyError for an unknown axis or level."""
    changes: dict[str, object] = {}
    for choice in choices:
        changes.update(_level(choice).fields)
    return msgspec.structs.replace(base, **changes)


def values_of(choice: str) -> dict[str, str]:
    """What a choice sets, as text, for the record; long values are cut."""
    return {field: str(value)[:80] for field, value in _level(choice).fields}
