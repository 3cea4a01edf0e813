"""Implements the port ``Executor`` with bubblewrap: see docs/sandbox.md for how a sandbox is made."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import tempfile
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, cast

from lockage.adapters.sandbox_bwrap.arguments import Place, arguments, places
from lockage.adapters.sandbox_bwrap.contents import cpu_tree, etc_files, proc_files
from lockage.adapters.sandbox_bwrap.diagnose import unavailable
from lockage.adapters.sandbox_bwrap.fixtures import Fixtures
from lockage.adapters.sandbox_bwrap.harvest import Unharvestable, harvest
from lockage.adapters.sandbox_bwrap.instruments import clock_library, compiled_locale, locale_sources, without_sleeping
from lockage.adapters.sandbox_bwrap.layout import Layout, arrange
from lockage.adapters.sandbox_bwrap.modes import fixed_random, preloaded, with_modes
from lockage.adapters.sandbox_bwrap.sandbox import Ended, NotBuilt, Sandbox, freeze
from lockage.adapters.sandbox_bwrap.spawn import ADDR_NO_RANDOMIZE, UNAME26, Spawner
from lockage.adapters.sandbox_bwrap.variables import CLOCK, LOCALES, variables
from lockage.adapters.sandbox_bwrap.watch import LOG_LIMIT, Watch, disk_message
from lockage.adapters.sandbox_bwrap.workspace import Full, populate
from lockage.base.errors import StepFailed
from lockage.base.instant import ZIP_FLOOR
from lockage.base.tree import EMPTY_TREE
from lockage.ports import ExecutionFailed, SandboxUnavailable, StoreUnwritable, TooManyCpus
from lockage.recipe.modes import Mode
from lockage.record.result import ActionResult, Usage
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lockage.adapters.sandbox_bwrap.attach import Streams
    from lockage.base.digest import BlobRef
    from lockage.ports import Attached, Blobs, ExecutionRequest

__all__ = ["BwrapExecutor"]

#: A log up to this size never touches the disk.
_LOG_IN_MEMORY = 1 << 20


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """Turn what the operating system says of our own folder into the port's error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StoreUnwritable(f"cannot write below {folder}: {error}", file=str(folder)) from error


def _kept(request: ExecutionRequest, watch: Watch, workspace: int) -> None:
    """Keep what a failed step left, if that was asked for; one that was cancelled has not failed."""
    if request.keep is not None and watch.reason != "cancelled":
        from lockage.adapters.sandbox_bwrap.keep import keep_workspace  # only on the way to an error

        keep_workspace(workspace, request.keep)


