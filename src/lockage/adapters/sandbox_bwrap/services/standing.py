"""The services of one step, from before it starts until all it asked for is answered."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.sandbox_bwrap.services.answering import Answering, Desk
from lockage.ports import SandboxUnavailable
from lockage.replay import Replay, read_recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.plan.action import Action
    from lockage.ports import Blobs

__all__ = ["Fault", "Standing", "standing_by"]

_LISTEN = str(Path(__file__).with_name("listen.py"))
#: Connections that are served at a time, of one socket; more wait.
_BUSY = 128
#: How long a connection may take to end once everything in the sandbox has, in seconds.
_ENDING = 10.0
_TOLD = 10


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step fails for its services: a code, a sentence, and lines for its log."""

    reason: str
    message: str
    report: str


class Standing:
    """Services that are asked; what became of it can be told once they have ended."""

    def __init__(self, desks: Sequence[tuple[Desk, bool]]) -> None:
        self._desks = desks

    def fault(self, *, succeeded: bool) -> Fault | None:
        """What was asked for that is not recorded; of a step that succeeded else what is and must be, and was not. None if all is well."""
        lines = []
        first = ""
        for desk, _ in self._desks:
            for unexpected in desk.replay.unexpected:
                first = first or f"service {desk.name!r} was asked for what is not recorded: {unexpected}"
                lines.append(f"lockage: service {desk.name}: not recorded: {unexpected.request}")
                lines += [f"lockage:   {reason}" for reason in unexpected.reasons]
            for why in desk.faults:
                first = first or f"service {desk.name!r} got what is no request: {why}"
                lines.append(f"lockage: service {desk.name}: no request: {why}")
        if first:
            count = sum(len(desk.replay.unexpected) + len(desk.faults) for desk, _ in self._desks)
            more = f", and {count - 1} more" if count > 1 else ""
            return Fault(reason="service-mismatch", message=first + more, report=_report(lines))
        for desk, must_use_all in self._desks:
            unused = desk.replay.unused() if must_use_all and succeeded else ()
            if unused:
                first = first or f"service {desk.name!r} was not asked for all that is recorded: {unused[0].place}, {unused[0].request}"
                lines += [f"lockage: service {desk.name}: never asked for: {one.place}, {one.request}" for one in unused]
        return Fault(reason="service-unused", message=first, report=_report(lines)) if first else None


def _report(lines: list[str]) -> str:
    kept = lines if len(lines) <= 4 * _TOLD else [*lines[: 4 * _TOLD], f"lockage: and {len(lines) - 4 * _TOLD} lines more"]
    return "".join(f"{line}\n" for line in kept)


@contextlib.contextmanager
def standing_by(action: Action, blobs: Blobs, process: int) -> Iterator[Standing]:
    """Answer in the held sandbox of that process until the block is left, and then what was asked until then.

    Raises :class:`SandboxUnavailable`.
    """
    desks = []
    places: list[tuple[Desk, str, int]] = []
    for address, stub in action.listening:
        recording = read_recording(stub.form, stub.content, blobs.get, file=f"the recording of {stub.name}", hosts=stub.hosts)
        desk = Desk(stub.name, Replay(recording, stub.matching, stub.hosts))
        desks.append((desk, stub.matching.must_use_all))
        places.append((desk, address, stub.port))
    with contextlib.ExitStack() as stack:
        sockets = _listening(process, [(address, port) for _, address, port in places])
        for (desk, _, _), listening in zip(places, sockets, strict=True):
            stack.enter_context(_served(listening, desk))
        yield Standing(desks)


def _listening(process: int, places: Sequence[tuple[str, int]]) -> list[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        words = [word for address, port in places for word in (address, str(port))]
        done = subprocess.run(
            [sys.executable, "-IS", _LISTEN, str(process), str(theirs.fileno()), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            cwd="/",
            pass_fds=(theirs.fileno(),),
            check=False,
        )
        theirs.close()
        found: list[socket.socket] = []
        while len(found) < len(places):
            message, descriptors, _, _ = socket.recv_fds(ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
            if not message:
                break
            found += [socket.socket(fileno=descriptor) for descriptor in descriptors]
    if done.returncode != 0 or len(found) != len(places):
        for one in found:
            one.close()
        said = done.stderr.decode(errors="replace").strip()
        raise SandboxUnavailable(f"the services of the step could not listen in its sandbox: {said}")
    return found


@contextlib.contextmanager
def _served(listening: socket.socket, desk: Desk) -> Iterator[None]:
    """Serve every connection that comes to the socket, each in a thread, until the block is left and no more wait."""
    read, write = os.pipe()
    threads: list[threading.Thread] = []
    accepting = threading.Thread(target=_accept, args=(listening, read, desk, threads), name=f"service-{desk.name}", daemon=True)
    accepting.start()
    try:
        yield
    finally:
        os.close(write)  # what has been connected by now is served, nothing else
        accepting.join()
        listening.close()
        os.close(read)
        for thread in threads:
            thread.join(_ENDING)


def _accept(listening: socket.socket, ending: int, desk: Desk, threads: list[threading.Thread]) -> None:
    listening.setblocking(False)
    room = threading.BoundedSemaphore(_BUSY)
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    poll.register(ending, select.POLLIN | select.POLLHUP)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        while True:
            try:
                connection, peer = listening.accept()
            except BlockingIOError:
                break
            except OSError:
                return
            room.acquire()
            thread = threading.Thread(target=_serve, args=(connection, peer, desk, room), daemon=True)
            threads[:] = [other for other in threads if other.is_alive()]
            threads.append(thread)
            thread.start()
        if ending in ready:
            return


def _serve(connection: socket.socket, peer: object, desk: Desk, room: threading.BoundedSemaphore) -> None:
    try:
        with connection, contextlib.suppress(OSError):  # whoever asked has gone
            connection.setblocking(True)
            handler = type("Answering", (Answering,), {"desk": desk})
            handler(connection, peer, None)
    finally:
        room.release()
