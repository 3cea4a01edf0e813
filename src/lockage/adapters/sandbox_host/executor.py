"""Implements the port ``Executor`` without a sandbox, for environments that are the host: see docs/sandbox.md#on-the-host.

Invariants: nothing that a step started outlives it; a step finds its inputs, its declared variables and folders of its own, and is not
kept from finding everything else.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_host.place import Place, taken_place
from lockage.adapters.sandbox_host.running import HostProcess
from lockage.adapters.sandbox_host.watch import HostWatch
from lockage.base.instant import ZIP_FLOOR
from lockage.plan.contract import PREVENTION, relocated
from lockage.ports import ModeUnavailable, Observed, SandboxUnavailable
from lockage.record.result import Usage
from lockage.running.cpus import CpuShare
from lockage.running.log import Log
from lockage.running.outcome import failed, finished, keep_failed
from lockage.running.pieces import in_one_go
from lockage.running.scratch import Scratch
from lockage.running.watch import LOG_LIMIT, disk_exceeded, disk_message
from lockage.running.workspace import Full, populate
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.plan.action import Action
    from lockage.ports import Attached, Blobs, ExecutionFailed, ExecutionRequest
    from lockage.record.result import ActionResult
    from lockage.running.ended import Ended

__all__ = ["HostExecutor"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class HostExecutor:
    """Runs actions on the host as it is; may be used from several threads at once.

    ``scratch`` is the folder below which steps run. Raises :class:`lockage.ports.TooManyCpus`, :class:`lockage.ports.ModeUnavailable`,
    :class:`lockage.ports.SandboxUnavailable` for what only a sandbox can do, and what the blobs raise.
    """

    def __init__(self, blobs: Blobs, scratch: Path, *, host_cpus: tuple[int, ...] | None = None, log_limit: int = LOG_LIMIT) -> None:
        self._blobs = blobs
        self._scratch = scratch.absolute()
        self._cpus = CpuShare(host_cpus or tuple(sorted(os.sched_getaffinity(0))))
        self._log_limit = log_limit
        self._running: dict[int, HostWatch] = {}

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed:
        """Run one action; see :class:`lockage.ports.Executor`."""
        _check(request)
        cpus = self._cpus.take(request)
        process = HostProcess()
        try:
            with Scratch(self._scratch), taken_place(self._scratch) as place, closing(Log(self._scratch)) as log:
                watch = HostWatch(request.resources, log, process.kill, log_limit=self._log_limit)
                self._running[id(watch)] = watch
                try:
                    return self._execute(request, place, process, watch, log, cpus)
                finally:
                    del self._running[id(watch)]
                    process.close()
        finally:
            self._cpus.give_back(cpus)

    @property
    def performs(self) -> bool:
        """It does everything in one go."""
        return False

    def perform(self, request: ExecutionRequest) -> None:
        """See :class:`lockage.ports.Executor`."""

    def observe(self, request: ExecutionRequest) -> Observed:
        """Run one action, unobserved; see :class:`lockage.ports.Executor`."""
        return Observed(outcome=self.execute(request), unobserved="the step runs on the host, where it is not traced")

    def enter(self, request: ExecutionRequest, attached: Attached) -> int:  # noqa: ARG002 (nobody can)
        """There is no sandbox to be entered: always raises :class:`lockage.ports.SandboxUnavailable`."""
        raise SandboxUnavailable("a step on the host has no sandbox that could be entered", hint="Run its command in a shell of your own.")

    def cancel(self) -> None:
        """Kill everything that is running; takes no lock, so it is safe in a signal handler."""
        for watch in list(self._running.values()):
            watch.end("cancelled", "the build was cancelled")

    def _execute(
        self, request: ExecutionRequest, place: Place, process: HostProcess, watch: HostWatch, log: Log, cpus: list[int]
    ) -> ActionResult | ExecutionFailed:
        action = request.action
        epoch = int(dict(action.variables).get("SOURCE_DATE_EPOCH", ZIP_FLOOR))
        workspace = os.open(place.build, _FOLDER)
        try:
            try:
                populate(workspace, action.workspace, self._blobs, order=CONTRACT.file_order, time=epoch)
            except Full:
                watch.end("disk-limit", disk_message(request.resources), disk_exceeded(request.resources))
                keep_failed(request, watch, workspace)
                return failed(self._blobs, watch, log)
            for folder in (place.home, place.temporary):
                os.utime(folder, (epoch, epoch))
            try:
                process.start(
                    place,
                    action.arguments,
                    _variables(action, place),
                    cpus=cpus,
                    stack=CONTRACT.stack,
                    files=CONTRACT.open_files,
                    size=request.resources.disk,
                )
            except SandboxUnavailable:
                if watch.reason is None:  # else it was cancelled while it was being made
                    raise
                return failed(self._blobs, watch, log)
            watch.supervisor, watch.folder = process.supervisor, place.folder
            if watch.reason is not None:  # cancelled before there was anything to kill
                process.kill()
            started = time.monotonic()
            process.release()
            in_one_go(watch.run(process, tuple))
            ended = process.wait()
            usage = _usage(ended, time.monotonic() - started, watch)
            watch.drain(process.log)
            if watch.reason is None and ended.exit_code != 0:
                watch.last_disk()
                if ended.exit_code is None:
                    watch.end("killed", "the step was killed from outside")
            if watch.reason is not None:
                keep_failed(request, watch, workspace)
                return failed(self._blobs, watch, log, usage)
            assert ended.exit_code is not None
            return finished(self._blobs, request, watch, log, workspace, ended.exit_code, usage)
        finally:
            os.close(workspace)


def _check(request: ExecutionRequest) -> None:
    """Refuse what only a sandbox can do."""
    if request.action.modes:
        raise ModeUnavailable(f"a step on the host cannot have the mode {request.action.modes[0]}: only a sandbox can hold it")
    if request.action.services:
        raise SandboxUnavailable(
            "a step on the host cannot have services: only a sandbox has a network of its own",
            hint="Declare a suite (`os`) in the place of `host` in the recipe, and lock it (docs/hosts.md).",
        )
    if request.world != CONTRACT:
        raise SandboxUnavailable(
            "a step on the host cannot be run in another world: only a sandbox can show it one",
            hint="`lockage build --reexecute 100%` runs it once more as it was, and compares (docs/hosts.md).",
        )


def _variables(action: Action, place: Place) -> dict[str, str]:
    """What the step finds in its environment: what its action says, with the folders that are there in the place of the sandbox's."""
    build, temporary = str(place.build), str(place.temporary)
    found = dict(relocated(action.variables, build_path=build, temporary=temporary))
    if found.get("CPPFLAGS") == PREVENTION["CPPFLAGS"][0] and " " not in build:  # in a sandbox the root's compilers read it from a file
        found["CPPFLAGS"] += f" -ffile-prefix-map={build}=. -ffile-prefix-map={temporary}=/tmp"
    return found | {"HOME": str(place.home), "TMPDIR": temporary}


def _usage(ended: Ended, wall: float, watch: HostWatch) -> Usage:
    """What the step took; ``wall`` is in seconds."""
    return Usage(
        wall_ms=round(wall * 1000),
        user_ms=max(ended.user_ms, watch.cpu[0]),
        system_ms=max(ended.system_ms, watch.cpu[1]),
        peak_memory=max(watch.peak, ended.largest),
        read_bytes=max(ended.read_bytes, watch.moved[0]),
        written_bytes=max(ended.written_bytes, watch.moved[1]),
        disk_read_bytes=ended.disk_read_bytes,
        disk_written_bytes=ended.disk_written_bytes,
        processes=max(1, watch.most),
        peak_processes=max(1, watch.most),
        source="rusage+proc",
    )
