"""Processes that unpack packages, and what they and their parent say to each other.

Run as a program, this module is one such process: ``python -m lockage.adapters.roots_local.unpackers SPOOL`` with a
socket as its standard input. It ends when its parent does, and leaves the terminal's interrupts to it.

Invariants: a process that could not be started, or that died, is no fault of the package: the answer is None, and the caller unpacks
it itself. Messages are frames of a length and MessagePack; a file goes over as its descriptor, what is in memory as bytes.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from lockage.adapters.roots_local.spool import FileSpool
from lockage.adapters.roots_local.unpack_deb import unpack_deb
from lockage.base.canonical import decode_hook, encode_hook
from lockage.environment.root import InvalidPackage, Package, UnsupportedPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.errors import LockageError

__all__ = ["Unpackers", "main"]

_LENGTH = struct.Struct(">Q")


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """One package, and the part of the spool that is its own: its bytes, or None if its descriptor comes with this message."""

    file: str
    name: str
    part: str
    data: bytes | None = None


class _Unpacked(msgspec.Struct, frozen=True, kw_only=True, tag="unpacked"):
    package: Package


class _Unusable(msgspec.Struct, frozen=True, kw_only=True, tag="unusable"):
    """What is wrong with the package; ``code`` is that of the error."""

    code: str
    message: str
    hint: str
    details: dict[str, str | int | bool | tuple[str, ...] | None]


class _Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The system refused something: an OSError."""

    errno: int | None
    text: str
    file: str | None


_Answer = _Unpacked | _Unusable | _Failed
_UNUSABLE: Mapping[str, type[LockageError]] = {error.code: error for error in (InvalidPackage, UnsupportedPackage)}


class Unpackers:
    """As many processes as are asked at once; each writes the package that it was asked for to a part of ``spool``."""

    def __init__(self, spool: FileSpool, interpreter: str = sys.executable) -> None:
        self._spool = spool
        self._interpreter = interpreter
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._killed = False

    def unpack(self, stream: BinaryIO, file: str, name: str, part: str) -> Package | None:
        """As :func:`unpack_deb`, done by a process that is idle or new; None if that could not be started or died."""
        process = self._taken()
        if process is None:
            return None
        answer = process.ask(stream, file, name, part)
        if answer is None:
            if self._killed:
                raise InterruptedError("unpacking was stopped")
            return None
        with self._lock:
            self._idle.append(process)
        if isinstance(answer, _Unusable):
            raise _UNUSABLE[answer.code](answer.message, hint=answer.hint, **answer.details)
        if isinstance(answer, _Failed):
            raise OSError(answer.errno, answer.text, answer.file) if answer.errno is not None else OSError(answer.text)
        return answer.package

    def kill(self) -> None:
        """End every process at once; whoever waits for an answer is released with an error."""
        with self._lock:
            self._killed = True
            for process in self._all:
                process.kill()

    def close(self) -> None:
        """Let every process end, and wait for it."""
        for process in self._all:
            process.close()

    def _taken(self) -> _Process | None:
        with self._lock:
            if self._killed:
                raise InterruptedError("unpacking was stopped")
            if self._idle:
                return self._idle.pop()
            try:
                process = _Process(self._interpreter, self._spool.folder)
            except OSError:  # no memory, too many processes, no interpreter to start
                return None
            self._all.append(process)
            return process


class _Process:
    def __init__(self, interpreter: str, folder: Path) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [interpreter, "-P", "-m", __spec__.name, str(folder)]
            try:
                self._child = subprocess.Popen(command, stdin=theirs.fileno())
            except BaseException:
                self._socket.close()
                raise

    def ask(self, stream: BinaryIO, file: str, name: str, part: str) -> _Answer | None:
        try:
            try:
                descriptor = stream.fileno()
            except (OSError, AttributeError):
                _send(self._socket, _encode(_Job(file=file, name=name, part=part, data=stream.read())))
            else:
                _send(self._socket, _encode(_Job(file=file, name=name, part=part)), descriptor)
            data, _ = _receive(self._socket)
        except OSError:
            return None
        return None if data is None else msgspec.msgpack.decode(data, type=_Answer, dec_hook=decode_hook)

    def kill(self) -> None:
        self._child.kill()

    def close(self) -> None:
        self._socket.close()
        self._child.wait()


def _encode(message: msgspec.Struct) -> bytes:
    return msgspec.msgpack.encode(message, enc_hook=encode_hook)


def _send(to: socket.socket, data: bytes, descriptor: int | None = None) -> None:
    """Raises OSError. The descriptor goes with the first bytes of the frame."""
    head = _LENGTH.pack(len(data))
    if descriptor is None:
        to.sendall(head)
    else:
        sent = socket.send_fds(to, [head], [descriptor])
        to.sendall(head[sent:])
    to.sendall(data)


def _receive(source: socket.socket) -> tuple[bytes | None, int | None]:
    """A frame and the descriptor that came with it; None if the other side is gone. Raises OSError."""
    head, descriptors, _, _ = socket.recv_fds(source, _LENGTH.size, 1)
    descriptor = descriptors[0] if descriptors else None
    while head and len(head) < _LENGTH.size and (more := source.recv(_LENGTH.size - len(head))):
        head += more
    if len(head) < _LENGTH.size:
        return None, descriptor
    with source.makefile("rb", buffering=0) as file:
        (length,) = _LENGTH.unpack(head)
        data = bytearray(length)
        view = memoryview(data)
        while view:
            read = file.readinto(view)
            if not read:
                return None, descriptor
            view = view[read:]
    return bytes(data), descriptor


def _answer(job: _Job, descriptor: int | None, spool: FileSpool) -> _Answer:
    stream = io.BytesIO(job.data or b"") if descriptor is None else cast("BinaryIO", open(descriptor, "rb"))  # noqa: PTH123, SIM115
    with stream:
        try:
            return _Unpacked(package=unpack_deb(stream, job.file, job.name, spool.part(job.part)))
        except (InvalidPackage, UnsupportedPackage) as error:
            return _Unusable(code=error.code, message=error.message, hint=error.hint, details=error.details)
        except OSError as error:
            return _Failed(errno=error.errno, text=error.strerror or str(error), file=error.filename)


def main(folder: str) -> None:
    """Answer one job after another until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as parent:
        spool = FileSpool(Path(folder))
        while True:
            data, descriptor = _receive(parent)
            if data is None:
                return
            job = msgspec.msgpack.decode(data, type=_Job)
            _send(parent, _encode(_answer(job, descriptor, spool)))


if __name__ == "__main__":
    with suppress(OSError):  # the parent is gone, or takes its spool away
        main(*sys.argv[1:])
