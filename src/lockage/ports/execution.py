"""Roots to run in, and what runs actions in them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from lockage.base.digest import BlobRef
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult, Exceeded, Usage
from lockage.variation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.base.instant import Instant
    from lockage.environment.base import LockedImage
    from lockage.environment.image.received import ReceivedLayer
    from lockage.environment.lock import LockedEnvironment, LockedPackage
    from lockage.environment.root import Entry
    from lockage.ports.storage import Audit, Heard, Swept
    from lockage.ports.workers import Performance


class RealisedRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A root on this machine: folders to mount read-only, the base first, each at its place below ``/`` (empty: ``/`` itself)."""

    ref: RootRef
    layers: tuple[tuple[str, Path], ...]


class RootLayer(Protocol):
    """One layer of a realised root, to be looked into."""

    @property
    def place(self) -> str:
        """Where it lies below ``/``; it hides what lower layers have there. Empty: ``/`` itself."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """What it holds, by full path."""
        ...

    def read(self, entry: Entry) -> bytes:
        """The bytes of one of its files, checked. Raises :class:`RootDrift`."""
        ...


class Roots(Protocol):
    """Puts roots together from kept packages, without root privileges and without maintainer scripts."""

    def realise(self, environment: LockedEnvironment, *, expect: bool = True, arriving: Iterable[LockedPackage] = ()) -> RealisedRoot:
        """The root, from the store if it is there; with ``expect`` a root other than the lock's raises :class:`RootDrift`.

        Sdists are no part of a root: an environment that has some is given with the wheels that they make in their place.

        Packages of the environment that are ``arriving`` are put together while others are on their way; all of it is taken in any case.
        """
        ...

    def instruments(self, environment: LockedEnvironment) -> Path | None:
        """A folder with the unpacked instruments of an environment; None if it has none."""
        ...

    def layers(self, environment: LockedEnvironment) -> Sequence[RootLayer]:
        """The layers of the root, the lowest first; it is put together if it is not kept. Raises what :meth:`realise` raises."""
        ...

    def received(self, image: LockedImage) -> tuple[ReceivedLayer, ...]:
        """The layers of an image as they were received, the lowest first, with all that a root drops.

        Raises :class:`BlobMissing`, BlobCorrupt, InvalidImage.
        """
        ...

    def control(self, package: LockedPackage) -> str:
        """The control paragraph of a kept package. Raises :class:`BlobMissing`, BlobCorrupt, InvalidPackage."""
        ...

    def audit(self, heard: Heard, environment: LockedEnvironment | None = None) -> Audit:
        """Hash every file of every layer that is kept, or of those of one environment; what was known of its root is found anew.

        A layer that is not what was put together is set aside, and made anew when it is needed.
        """
        ...

    def sweep(self, needed: Iterable[LockedEnvironment], before: Instant, *, dry: bool = False) -> Swept:
        """Delete the layers that these environments have not, that were made earlier than ``before`` and that no process uses.

        ``dry`` only says what would go. Raises StoreUnwritable.
        """
        ...


class Attached(StrEnum):
    """What a command that somebody runs by hand in a sandbox is connected to."""

    TERMINAL = "terminal"  # one of its own, that stands for the user's
    STREAMS = "streams"  # this process's own
    OUTPUT = "output"  # this process's own, and nothing to read


class ExecutionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One action to be run, where, and within which limits. ``world`` is the contract unless a verification varies it.

    ``keep`` is the folder that its workspace is copied to if it fails, in the place of what is there. ``large``: its inputs are so many,
    or so large, that others should not be kept waiting while they are written.
    """

    action: Action
    root: RealisedRoot
    resources: Resources
    world: World
    instruments: Path | None = None
    keep: Path | None = None
    large: bool = False


class ExecutionFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Why an execution gave no result: ``reason`` is a code of docs/sandbox.md, ``message`` a sentence naming the limit or path.

    ``exceeded`` is the limit, if it was one.
    """

    reason: str
    message: str
    log: BlobRef
    exceeded: Exceeded | None = None
    usage: Usage = Usage()


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Which process wrote a file of a sandbox: the file's absolute path there, and the process's command line, cut when long."""

    path: str
    argv: tuple[str, ...]


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """An execution and its writers, in the order of their last writes; ``unobserved`` says why they could not be told."""

    outcome: ActionResult | ExecutionFailed
    writers: tuple[Writer, ...] = ()
    unobserved: str | None = None


class Executor(Protocol):
    """Runs an action in a sandbox and keeps its outputs and log in the blobs.

    Returns a result even if the command failed (``exit_code`` tells); an :class:`ExecutionFailed` if a limit was exceeded, an
    output is missing or not allowed, or a service was asked for what it has not recorded, whatever became of the command then.
    Raises :class:`SandboxUnavailable`, and :class:`FolderUnwritable` for a workspace to be kept.
    Leaves no process behind, whatever happens.
    """

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed: ...

    @property
    def performs(self) -> bool:
        """Whether :meth:`perform` may give anything, so that it is worth finding out early which action is next."""
        ...

    def perform(self, request: ExecutionRequest) -> Performance | None:
        """What :meth:`execute` does, in pieces; it is held once its sandbox is made. None where it can only be done in one go.

        The thread that does the pieces must live as long as they. Who closes it before its end leaves nothing of it.
        """
        ...

    def observe(self, request: ExecutionRequest) -> Observed:
        """Run an action as :meth:`execute` does, and note which process wrote each file in the writable folders.

        A file that was renamed keeps the writer of its content. Where a host does not allow that, it is run all the same, unobserved.
        """
        ...

    def enter(self, request: ExecutionRequest, attached: Attached) -> int:
        """Run an action for somebody who looks on: no time limit, and nothing of it is kept. Returns the command's exit code.

        Raises what :meth:`execute` raises, and :class:`StepFailed` if the inputs alone exceed the disk limit.
        """
        ...

    def cancel(self) -> None:
        """Kill everything that is running; safe from a signal handler's thread."""
        ...
