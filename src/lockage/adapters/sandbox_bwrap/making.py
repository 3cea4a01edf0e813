"""Makes one sandbox for one request: put together, filled, limited, and held until it is released.

Invariant: what a sandbox shows follows from the request alone; folders of fixed files and layouts are kept, as they are the same for many.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from lockage import durable
from lockage.adapters.sandbox_bwrap.arguments import Place, arguments, places
from lockage.adapters.sandbox_bwrap.contents import LEFTOVERS, REPOSITORY, SETTINGS, cpu_tree, etc_files, proc_files
from lockage.adapters.sandbox_bwrap.diagnose import unavailable
from lockage.adapters.sandbox_bwrap.fixtures import Fixtures
from lockage.adapters.sandbox_bwrap.instruments import clock_library, compiled_locale, locale_sources, without_sleeping
from lockage.adapters.sandbox_bwrap.layout import Layout, arrange
from lockage.adapters.sandbox_bwrap.measure import SHARED_MEMORY
from lockage.adapters.sandbox_bwrap.modes import fixed_random, preloaded
from lockage.adapters.sandbox_bwrap.sandbox import NotBuilt, Sandbox
from lockage.adapters.sandbox_bwrap.spawn import ADDR_NO_RANDOMIZE, LINUX32, UNAME26, Spawner
from lockage.adapters.sandbox_bwrap.standing import freeze
from lockage.adapters.sandbox_bwrap.variables import CLOCK, LOCALES, variables
from lockage.base.instant import ZIP_FLOOR
from lockage.ports import SandboxUnavailable, StoreUnwritable
from lockage.ports.workers import Aside, Waiting
from lockage.recipe.modes import Mode
from lockage.running.remove import remove_workspace
from lockage.running.watch import Watch, disk_exceeded, disk_message
from lockage.running.workspace import Full, populate, scatter
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from lockage.adapters.sandbox_bwrap.attach import Streams
    from lockage.adapters.sandbox_bwrap.tracer import Tracer
    from lockage.ports import Blobs, ExecutionRequest
    from lockage.variation.world import World

    Making = Generator[Waiting | Aside, Any, list[int]]  # Any: see Performance

__all__ = ["Maker"]

#: What a file system answers that has no room, or takes nothing: our own scratch folder's fault, not the sandbox's.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
#: A CPU fills no more before what a step has written is first summed up (25 ms, at 10 GB/s). Folders with more room need not be held open
#: until then, and go with the sandbox if that ends earlier, which costs the kernel less than to keep them for us.
_FILLED = 1 << 28
#: So many sandboxes' schemes are remembered.
_MOST_SCHEMES = 256
#: In the sandbox.
_SHARED = "/dev/shm"  # noqa: S108 (as said)
#: Runs a command, and if it went well once more; how the second run ends does not count, only what it leaves.
_TWICE = ("/bin/sh", "-c", '"$@" || exit; "$@" || :', "twice")


class _Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandboxes of most steps of a plan have in common, as they differ in their commands and inputs only.

    ``folders`` are those that are held open, by path, each with its path below the root, and ``later`` those that are once somebody looks
    at what they hold; ``last`` is what is mounted last; ``epoch`` is the time of all that is put in; ``made`` are folders with their modes,
    see :class:`Layout`.
    """

    given: bytes
    layout: Layout
    made: tuple[tuple[str, int], ...]
    folders: tuple[tuple[str, str], ...]
    later: tuple[str, ...]
    last: str
    epoch: int
    personality: int


