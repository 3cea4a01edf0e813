"""Implements the port ``Executor`` with bubblewrap: see docs/sandbox.md for how a sandbox is made."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, cast

from lockage.adapters.sandbox_bwrap.arguments import Place, arguments, places
from lockage.adapters.sandbox_bwrap.contents import cpu_tree, etc_files, proc_files
from lockage.adapters.sandbox_bwrap.diagnose import unavailable
from lockage.adapters.sandbox_bwrap.fixtures import Fixtures
from lockage.adapters.sandbox_bwrap.harvest import Unharvestable, harvest
from lockage.adapters.sandbox_bwrap.instruments import clock_library, compiled_locale, locale_sources
from lockage.adapters.sandbox_bwrap.layout import Layout, arrange
from lockage.adapters.sandbox_bwrap.sandbox import NotBuilt, Sandbox, freeze
from lockage.adapters.sandbox_bwrap.spawn import ADDR_NO_RANDOMIZE, UNAME26, Spawner
from lockage.adapters.sandbox_bwrap.variables import CLOCK, LOCALES, variables
from lockage.adapters.sandbox_bwrap.watch import LOG_LIMIT, Watch, disk_message
from lockage.adapters.sandbox_bwrap.workspace import Full, populate
from lockage.base.errors import NotPermitted
from lockage.base.instant import ZIP_FLOOR
from lockage.base.tree import EMPTY_TREE
from lockage.ports import ExecutionFailed, SandboxUnavailable
from lockage.record.result import ActionResult, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs, ExecutionRequest

__all__ = ["BwrapExecutor", "TooManyCpus"]

#: A log up to this size never touches the disk.
_LOG_IN_MEMORY = 1 << 20


class TooManyCpus(NotPermitted):
    """A step declares more CPUs than this host lets us use."""

    code = "too-many-cpus"
    hint = "Declare fewer `cpus` for the step, or build on a larger host."


class _Run:
    """One execution that can be cancelled at any moment."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self.watch: Watch | None = None
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        if self.watch is not None:
            self.watch.end("cancelled", "the build was cancelled")
        else:
            self.sandbox.kill()


