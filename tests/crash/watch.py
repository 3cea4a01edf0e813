"""A process watched: every change that it is about to make below some folders is told first, and may be refused or be its last.

Invariants: changes are numbered from 1 in the order in which they are made, whatever thread or child makes them; each is told with all
that is needed to make it again; what a process does elsewhere, or in a mount namespace of its own, is not told and not stopped.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import select
import signal
import socket
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from tests.crash.calls import ARCHITECTURES, NOTIFICATION, RECEIVE, RESPONSE, SEND, listen

__all__ = ["KILL", "Change", "Ended", "watch"]

#: What a decision returns to end the process before the change; an error number to refuse it; 0 to let it be made.
KILL = -1

_HERE = -100 & 0xFFFFFFFF
_CONTINUE = 1
#: Calls that are answered as if they had been made: what they are for is the disk's, which is a model here, and they take long.
_SYNCHRONISING = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range")
_EXCHANGE, _NO_REPLACE = 2, 1
_REMOVE_FOLDER = 0x200
_IOV_LIMIT = 1024


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the file system: the call's name without its variants, and absolute paths.

    ``data`` at ``offset`` of writes; ``length`` of truncations and allocations; ``flags`` of openings and renames.
    """

    number: int
    call: str
    path: str
    other: str = ""
    data: bytes = b""
    offset: int = 0
    length: int = 0
    flags: int = 0
    mode: int = 0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A process that ended: its exit code (negative: the signal), what it wrote, and how many changes it asked for."""

    code: int
    out: str
    err: str
    changes: int


#: Told of a change before it is made; returns 0, an error number, or KILL.
Decision = Callable[[Change], int]


def watch(run: Callable[[], int], folders: list[Path], decide: Decision, scratch: Path) -> Ended:
    """Fork, run the callable in the child with its output into files of ``scratch``, and decide on each of its changes."""
    ours, theirs = socket.socketpair()
    out, err = scratch / "out.txt", scratch / "err.txt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, which the child does not have and does not miss
        child = os.fork()
    if child == 0:
        _run(run, theirs, out, err)
    theirs.close()
    with ours:
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    if not descriptors:
        os.waitpid(child, 0)
        raise OSError(err.read_text())
    watcher = _Watcher(descriptors[0], child, [os.path.realpath(folder) for folder in folders], decide)
    try:
        watcher.serve()
    except BaseException:
        with suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        raise
    finally:
        os.close(descriptors[0])
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return Ended(code=code, out=out.read_text(), err=err.read_text(), changes=watcher.count)


def _run(run: Callable[[], int], parent: socket.socket, out: Path, err: Path) -> None:
    code = 70
    try:
        os.setsid()
        _forget_parent()
        for descriptor, path in ((1, out), (2, err)):
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(target, descriptor)
            os.close(target)
        sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", closefd=False) for descriptor in (1, 2))  # not a test's
        listener = listen()
        socket.send_fds(parent, [b"x"], [listener])
        os.close(listener)
        parent.close()
        code = run()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 (a forked child must not go on as its parent)
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _forget_parent() -> None:
    """What the parent wants to be done when it ends is not this process's to do."""
    atexit._clear()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined] # nothing else tells of it
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined] # as above