class Maker:
    """Makes sandboxes below bubblewrap; may be used from several threads at once."""

    def __init__(self, blobs: Blobs, bwrap: Path, scratch: Path) -> None:
        self._blobs = blobs
        self._bwrap = bwrap
        self._scratch = scratch
        self._fixtures = Fixtures(scratch / "fixed")
        self._spawner = Spawner()
        self._layouts: dict[object, Layout] = {}
        self._overs: dict[object, list[tuple[str, str]]] = {}
        self._schemes: dict[object, _Scheme] = {}
        self._latest: tuple[object, _Scheme | None] = (None, None)

    def make(
        self,
        request: ExecutionRequest,
        sandbox: Sandbox,
        watch: Watch,
        *,
        streams: Streams | None = None,
        tracer: Tracer | None = None,
    ) -> Making:
        """Make, fill and limit the sandbox, and hold it; the writable folders' descriptors, the workspace's first."""
        try:
            return (yield from self._make(request, sandbox, streams, tracer))
        except NotBuilt as error:
            raise unavailable(str(error)) from error
        except Full:
            watch.end("disk-limit", disk_message(request.resources), disk_exceeded(request.resources))
            raise
        except PermissionError as error:
            raise SandboxUnavailable(
                f"this host does not let lockage look into its own sandbox: {error}",
                hint="Mount /proc without hidepid, and allow ptrace-like access to one's own processes (docs/sandbox.md).",
            ) from error
        except OSError as error:
            # Who was killed meanwhile has no mounts any more: what is below them in the root cannot be written.
            if error.errno in _NO_ROOM and watch.reason is None:
                raise StoreUnwritable(f"cannot write below {self._scratch}: {error}", file=str(self._scratch)) from error
            raise SandboxUnavailable(f"the sandbox could not be made with {self._bwrap.name}: {error}") from error

    def _make(self, request: ExecutionRequest, sandbox: Sandbox, streams: Streams | None, tracer: Tracer | None) -> Making:
        world, action = request.world, request.action
        disk = self._folder_on_disk(sandbox) if world.on_disk else None
        scheme = self._scheme(request, disk, session=streams is None or streams.terminal is None, filtered=tracer is not None)
        epoch = scheme.epoch
        sandbox.start(
            self._spawner,
            str(self._bwrap),
            scheme.given,
            command=(*_TWICE, *action.arguments) if world.twice else action.arguments,
            world=world,
            personality=scheme.personality,
            streams=streams,
            seccomp=None if tracer is None else tracer.program,
        )
        yield from sandbox.await_mounts()
        sandbox.limit(processes=request.resources.processes, world=world)  # while bubblewrap does what is left
        yield from sandbox.hold(scheme.last, scheme.layout.whole)
        freeze(sandbox.root, scheme.made, scheme.layout.links, time=ZIP_FLOOR)
        opened = {path: sandbox.open(below) for path, below in scheme.folders}
        for below in scheme.later:
            os.utime(below, (epoch, epoch), dir_fd=sandbox.root)
            sandbox.unopened.append(below)
        fill = partial(
            populate,
            opened[world.build_path],
            action.workspace,
            self._blobs,
            order=world.file_order,
            time=epoch,
            times=world.source_times,
            modes=world.source_modes,
            umask=self._spawner.taken_away(world.umask),
        )
        if request.large:
            yield Aside(fill)
        else:
            fill()
        for wanted, place, files in (
            (world.repository, world.build_path, REPOSITORY),
            (world.settings, world.home, SETTINGS),
            (world.leftovers, world.temporary, LEFTOVERS),
        ):
            if wanted:
                scatter(opened[place], files, time=epoch)
        for path, folder in opened.items():
            if path != world.build_path or (world.repository and world.source_times == CONTRACT.source_times):  # else it has its time
                os.utime(folder, (epoch, epoch))
        sandbox.enter(world)
        if tracer is not None:
            tracer.start(sandbox.init)
        return list(opened.values())

    def _folder_on_disk(self, sandbox: Sandbox) -> str:
        """A new folder of the host's disk, which goes with the sandbox."""
        folder, lock = durable.claim_folder(self._scratch, "workspace-", remove_workspace)
        sandbox.at_the_end(lambda: os.close(lock))
        sandbox.at_the_end(lambda: remove_workspace(folder))
        return str(folder)

    def _scheme(self, request: ExecutionRequest, disk: str | None, *, session: bool, filtered: bool) -> _Scheme:
        action = request.action
        key = (
            *(request.world, request.root.layers, request.instruments, request.resources.disk, disk, session, filtered),
            *(action.variables, action.cpus, action.architecture, action.modes, action.preload, action.services),
        )
        before, found = self._latest
        if key == before and found is not None:  # as a rule the very objects: to compare costs less than the digest of a whole world
            return found
        found = self._schemes.get(key)
        if found is None:
            writable = places(request.world, request.resources.disk, disk)
            layout = self._layout(request, writable)
            paths = [*(place.path for place in writable), _SHARED]
            later = _later(request, paths)
            found = _Scheme(
                given=self._arguments(request, layout, writable, session=session, filtered=filtered),
                layout=layout,
                made=layout.made,
                folders=tuple((path, path.lstrip("/")) for path in paths if path not in later),
                later=tuple(path.lstrip("/") for path in later),
                last=max(place.path for place in writable),
                epoch=int(dict(action.variables).get("SOURCE_DATE_EPOCH", ZIP_FLOOR)),
                personality=_personality(request.world),
            )
            if len(self._schemes) >= _MOST_SCHEMES:
                self._schemes.clear()
            self._schemes[key] = found
        self._latest = key, found
        return found

    def _arguments(self, request: ExecutionRequest, layout: Layout, writable: Sequence[Place], *, session: bool, filtered: bool) -> bytes:
        world = request.world
        library = clock_library(request.instruments) if preloaded(request.action, world) else None
        clock = self._fixtures.file(without_sleeping(library.read_bytes())) if library is not None else None
        sources = locale_sources(world.locale, request.instruments) if world.locale != CONTRACT.locale else None
        locale = compiled_locale(world.locale, sources, request.root, self._bwrap, self._scratch) if sources else None
        over = self._over(request)
        if Mode.FIXED_RANDOM in request.action.modes:
            over += [(str(self._fixtures.file(content)), path) for path, content in fixed_random().items()]
        over += [(str(source), path) for source, path in ((clock, CLOCK), (locale, LOCALES)) if source is not None]
        if world.other_shell:
            from lockage.adapters.sandbox_bwrap.support import other_shell  # only a verification needs it

            shell = other_shell(request.root)
            over += [(str(shell[0]), shell[1])] if shell is not None else []
        base = request.root.layers[0][1]
        found = variables(request.action, world, root=base, clock=clock is not None, locale=locale is not None)
        return arguments(world=world, layout=layout, writable=writable, over=over, variables=found, session=session, filtered=filtered)

    def _layout(self, request: ExecutionRequest, writable: Sequence[Place]) -> Layout:
        root, world = request.root, request.world
        wanted = ((preloaded(request.action, world), CLOCK), (world.locale != CONTRACT.locale, LOCALES))
        later = tuple(path for varied, path in wanted if varied and request.instruments is not None)
        points, texts = tuple(place.path for place in writable), etc_files(world)
        for address, stub in request.action.listening:
            texts["/etc/hosts"] += "".join(f"{address} {host}\n" for host in stub.hosts).encode()
        key = (root.layers, points, tuple(texts.values()), later)
        found = self._layouts.get(key)
        if found is None:
            fixed = {path: self._fixtures.file(content) for path, content in texts.items()}
            found = self._layouts[key] = arrange(root.layers, fixed, points, later)
        return found

    def _over(self, request: ExecutionRequest) -> list[tuple[str, str]]:
        world, architecture = request.world, request.action.architecture
        cpus = world.cpus or request.action.cpus
        key = (cpus, architecture, world.cpu_model, world.memory, world.boot_id)
        found = self._overs.get(key)
        if found is None:
            found = [(str(self._fixtures.tree(cpu_tree(cpus))), "/sys")]
            found += [(str(self._fixtures.file(content)), path) for path, content in proc_files(world, cpus, architecture).items()]
            self._overs[key] = found
        return list(found)


def _later(request: ExecutionRequest, paths: Sequence[str]) -> list[str]:
    """Which of the folders that a step may write need not be held open before somebody looks at them."""
    if request.world != CONTRACT:
        return []
    least = request.action.cpus * _FILLED
    room = {path: SHARED_MEMORY if path == _SHARED else request.resources.disk for path in paths if path != CONTRACT.build_path}
    return [path for path, size in room.items() if size >= least]


def _personality(world: World) -> int:
    flags = ((world.old_kernel, UNAME26), (world.fixed_addresses, ADDR_NO_RANDOMIZE), (world.narrow, LINUX32))
    return sum(flag for wanted, flag in flags if wanted)
