"""The variables that every step gets, and why: contract version 1.

Where a value says the build path, a sandbox that puts the build elsewhere (only verification does) must say that path
instead (:func:`relocated`), so that a mapping away of the path still maps the path that is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.plan.action import WORKING_DIRECTORY
from lockage.recipe.model import Stamp

if TYPE_CHECKING:
    from lockage.environment.base import HostBase
    from lockage.environment.declaration import Architecture
    from lockage.record.source import Source

__all__ = ["FIXED", "JOBS", "PLATFORM", "PREVENTION", "prevention", "relocated", "search_path", "stamps"]

#: Fixed by the contract (docs/what-can-differ.md); a recipe cannot change them.
FIXED: dict[str, str] = {
    "HOME": "/home/builder",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LOGNAME": "builder",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "PYTHONHASHSEED": "0",
    "TMPDIR": "/tmp",  # noqa: S108 (a path in the sandbox, which is private)
    "TZ": "UTC",
    "USER": "builder",
}

#: Where a step starts, as the sandbox of the contract shows it.
_BUILD_PATH = f"/{WORKING_DIRECTORY}"

#: Defaults that keep common tools from recording what differs; a recipe may override each, or leave it out (`NAME = false`).
#: The reason stands beside it; docs/what-can-differ.md has the table.
#: CFLAGS and its like are not among them: set, they take the place of what setuptools and configure scripts would use, -O2 too.
PREVENTION: dict[str, tuple[str, str]] = {
    "ARFLAGS": ("rcD", "ar members carry no time, user or mode"),
    "CARGO_BUILD_RUSTFLAGS": (
        "--remap-path-prefix=/build=.",
        "panic messages and debug information carry build paths; a project's own flags win",
    ),
    "CPPFLAGS": (
        "-g0 -frandom-seed=lockage",
        "no debug information, which is large and can carry random names; no random names in link-time optimisation; tools add this",
    ),
    "FORCE_SOURCE_DATE": ("1", "TeX takes today's date from SOURCE_DATE_EPOCH"),
    "GOFLAGS": ("-trimpath -buildvcs=false", "Go writes neither build paths nor the state of a repository into programs"),
    "PERL_HASH_SEED": ("0", "hash order of Perl programs"),
    "PIP_DISABLE_PIP_VERSION_CHECK": ("1", "pip does not look for a newer one"),
    "PIP_NO_INDEX": ("1", "there is no network; pip fails at once instead of trying"),
    "PYTHONDONTWRITEBYTECODE": ("1", "no .pyc with the mtimes of the sandbox in outputs"),
    "PYTHONNOUSERSITE": ("1", "only the environment's packages are imported"),
    "PYTHONUNBUFFERED": ("1", "what a program says stands in the log before the error that follows it"),
    "TAR_OPTIONS": ("--sort=name --owner=0 --group=0 --numeric-owner", "GNU tar packs in one order, and says nothing of who packs"),
    "ZERO_AR_DATE": ("1", "ranlib and libtool write no time"),
}

#: Variables that say how many jobs to run beside each other, for tools that would else ask the machine, or take more than it has CPUs.
#: Their value is the count of CPUs that the step declares; a recipe may override them as well.
JOBS: dict[str, str] = {
    "CMAKE_BUILD_PARALLEL_LEVEL": "`cmake --build`, and so ninja below it, which takes two more than there are CPUs",
    "MAX_JOBS": "extensions of PyTorch, and what copied its ways",
    "NPY_NUM_BUILD_JOBS": "numpy.distutils",
}

#: Variables that name the platform that is built for; a recipe may override them as well.
PLATFORM: dict[str, str] = {
    "_PYTHON_HOST_PLATFORM": "Python names wheels for it, or else for the machine that the kernel tells of (`sysconfig.get_platform`)",
}
_PLATFORMS = {"amd64": "linux-x86_64", "arm64": "linux-aarch64"}


def prevention(cpus: int, architecture: Architecture) -> dict[str, str]:
    """The values of :data:`PREVENTION`, :data:`JOBS` and :data:`PLATFORM` for a step that sees so many CPUs of this architecture."""
    fixed = {name: value for name, (value, _) in PREVENTION.items()}
    return fixed | dict.fromkeys(JOBS, str(cpus)) | dict.fromkeys(PLATFORM, _PLATFORMS[architecture])


def search_path(host: HostBase) -> tuple[str, ...]:
    """Where programs are looked for on a host: what the recipe says of it, then the contract's folders."""
    return (*host.path, *FIXED["PATH"].split(":"))


def stamps(source: Source, wanted: tuple[Stamp, ...]) -> dict[str, str]:
    """The stamp variables of a step: SOURCE_DATE_EPOCH always (the fixed epoch unless asked for), LOCKAGE_VERSION if asked for."""
    date = source.date if Stamp.DATE in wanted else ZIP_FLOOR
    found = {"SOURCE_DATE_EPOCH": str(int(date))}
    if Stamp.VERSION in wanted:
        found["LOCKAGE_VERSION"] = str(source.version)
    return found


def relocated(variables: tuple[tuple[str, str], ...], *, build_path: str, temporary: str) -> tuple[tuple[str, str], ...]:
    """The variables of an action for a sandbox whose build path or folder for temporary files is another one."""
    if build_path == _BUILD_PATH and temporary == FIXED["TMPDIR"]:
        return variables
    moves = ((f"={_BUILD_PATH}=", f"={build_path}="), (f"={FIXED['TMPDIR']}=", f"={temporary}="))

    def moved(value: str) -> str:
        for here, there in moves:
            value = value.replace(here, there)
        return value

    return tuple((name, moved(value) if name in PREVENTION else value) for name, value in variables)