class BwrapExecutor:
    """Runs actions in sandboxes below bubblewrap; may be used from several threads at once.

    ``scratch`` is a folder for what is made once (fixed files, compiled locales). ``host_cpus`` are the CPUs that steps may
    use (default: those of this process). Raises :class:`TooManyCpus`, :class:`lockage.ports.SandboxUnavailable`,
    :class:`lockage.ports.ModeUnavailable`, and what the blobs raise.
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
        self._overs: dict[tuple[int, str], list[tuple[str, str]]] = {}
        self._running: dict[int, Watch] = {}

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed:
        """Run one action; see :class:`lockage.ports.Executor`."""
        request = with_modes(request)
        cpus = self._take_cpus(request)
        sandbox = Sandbox()
        try:
            with (
                _scratch(self._scratch),
                cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_LOG_IN_MEMORY, dir=str(self._scratch))) as log,
            ):
                watch = Watch(request.resources, log, sandbox.kill, log_limit=self._log_limit)
                self._running[id(watch)] = watch
                try:
                    return self._execute(request, sandbox, watch, log, cpus)
                finally:
                    del self._running[id(watch)]
        finally:
            sandbox.close()
            self._give_back(cpus)

    def enter(self, request: ExecutionRequest, attached: Attached) -> int:
        """Run one action for somebody who looks on; see :class:`lockage.ports.Executor`."""
        from lockage.adapters.sandbox_bwrap.attach import attach  # no build needs terminals

        request = with_modes(request)
        cpus = self._take_cpus(request)
        sandbox = Sandbox()
        watch = Watch(request.resources, io.BytesIO(), sandbox.kill, log_limit=self._log_limit)
        self._running[id(watch)] = watch
        try:
            with _scratch(self._scratch):
                pass  # it is there
            with attach(attached) as streams:
                self._prepare(request, sandbox, watch, cpus, streams)
                sandbox.release()
                streams.relay(sandbox.monitor)
                code = sandbox.wait().exit_code
                return 128 + signal.SIGKILL if code is None else code
        except Full as error:
            raise StepFailed(disk_message(request.resources), hint="Raise `disk` of the step, or give it fewer inputs.") from error
        finally:
            del self._running[id(watch)]
            sandbox.close()
            self._give_back(cpus)

    def cancel(self) -> None:
        """Kill everything that is running; takes no lock, so it is safe in a signal handler."""
        for watch in list(self._running.values()):
            watch.end("cancelled", "the build was cancelled")

    def _execute(
        self, request: ExecutionRequest, sandbox: Sandbox, watch: Watch, log: BinaryIO, cpus: Sequence[int]
    ) -> ActionResult | ExecutionFailed:
        try:
            folders = self._prepare(request, sandbox, watch, cpus)
        except Full:
            _kept(request, watch, sandbox.open(request.world.build_path))
            return self._failed(watch, log)
        except SandboxUnavailable:
            if watch.reason is None:  # else it was cancelled while it was being made
                raise
            return self._failed(watch, log)
        if watch.reason is not None:  # cancelled before there was anything to kill
            sandbox.kill()
        ended, wall = self._run(sandbox, watch, folders)
        if watch.reason is None and ended.exit_code != 0:
            watch.disk(folders)
            if watch.full:
                watch.end("disk-limit", disk_message(request.resources))
        if watch.reason is None and ended.exit_code is None:
            watch.end("killed", "the sandbox was killed from outside")
        if watch.reason is not None:
            _kept(request, watch, folders[0])
            return self._failed(watch, log)
        assert ended.exit_code is not None
        if ended.exit_code != 0:
            _kept(request, watch, folders[0])
        try:
            outputs = self._outputs(request, folders[0], ended.exit_code)
        except Unharvestable as error:
            watch.end(error.reason, error.message)
            _kept(request, watch, folders[0])
            return self._failed(watch, log)
        usage = Usage(
            wall_ms=round(wall * 1000), user_ms=ended.user_ms, system_ms=ended.system_ms, peak_memory=max(watch.peak, ended.largest)
        )
        log.seek(0)
        return ActionResult(exit_code=ended.exit_code, outputs=outputs, log=self._blobs.put_stream(log), usage=usage)

    def _run(self, sandbox: Sandbox, watch: Watch, folders: Sequence[int]) -> tuple[Ended, float]:
        """Let the step run to its end, and everything that it started; how it ended, and the seconds it took."""
        started = time.monotonic()
        sandbox.release()
        watch.run(sandbox.log, sandbox.monitor, sandbox.processes, folders)
        ended = sandbox.wait()
        wall = time.monotonic() - started
        watch.drain(sandbox.log)
        return ended, wall

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

    def _prepare(
        self, request: ExecutionRequest, sandbox: Sandbox, watch: Watch, cpus: Sequence[int], streams: Streams | None = None
    ) -> list[int]:
        """Make, fill and limit the sandbox, and hold it; the writable folders' descriptors, the workspace's first."""
        world, action = request.world, request.action
        epoch = int(dict(action.variables).get("SOURCE_DATE_EPOCH", ZIP_FLOOR))
        writable = places(world, request.resources.disk)
        layout = self._layout(request, writable)
        given = self._arguments(request, layout, writable, session=streams is None or streams.terminal is None)
        personality = (UNAME26 if world.old_kernel else 0) | (ADDR_NO_RANDOMIZE if world.fixed_addresses else 0)
        try:
            sandbox.start(
                self._spawner,
                self._bwrap,
                given,
                command=action.arguments,
                umask=world.umask,
                personality=personality,
                streams=streams,
            )
            sandbox.hold(max(place.path for place in writable))
            freeze(sandbox.root, layout.made, [path for path, _ in layout.links], time=ZIP_FLOOR)
            folders = [sandbox.open(place.path) for place in writable] + [sandbox.open("/dev/shm")]  # noqa: S108 (in the sandbox)
            populate(folders[0], action.workspace, self._blobs, order=world.file_order, time=epoch)
            for folder in folders:
                os.utime(folder, (epoch, epoch))
            sandbox.limit(cpus=cpus, processes=request.resources.processes, niceness=world.niceness)
        except NotBuilt as error:
            raise unavailable(str(error)) from error
        except Full:
            watch.end("disk-limit", disk_message(request.resources))
            raise
        except PermissionError as error:
            raise SandboxUnavailable(
                f"this host does not let lockage look into its own sandbox: {error}",
                hint="Mount /proc without hidepid, and allow ptrace-like access to one's own processes (docs/sandbox.md).",
            ) from error
        except OSError as error:
            raise SandboxUnavailable(f"the sandbox could not be made with {self._bwrap.name}: {error}") from error
        return folders

    def _arguments(self, request: ExecutionRequest, layout: Layout, writable: Sequence[Place], *, session: bool) -> bytes:
        world = request.world
        library = clock_library(request.instruments) if preloaded(request.action, world) else None
        clock = self._fixtures.file(without_sleeping(library.read_bytes())) if library is not None else None
        sources = locale_sources(world.locale, request.instruments) if world.locale != CONTRACT.locale else None
        locale = compiled_locale(world.locale, sources, request.root, self._bwrap, self._scratch) if sources else None
        over = self._over(request)
        if Mode.FIXED_RANDOM in request.action.modes:
            over += [(str(self._fixtures.file(content)), path) for path, content in fixed_random().items()]
        over += [(str(source), path) for source, path in ((clock, CLOCK), (locale, LOCALES)) if source is not None]
        base = request.root.layers[0][1]
        found = variables(request.action, world, root=base, clock=clock is not None, locale=locale is not None)
        return arguments(world=world, layout=layout, writable=writable, over=over, variables=found, session=session)

    def _layout(self, request: ExecutionRequest, writable: Sequence[Place]) -> Layout:
        root, world = request.root, request.world
        wanted = ((preloaded(request.action, world), CLOCK), (world.locale != CONTRACT.locale, LOCALES))
        later = tuple(path for varied, path in wanted if varied and request.instruments is not None)
        key = (root.layers, tuple(writable), world.user, world.uid, world.gid, world.home, world.hostname, later)
        found = self._layouts.get(key)
        if found is None:
            fixed = {path: self._fixtures.file(content) for path, content in etc_files(world).items()}
            found = self._layouts[key] = arrange(root.layers, fixed, [place.path for place in writable], later)
        return found

    def _over(self, request: ExecutionRequest) -> list[tuple[str, str]]:
        key = (request.world.cpus or request.action.cpus, request.action.architecture)
        found = self._overs.get(key)
        if found is None:
            found = [(str(self._fixtures.tree(cpu_tree(key[0]))), "/sys")]
            found += [(str(self._fixtures.file(content)), path) for path, content in proc_files(*key).items()]
            self._overs[key] = found
        return list(found)

    def _take_cpus(self, request: ExecutionRequest) -> list[int]:
        """The least busy of the host's CPUs, as many as declared; ties go to the first or the last, as the world says."""
        if request.action.cpus > len(self._host_cpus):
            raise TooManyCpus(
                f"the step declares {request.action.cpus} CPUs, this host has {len(self._host_cpus)}",
                expected=request.action.cpus,
                found=len(self._host_cpus),
            )
        order = list(self._host_cpus) if request.world.affinity == "first" else list(reversed(self._host_cpus))
        count = min(request.world.cpus or request.action.cpus, len(order))
        with self._lock:
            found = sorted(order, key=lambda cpu: self._load[cpu])[:count]
            for cpu in found:
                self._load[cpu] += 1
        return found

    def _give_back(self, cpus: Sequence[int]) -> None:
        with self._lock:
            for cpu in cpus:
                self._load[cpu] -= 1
