"""Implements the port ``Executor`` with bubblewrap: see docs/sandbox.md for how a sandbox is made."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from lockage.adapters.sandbox_bwrap.diagnose import unavailable
from lockage.adapters.sandbox_bwrap.making import Maker
from lockage.adapters.sandbox_bwrap.measure import ceiling, explain_kill, host_kills, measured
from lockage.adapters.sandbox_bwrap.modes import with_modes
from lockage.adapters.sandbox_bwrap.sandbox import Sandbox
from lockage.base.errors import StepFailed
from lockage.ports import ExecutionFailed, Observed, SandboxUnavailable, Writer
from lockage.ports.workers import HELD, Aside, Held, Waiting
from lockage.running.cgroup import Groups
from lockage.running.cpus import CpuShare
from lockage.running.log import Log
from lockage.running.outcome import failed, finished, keep_failed
from lockage.running.pieces import in_one_go
from lockage.running.scratch import Scratch
from lockage.running.watch import LOG_LIMIT, Watch, disk_exceeded, disk_message
from lockage.running.workspace import Full
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from lockage.adapters.sandbox_bwrap.services import Standing
    from lockage.adapters.sandbox_bwrap.tracer import Tracer
    from lockage.ports import Attached, Blobs, ExecutionRequest
    from lockage.record.result import ActionResult
    from lockage.running.cgroup import Group, Totals
    from lockage.running.ended import Ended

    Running = Generator[Waiting, Mapping[int, int], tuple[Ended, float, Totals | None]]
    Execution = Generator[Waiting | Aside | Held, Any, ActionResult | ExecutionFailed]  # Any: see Performance

__all__ = ["BwrapExecutor"]

_CANCELLED = "the build was cancelled"
#: Up to so many bytes, and files and folders, a workspace is read at once; of more, another thread reads what is to be kept.
_LITTLE, _FEW = 4 << 20, 1024
#: For so many seconds before a step began, what the kernel killed then counts as killed while it ran.
_STALE = 0.1


class BwrapExecutor:
    """Runs actions in sandboxes below bubblewrap; may be used from several threads at once.

    ``scratch`` is a folder for what is made once (fixed files, compiled locales). ``host_cpus`` are the CPUs that steps may
    use (default: those of this process), ``control_groups`` where steps get groups of their own (default: where this process may make
    some). Raises :class:`TooManyCpus`, :class:`lockage.ports.SandboxUnavailable`,
    :class:`lockage.ports.ModeUnavailable`, and what the blobs raise.
    """

    def __init__(
        self,
        blobs: Blobs,
        bwrap: Path,
        scratch: Path,
        *,
        host_cpus: tuple[int, ...] | None = None,
        log_limit: int = LOG_LIMIT,
        control_groups: Groups | None = None,
    ) -> None:
        self._blobs = blobs
        self._folder = scratch.absolute()
        self._scratch = Scratch(self._folder)
        self._maker = Maker(blobs, bwrap.absolute(), self._folder)
        self._cpus = CpuShare(host_cpus or tuple(sorted(os.sched_getaffinity(0))))
        self._log_limit = log_limit
        self._groups = control_groups or Groups.of_this_process()
        self._running: dict[int, Watch] = {}
        #: When it was asked how many processes the kernel had killed for want of memory, and the answer.
        self._killed: tuple[float, int | None] = (-1.0, None)

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed:
        """Run one action; see :class:`lockage.ports.Executor`."""
        return in_one_go(self._once(request))

    @property
    def performs(self) -> bool:
        """See :class:`lockage.ports.Executor`."""
        return True

    def perform(self, request: ExecutionRequest) -> Execution | None:
        """See :class:`lockage.ports.Executor`; what stands around a step in other worlds, and services, take their time to be made."""
        return self._once(request) if request.world == CONTRACT and not request.action.services else None

    def _new_watch(self, request: ExecutionRequest, sandbox: Sandbox, log: Log) -> Watch:
        return Watch(request.resources, log, sandbox.kill, log_limit=self._log_limit)

    def observe(self, request: ExecutionRequest) -> Observed:
        """Run one action under a tracer; see :class:`lockage.ports.Executor`."""
        from lockage.adapters.sandbox_bwrap.tracer import Tracer, Untraceable  # no build needs it

        try:
            tracer = Tracer(os.uname())
            outcome = in_one_go(self._once(request, tracer))
        except Untraceable as error:
            return Observed(outcome=self.execute(request), unobserved=str(error))
        writers = tuple(Writer(path=path, argv=argv) for path, argv in tracer.writers.found.items())
        return Observed(outcome=outcome, writers=writers)

    def _once(self, request: ExecutionRequest, tracer: Tracer | None = None) -> Execution:
        self._cpus.check(request)
        request = with_modes(request)
        sandbox, log, cpus = Sandbox(), Log(self._folder), list[int]()
        watch = self._new_watch(request, sandbox, log)
        try:
            with self._scratch:
                self._running[id(watch)] = watch
                try:
                    return (yield from self._execute(request, sandbox, watch, log, cpus, tracer))
                finally:
                    del self._running[id(watch)]
        finally:
            sandbox.close()
            log.close()
            if tracer is not None:
                tracer.join()
            self._cpus.give_back(cpus)

    def enter(self, request: ExecutionRequest, attached: Attached) -> int:
        """Run one action for somebody who looks on; see :class:`lockage.ports.Executor`."""
        from lockage.adapters.sandbox_bwrap.attach import attach  # no build needs terminals

        request = with_modes(request)
        cpus = self._cpus.take(request)
        sandbox = Sandbox()
        watch = self._new_watch(request, sandbox, Log(self._folder))
        self._running[id(watch)] = watch
        try:
            with self._scratch:
                pass  # it is there
            with attach(attached) as streams:
                in_one_go(self._maker.make(request, sandbox, watch, streams=streams))
                sandbox.pin(cpus)
                with self._services(request, sandbox, watch):
                    sandbox.release()
                    streams.relay(sandbox.monitor)
                    code = sandbox.wait().exit_code
                return 128 + signal.SIGKILL if code is None else code
        except Full as error:
            raise StepFailed(disk_message(request.resources), hint="Raise `disk` of the step, or give it fewer inputs.") from error
        finally:
            del self._running[id(watch)]
            sandbox.close()
            self._cpus.give_back(cpus)

    def cancel(self) -> None:
        """Kill everything that is running; takes no lock, so it is safe in a signal handler."""
        for watch in list(self._running.values()):
            watch.end("cancelled", _CANCELLED)

    def _execute(
        self,
        request: ExecutionRequest,
        sandbox: Sandbox,
        watch: Watch,
        log: Log,
        cpus: list[int],
        tracer: Tracer | None,
    ) -> Execution:
        """``cpus`` is given those that it takes."""
        try:
            folders = yield from self._maker.make(request, sandbox, watch, tracer=tracer)
        except Full:
            yield HELD
            keep_failed(request, watch, sandbox.open(request.world.build_path.lstrip("/")))
            return failed(self._blobs, watch, log)
        except SandboxUnavailable:
            if watch.reason is None:  # else it was cancelled while it was being made
                raise
            return failed(self._blobs, watch, log)
        yield HELD
        cpus += self._cpus.take(request)
        sandbox.pin(cpus)
        if watch.reason is not None:  # cancelled before there was anything to kill
            sandbox.kill()
        # what lies on the host's disk is not the step's alone, and cannot be summed up
        watched = folders[1:] if request.world.on_disk else folders
        if self._groups is None and not (request.world.load or request.action.services):  # as a rule nothing stands around a step
            ended, wall, totals = yield from self._run(request, sandbox, watch, watched)
        else:
            with contextlib.ExitStack() as around:
                asked = self._surrounded(around, request, sandbox, watch, cpus)
                ended, wall, totals = yield from self._run(request, sandbox, watch, watched)
            fault = None if asked is None else asked.fault(succeeded=ended.exit_code == 0)
            if fault is not None and watch.reason is None:
                log.write(fault.report.encode())
                watch.end(fault.reason, fault.message)
        usage = measured(ended, wall, watch, totals, request.world)
        if watch.reason is not None:
            keep_failed(request, watch, folders[0])
            return failed(self._blobs, watch, log, usage)
        assert ended.exit_code is not None
        exit_code = ended.exit_code
        if _is_little(folders[0]):
            return finished(self._blobs, request, watch, log, folders[0], exit_code, usage)
        return (yield Aside(lambda: finished(self._blobs, request, watch, log, folders[0], exit_code, usage)))  # type: ignore[no-any-return]

    def _kills(self) -> int | None:
        """What :func:`host_kills` says, or said a moment ago: the kernel sums up a hundred counters for each answer."""
        now = time.monotonic()
        if now > self._killed[0] + _STALE:
            self._killed = now, host_kills()
        return self._killed[1]

    def _run(self, request: ExecutionRequest, sandbox: Sandbox, watch: Watch, folders: list[int]) -> Running:
        """Let the step run to its end, and everything that it started; how it ended, the seconds it took, and what its group took."""
        kills = self._kills()
        started = time.monotonic()
        if not sandbox.release() and watch.reason is None:
            raise unavailable(sandbox.words())
        over = yield from watch.run(sandbox, lambda: sandbox.open_others(folders))
        ended = sandbox.wait(over=over)
        wall = time.monotonic() - started
        if not over:
            watch.drain(sandbox.log)
        totals = None if watch.group is None else watch.group.totals()
        if watch.reason is None and ended.exit_code != 0:
            self._explain(request, ended, watch, folders, totals, kills)
        return ended, wall, totals

    def _surrounded(
        self, around: contextlib.ExitStack, request: ExecutionRequest, sandbox: Sandbox, watch: Watch, cpus: Sequence[int]
    ) -> Standing | None:
        """What stands around the held sandbox while its step runs, where there is to be any; its services can be asked for at the end."""
        if request.world.load:
            from lockage.adapters.sandbox_bwrap.crowd import crowd  # only a verification that asks for it

            around.enter_context(crowd(request.world.load, cpus))
        group = None if self._groups is None else self._groups.make()
        if group is not None:
            around.enter_context(self._in_group(group, request, sandbox, watch, cpus))
        return around.enter_context(self._services(request, sandbox, watch)) if request.action.services else None

    @contextlib.contextmanager
    def _in_group(self, group: Group, request: ExecutionRequest, sandbox: Sandbox, watch: Watch, cpus: Sequence[int]) -> Iterator[None]:
        """The held sandbox in a control group of its own."""
        try:
            with contextlib.suppress(OSError):  # a host that allows less than it says: the step is watched as without
                group.limit(memory=ceiling(request.resources), processes=request.resources.processes, cpus=len(cpus))
                group.add(sandbox.init)
                watch.group = group
            yield
        finally:
            if watch.group is None:
                group.remove()
            else:
                sandbox.at_the_end(group.remove)

    @contextlib.contextmanager
    def _services(self, request: ExecutionRequest, sandbox: Sandbox, watch: Watch) -> Iterator[Standing | None]:
        """The services of the step, from before it starts until it has ended; once they have, what became of them can be asked."""
        from lockage.adapters.sandbox_bwrap.services import standing_by  # few steps have any

        with contextlib.ExitStack() as stack:
            standing = None
            try:
                standing = stack.enter_context(standing_by(request.action, self._blobs, sandbox.init))
            except SandboxUnavailable:
                if watch.reason is None:  # else it was cancelled since it was made
                    raise
            yield standing

    @staticmethod
    def _explain(
        request: ExecutionRequest, ended: Ended, watch: Watch, folders: Sequence[int], totals: Totals | None, kills: int | None
    ) -> None:
        """Whether it was a limit that made the step end as it did."""
        watch.disk(folders)
        if watch.full:
            watch.end("disk-limit", disk_message(request.resources), disk_exceeded(request.resources))
        explain_kill(watch, request.resources, ended.exit_code, totals, kills)
        if ended.exit_code is None:
            watch.end("killed", "the sandbox was killed from outside")


def _is_little(workspace: int) -> bool:
    """Whether there is so little in a file system that others need not be kept waiting while it is read."""
    status = os.fstatvfs(workspace)
    return (status.f_blocks - status.f_bfree) * status.f_frsize <= _LITTLE and status.f_files - status.f_ffree <= _FEW
