"""The arguments that make one sandbox. They travel through a descriptor, so ``/proc/1/cmdline`` shows the step's own command only.

Invariant: the arguments follow from the request alone; descriptors have fixed numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.sandbox_bwrap.measure import SHARED_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.adapters.sandbox_bwrap.layout import Layout
    from lockage.variation.world import World

__all__ = ["ARGS_FD", "BLOCK_FD", "COMMAND_LINE", "FILTER_FD", "INFO_FD", "READY", "READY_FD", "Place", "arguments", "places"]

ARGS_FD, INFO_FD, BLOCK_FD, READY_FD, FILTER_FD = 3, 4, 5, 6, 7
#: An empty file in the last writable folder, which bubblewrap makes from :data:`READY_FD` once all mounts are made.
READY = ".ready"
COMMAND_LINE = ("bwrap", "--args", str(ARGS_FD), "--")

_KIB = 1 << 10

_NAMESPACES = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
_ISOLATION = (*_NAMESPACES, "--disable-userns", "--die-with-parent", "--cap-drop", "ALL")


class Place(msgspec.Struct, frozen=True):
    """A writable folder of the sandbox: an absolute path, its mode and its largest size in bytes.

    ``disk`` is a folder of the host to be it, in place of one in memory; the size is not held then.
    """

    path: str
    mode: int
    size: int
    disk: str | None = None


def places(world: World, disk: int, folder: str | None = None) -> tuple[Place, ...]:
    """The writable folders of a world, the workspace first; all together may hold ``disk`` bytes, which is watched.

    ``folder`` is one of the host to be the workspace.
    """
    size = max(disk, 64 * _KIB) * world.room
    found = {world.build_path: Place(world.build_path, 0o755, size, folder)}
    for path, mode in ((world.home, 0o755), ("/tmp", 0o1777), (world.temporary, 0o1777)):  # noqa: S108 (inside the sandbox)
        found.setdefault(path, Place(path, mode, size))
    return tuple(found.values())


def arguments(
    *,
    world: World,
    layout: Layout,
    writable: Iterable[Place],
    over: Iterable[tuple[str, str]],
    variables: Iterable[tuple[str, str]],
    session: bool = True,
    filtered: bool = False,
) -> bytes:
    """What :data:`ARGS_FD` gives, NUL-separated; ``over`` are read-only binds (host, sandbox) on top of /proc and /sys.

    Without ``session`` the sandbox stays in the session that it is started in, whose terminal is made for it. ``filtered``: a seccomp
    program comes by :data:`FILTER_FD`.
    """
    found = [*_ISOLATION, *(("--new-session",) if session else ())]
    found += ["--uid", str(world.uid), "--gid", str(world.gid), "--hostname", world.hostname, "--clearenv"]
    for name, value in variables:
        found += ["--setenv", name, value]
    found += [*layout.arguments(), "--proc", "/proc"]
    found += ["--dev", "/dev", "--size", str(SHARED_MEMORY), "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    for source, path in over:
        found += ["--ro-bind", source, path]
    folders = sorted(writable, key=lambda place: place.path)
    for place in folders:
        in_memory = ["--size", str(place.size), "--perms", f"{place.mode:04o}", "--tmpfs", place.path]
        found += in_memory if place.disk is None else ["--bind", place.disk, place.path]
    found += ["--file", str(READY_FD), f"{folders[-1].path}/{READY}"]
    found += ["--chdir", world.build_path, "--info-fd", str(INFO_FD), "--block-fd", str(BLOCK_FD)]
    if filtered:
        found += ["--seccomp", str(FILTER_FD)]
    return b"".join(text.encode() + b"\0" for text in found)