class _Watcher:
    def __init__(self, listener: int, child: int, folders: list[str], decide: Decision) -> None:
        self._listener = listener
        self._child = child
        self._folders = tuple(f"{folder}/" for folder in folders)
        self._decide = decide
        self._calls = ARCHITECTURES[os.uname().machine][1]
        self._namespace = str(Path("/proc/self/ns/mnt").readlink())
        self.count = 0

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while True:
            events = poll.poll()
            if events and events[0][1] & select.POLLIN:
                buffer = bytearray(NOTIFICATION.size)
                try:
                    fcntl.ioctl(self._listener, RECEIVE, buffer)
                except FileNotFoundError:
                    continue  # it was killed meanwhile
                self._answer(*NOTIFICATION.unpack(buffer))
            elif events and events[0][1] & (select.POLLHUP | select.POLLERR):
                return

    def _answer(self, key: int, task: int, flags: int, number: int, arch: int, pointer: int, *arguments: int) -> None:
        verdict, call = 0, self._calls[number]
        change = self._change(task, call, arguments)
        if change is not None:
            self.count += 1
            verdict = self._decide(msgspec.structs.replace(change, number=self.count))
        if verdict == KILL:
            os.killpg(self._child, signal.SIGKILL)
            return
        made = 0 if verdict or call in _SYNCHRONISING else _CONTINUE
        answer = RESPONSE.pack(key, 0, -verdict, made)
        with suppress(FileNotFoundError):  # it was killed meanwhile
            fcntl.ioctl(self._listener, SEND, answer)

    # What a call is about to change

    def _change(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        try:
            if str(Path(f"/proc/{task}/ns/mnt").readlink()) != self._namespace:
                return None
            found = _READERS[call](self, task, call, a)
        except (FileNotFoundError, ProcessLookupError):
            return None  # the descriptor is no file, or the process is gone
        if found is None or not (self._watched(found.path) or (found.other and self._watched(found.other))):
            return None
        return found

    def _watched(self, path: str) -> bool:
        return f"{path}/".startswith(self._folders)

    def _descriptor(self, task: int, number: int) -> str:
        return str(Path(f"/proc/{task}/fd/{number & 0xFFFFFFFF}").readlink())

    def _name(self, task: int, folder: int, pointer: int) -> str:
        """The path of a call, its folder resolved as the kernel does; its last part may be a link, which is kept."""
        text = os.fsdecode(self._text(task, pointer))
        if not text.startswith("/"):
            base = str(Path(f"/proc/{task}/cwd").readlink()) if folder & 0xFFFFFFFF == _HERE else self._descriptor(task, folder)
            text = f"{base}/{text}"
        head, _, tail = text.rstrip("/").rpartition("/")
        return os.path.normpath(f"{os.path.realpath(head)}/{tail}")

    def _text(self, task: int, pointer: int) -> bytes:
        found = b""
        with open(f"/proc/{task}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 (no file has this name)
            while b"\0" not in found:
                memory.seek(pointer + len(found))
                found += memory.read(4096 - (pointer + len(found)) % 4096)  # up to the end of a page that is there
        return found.partition(b"\0")[0]

    def _bytes(self, task: int, pointer: int, size: int) -> bytes:
        with open(f"/proc/{task}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
            memory.seek(pointer)
            return memory.read(size) if size else b""

    def _gathered(self, task: int, pointer: int, count: int) -> bytes:
        parts = self._bytes(task, pointer, 16 * min(count, _IOV_LIMIT))
        places = [
            (int.from_bytes(parts[at : at + 8], "little"), int.from_bytes(parts[at + 8 : at + 16], "little"))
            for at in range(0, len(parts), 16)
        ]
        return b"".join(self._bytes(task, start, size) for start, size in places)

    def _position(self, task: int, number: int) -> tuple[int, int]:
        """Where a descriptor stands, and its flags."""
        lines = Path(f"/proc/{task}/fdinfo/{number & 0xFFFFFFFF}").read_text().splitlines()
        known = dict(line.split(":", 1) for line in lines if ":" in line)
        return int(known["pos"]), int(known["flags"], 8)

    def _regular(self, task: int, number: int) -> str | None:
        """The path of a descriptor's file; None if it is a pipe, a socket or not watched, about which no more needs to be known."""
        path = self._descriptor(task, number)
        return path if path.startswith("/") and self._watched(path) else None

    def _write(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        path = self._regular(task, a[0])
        if path is None:
            return None
        data = self._bytes(task, a[1], a[2]) if call in ("write", "pwrite64") else self._gathered(task, a[1], a[2])
        if call in ("write", "writev"):
            offset, flags = self._position(task, a[0])
            if flags & os.O_APPEND:
                offset = os.stat(f"/proc/{task}/fd/{a[0]}").st_size  # noqa: PTH116
        else:
            offset = a[3]
        return Change(number=0, call="write", path=path, data=data, offset=offset)

    def _copied(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        """sendfile, copy_file_range and splice: bytes that come from another descriptor."""
        to, source, size = (a[0], a[1], a[3]) if call == "sendfile" else (a[2], a[0], a[4])
        path = self._regular(task, to)
        if path is None:
            return None
        at = a[2] if call == "sendfile" else a[1]
        start = int.from_bytes(self._bytes(task, at, 8), "little") if at else self._position(task, source)[0]
        with open(f"/proc/{task}/fd/{source}", "rb", buffering=0) as file:  # noqa: PTH123
            data = os.pread(file.fileno(), size, start)
        offset = int.from_bytes(self._bytes(task, a[3], 8), "little") if call != "sendfile" and a[3] else self._position(task, to)[0]
        return Change(number=0, call="write", path=path, data=data, offset=offset)

    def _length(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        path = self._name(task, _HERE, a[0]) if call == "truncate" else self._regular(task, a[0])
        if path is None:
            return None
        length = a[1] if call != "fallocate" else a[2] + a[3]
        return Change(number=0, call="truncate" if call != "fallocate" else "allocate", path=path, length=length, flags=a[1])

    def _sync(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        if call in ("sync", "sync_file_range"):
            return None  # nothing is to depend on either
        path = self._regular(task, a[0])
        return None if path is None else Change(number=0, call="syncfs" if call == "syncfs" else "fsync", path=path)

    def _rename(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        one, two = ((_HERE, a[0]), (_HERE, a[1])) if call == "rename" else ((a[0], a[1]), (a[2], a[3]))
        flags = a[4] & 3 if call == "renameat2" else 0
        return Change(number=0, call="rename", path=self._name(task, *one), other=self._name(task, *two), flags=flags)

    def _link(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        one, two = ((_HERE, a[0]), (_HERE, a[1])) if call == "link" else ((a[0], a[1]), (a[2], a[3]))
        return Change(number=0, call="link", path=self._name(task, *two), other=self._name(task, *one))

    def _symlink(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        target, place = (a[0], (_HERE, a[1])) if call == "symlink" else (a[0], (a[1], a[2]))
        return Change(number=0, call="symlink", path=self._name(task, *place), data=self._text(task, target))

    def _make(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        place, mode = ((_HERE, a[0]), a[1]) if call == "mkdir" else ((a[0], a[1]), a[2])
        return Change(number=0, call="mkdir", path=self._name(task, *place), mode=mode & 0o7777)

    def _remove(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        place, folder = ((_HERE, a[0]), call == "rmdir") if call != "unlinkat" else ((a[0], a[1]), bool(a[2] & _REMOVE_FOLDER))
        return Change(number=0, call="rmdir" if folder else "unlink", path=self._name(task, *place))

    def _mode(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        if call == "fchmod":
            path, mode = self._regular(task, a[0]), a[1]
        else:
            place, mode = ((_HERE, a[0]), a[1]) if call == "chmod" else ((a[0], a[1]), a[2])
            path = self._name(task, *place)
        return None if path is None else Change(number=0, call="chmod", path=path, mode=mode & 0o7777)

    def _open(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        if call == "openat2":
            flags, mode = (int.from_bytes(self._bytes(task, a[2] + 8 * place, 8), "little") for place in (0, 1))
            place = (a[0], a[1])
        elif call == "creat":
            place, flags, mode = (_HERE, a[0]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, a[1]
        else:
            place, flags, mode = ((_HERE, a[0]), a[1], a[2]) if call == "open" else ((a[0], a[1]), a[2], a[3])
        path = self._name(task, *place)
        if not flags & os.O_NOFOLLOW and os.path.islink(path):  # noqa: PTH114
            path = os.path.realpath(path)
        return Change(number=0, call="open", path=path, flags=flags, mode=mode & 0o7777)

    def _mapped(self, task: int, call: str, a: tuple[int, ...]) -> Change | None:
        number = a[4] & 0xFFFFFFFF
        path = None if number == 0xFFFFFFFF else self._regular(task, number)
        return None if path is None else Change(number=0, call="map", path=path)


_READERS: dict[str, Callable[[_Watcher, int, str, tuple[int, ...]], Change | None]] = {
    **dict.fromkeys(("write", "pwrite64", "writev", "pwritev", "pwritev2"), _Watcher._write),
    **dict.fromkeys(("sendfile", "splice", "copy_file_range"), _Watcher._copied),
    **dict.fromkeys(("truncate", "ftruncate", "fallocate"), _Watcher._length),
    **dict.fromkeys(("fsync", "fdatasync", "sync", "syncfs", "sync_file_range"), _Watcher._sync),
    **dict.fromkeys(("rename", "renameat", "renameat2"), _Watcher._rename),
    **dict.fromkeys(("link", "linkat"), _Watcher._link),
    **dict.fromkeys(("symlink", "symlinkat"), _Watcher._symlink),
    **dict.fromkeys(("mkdir", "mkdirat"), _Watcher._make),
    **dict.fromkeys(("rmdir", "unlink", "unlinkat"), _Watcher._remove),
    **dict.fromkeys(("chmod", "fchmod", "fchmodat"), _Watcher._mode),
    **dict.fromkeys(("open", "openat", "openat2", "creat"), _Watcher._open),
    "mmap": _Watcher._mapped,
}