class BwrapExecutor:
    """Runs actions in sandboxes below bubblewrap; may be used from several threads at once.

    ``scratch`` is a folder for what is made once (fixed files, compiled locales). ``host_cpus`` are the CPUs that steps may
    use (default: those of this process). Raises :class:`TooManyCpus`, :class:`lockage.ports.SandboxUnavailable`, and what the blobs raise.
    """

    def __init__(
        self, blobs: Blobs, bwrap: Path, scratch: Path, *, host_cpus: tuple[int, ...] | None = None, log_limit: int = LOG_LIMIT
    ) -> None:
        self._blobs = blobs
        self._bwrap = bwrap.absolute()
        self._scratch = scratch.absolute()
        self._host_cpus = host_cpus or tuple(sorted(os.sched_getaffinity(0)))
        self._log_limit = log_limit
        self._load = dict.fromkeys(self._host_cpus, 0)
        self._lock = threading.Lock()
        self._fixtures = Fixtures(self._scratch / "fixed")
        self._spawner = Spawner()
        self._layouts: dict[object, Layout] = {}
        self._running: dict[int, _Run] = {}

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed:
        """Run one action; see :class:`lockage.ports.Executor`."""
        if request.action.cpus > len(self._host_cpus):
            raise TooManyCpus(
                f"the step declares {request.action.cpus} CPUs, this host has {len(self._host_cpus)}",
                expected=request.action.cpus,
                found=len(self._host_cpus),
            )
        run = _Run()
        self._running[id(run)] = run
        cpus = self._take_cpus(request)
        try:
            with cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_LOG_IN_MEMORY, dir=str(self._scratch))) as log:
                return self._execute(request, run, log, cpus)
        finally:
            run.sandbox.close()
            with self._lock:
                for cpu in cpus:
                    self._load[cpu] -= 1
            del self._running[id(run)]

    def cancel(self) -> None:
        """Kill everything that is running; takes no lock, so it is safe in a signal handler."""
        for run in list(self._running.values()):
            run.cancel()

    def _execute(self, request: ExecutionRequest, run: _Run, log: BinaryIO, cpus: Sequence[int]) -> ActionResult | ExecutionFailed:
        sandbox, action, resources, world = run.sandbox, request.action, request.resources, request.world
        writable = places(world, resources.disk)
        watch = Watch(resources, log, sandbox.kill, log_limit=self._log_limit)
        folders = self._build(request, sandbox, writable)
        epoch = int(dict(action.variables).get("SOURCE_DATE_EPOCH", ZIP_FLOOR))
        try:
            populate(folders[0], action.workspace, self._blobs, order=world.file_order, time=epoch)
        except Full:
            watch.end("disk-limit", disk_message(resources))
            return self._failed(watch, log)
        for folder in folders:
            os.utime(folder, (epoch, epoch))
        sandbox.limit(cpus=cpus, processes=resources.processes, niceness=world.niceness)
        run.watch = watch
        if run.cancelled:
            run.cancel()
        started = time.monotonic()
        sandbox.release()
        watch.run(sandbox.log, sandbox.monitor, sandbox.processes, folders)
        ended = sandbox.wait()
        wall = time.monotonic() - started
        watch.drain(sandbox.log)
        if watch.reason is None and ended.exit_code != 0:
            watch.disk(folders)
            if watch.full:
                watch.end("disk-limit", disk_message(resources))
        if watch.reason is None and ended.exit_code is None:
            watch.end("killed", "the sandbox was killed from outside")
        if watch.reason is not None:
            return self._failed(watch, log)
        assert ended.exit_code is not None
        try:
            outputs = self._outputs(request, folders[0], ended.exit_code)
        except Unharvestable as error:
            watch.end(error.reason, error.message)
            return self._failed(watch, log)
        usage = Usage(
            wall_ms=round(wall * 1000), user_ms=ended.user_ms, system_ms=ended.system_ms, peak_memory=max(watch.peak, ended.largest)
        )
        log.seek(0)
        return ActionResult(exit_code=ended.exit_code, outputs=outputs, log=self._blobs.put_stream(log), usage=usage)

    def _failed(self, watch: Watch, log: BinaryIO) -> ExecutionFailed:
        assert watch.reason is not None
        log.seek(0)
        return ExecutionFailed(reason=watch.reason, message=watch.message, log=self._blobs.put_stream(log))

    def _outputs(self, request: ExecutionRequest, workspace: int, exit_code: int) -> BlobRef:
        if exit_code == 0:
            return harvest(workspace, request.action.outputs, self._blobs, limit=request.resources.disk)
        ref, blobs = EMPTY_TREE.encode()
        self._blobs.put_many(blobs.values())
        return ref

    def _build(self, request: ExecutionRequest, sandbox: Sandbox, writable: Sequence[Place]) -> list[int]:
        """Make the sandbox up to the point where it is held; the writable folders' descriptors, the workspace's first."""
        world = request.world
        clock = clock_library(request.instruments) if world.clock_offset else None
        sources = locale_sources(world.locale, request.instruments)
        locale = compiled_locale(world.locale, sources, request.root, self._bwrap, self._scratch) if sources else None
        layout = self._layout(request, writable)
        over = self._over(request)
        over += [(str(source), path) for source, path in ((clock, CLOCK), (locale, LOCALES)) if source is not None]
        base = request.root.layers[0][1]
        given = arguments(
            world=world,
            layout=layout,
            writable=writable,
            over=over,
            variables=variables(request.action, world, root=base, clock=clock is not None, locale=locale is not None),
        )
        personality = (UNAME26 if world.old_kernel else 0) | (ADDR_NO_RANDOMIZE if world.fixed_addresses else 0)
        try:
            sandbox.start(self._spawner, self._bwrap, given, command=request.action.arguments, umask=world.umask, personality=personality)
            sandbox.hold(max(place.path for place in writable))
            freeze(sandbox.root, [path for path, _ in layout.folders], [path for path, _ in layout.links], time=ZIP_FLOOR)
            return [sandbox.open(place.path) for place in writable] + [sandbox.open("/dev/shm")]  # noqa: S108 (in the sandbox)
        except NotBuilt as error:
            raise unavailable(str(error)) from error
        except PermissionError as error:
            raise SandboxUnavailable(
                f"this host does not let lockage look into its own sandbox: {error}",
                hint="Mount /proc without hidepid, and allow ptrace-like access to one's own processes (docs/sandbox.md).",
            ) from error

    def _layout(self, request: ExecutionRequest, writable: Sequence[Place]) -> Layout:
        root, world = request.root, request.world
        key = (root.layers, tuple(writable), world.user, world.uid, world.gid, world.home, world.hostname)
        found = self._layouts.get(key)
        if found is None:
            fixed = {path: self._fixtures.file(content) for path, content in etc_files(world).items()}
            found = self._layouts[key] = arrange(root.layers, fixed, [place.path for place in writable])
        return found

    def _over(self, request: ExecutionRequest) -> list[tuple[str, str]]:
        cpus = request.world.cpus or request.action.cpus
        found = [(str(self._fixtures.tree(cpu_tree(cpus))), "/sys")]
        for path, content in proc_files(cpus, request.action.architecture).items():
            found.append((str(self._fixtures.file(content)), path))
        return found

    def _take_cpus(self, request: ExecutionRequest) -> list[int]:
        """The least busy of the host's CPUs, as many as declared; ties go to the first or the last, as the world says."""
        order = list(self._host_cpus) if request.world.affinity == "first" else list(reversed(self._host_cpus))
        count = min(request.world.cpus or request.action.cpus, len(order))
        with self._lock:
            found = sorted(order, key=lambda cpu: self._load[cpu])[:count]
            for cpu in found:
                self._load[cpu] += 1
        return found
