"""What lockage needs from outside, one Protocol per outside thing.

An adapter implements one of these, raises only the errors named here (``raise … from``), and passes the port's contract
suite in tests/contracts. Fakes for tests live in adapters/memory and pass the same suites.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.instant import Instant
from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.errors import Unresolvable as Unresolvable
from lockage.environment.lock import RootRef
from lockage.ledger.errors import LedgerCorrupt as LedgerCorrupt
from lockage.plan.action import Action
from lockage.ports.errors import (
    BlobCorrupt as BlobCorrupt,
)
from lockage.ports.errors import (
    BlobMissing as BlobMissing,
)
from lockage.ports.errors import (
    FolderUnwritable as FolderUnwritable,
)
from lockage.ports.errors import (
    InputChanged as InputChanged,
)
from lockage.ports.errors import (
    InputVanished as InputVanished,
)
from lockage.ports.errors import (
    KeyUnusable as KeyUnusable,
)
from lockage.ports.errors import (
    LedgerConflict as LedgerConflict,
)
from lockage.ports.errors import (
    MirrorUnconfigured as MirrorUnconfigured,
)
from lockage.ports.errors import (
    ModeUnavailable as ModeUnavailable,
)
from lockage.ports.errors import (
    NoUploadTimes as NoUploadTimes,
)
from lockage.ports.errors import (
    PackageChanged as PackageChanged,
)
from lockage.ports.errors import (
    PackageVanished as PackageVanished,
)
from lockage.ports.errors import (
    RootDrift as RootDrift,
)
from lockage.ports.errors import (
    SandboxUnavailable as SandboxUnavailable,
)
from lockage.ports.errors import (
    ServiceUnreachable as ServiceUnreachable,
)
from lockage.ports.errors import (
    SourceUnusable as SourceUnusable,
)
from lockage.ports.errors import (
    StoreFormatUnknown as StoreFormatUnknown,
)
from lockage.ports.errors import (
    StoreUnreadable as StoreUnreadable,
)
from lockage.ports.errors import (
    StoreUnwritable as StoreUnwritable,
)
from lockage.ports.errors import (
    TooManyCpus as TooManyCpus,
)
from lockage.ports.errors import (
    UntrustedRelease as UntrustedRelease,
)
from lockage.ports.storage import Storage as Storage
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.record.source import Origin, Source
from lockage.record.version import NoVersion, VersionCandidates
from lockage.variation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from lockage.base.digest import Digest
    from lockage.environment.debian import PackagedFile, Release, Stanza
    from lockage.environment.declaration import OsBase
    from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedWheel
    from lockage.environment.python import PythonTarget
    from lockage.environment.python_lock import Pin
    from lockage.environment.root import Entry
    from lockage.ports.storage import Audit, Heard
    from lockage.recipe.model import FetchInput, VersionFrom
    from lockage.record.artifact import Run


#: The file that marks a folder of what failed steps left: what is in it may be replaced.
KEPT_MARK = ".lockage-failed"


class Workers(Protocol):
    """Runs tasks beside each other."""

    def start(self, key: str, task: Callable[[], object]) -> None: ...
    def wait(self) -> tuple[str, object]:
        """The key and result of the next task that ends; what a task raised is its result."""
        ...

    def abandon(self, interrupt: Callable[[], None]) -> None:
        """Forget every task: none begins any more, and those under way are ended by ``interrupt``, called until all have.

        Holds wherever a signal broke off another method; other tasks may be started afterwards.
        """
        ...


class Runs(Protocol):
    """The records of runs on this machine, newest last."""

    def put(self, run: Run, log: BlobRef) -> str:
        """Keep a run with its canonical log and give it an id."""
        ...

    def get(self, run_id: str) -> tuple[Run, BlobRef] | None: ...
    def ids(self) -> tuple[str, ...]:
        """The ids of all that can be read, newest last."""
        ...

    def audit(self, heard: Heard) -> Audit:
        """Read every record; what cannot be read is set aside, and its id not used again."""
        ...

    def latest(self) -> str | None: ...
    def recent(self, limit: int) -> tuple[str, ...]:
        """The ids of the last runs, the newest first."""
        ...


class Folders(Protocol):
    """Folders of the user's that results are put into. Raises :class:`FolderUnwritable`."""

    def place(self, folder: Path, files: Sequence[tuple[str, BlobRef]]) -> None:
        """Put verified blobs into a folder under these names; each file appears whole or not at all, what is equal stays untouched."""
        ...

    def read(self, folder: Path, name: str) -> bytes | None:
        """A small file of a folder; None if it is not there."""
        ...

    def write(self, folder: Path, name: str, data: bytes) -> None:
        """Put one small file into a folder, in the place of what was there."""
        ...

    def check_kept(self, folder: Path) -> None:
        """Refuse a folder that cannot hold what failed steps leave: it is to be absent, empty, or to have :data:`KEPT_MARK`."""
        ...

    def replace(self, folder: Path, files: Sequence[tuple[str, BlobRef]], keep: Mapping[str, bytes]) -> None:
        """Make a folder hold exactly these files and the small ``keep`` files: all are verified beside it before the first appears.

        The folder must be absent, empty, or hold the first name of ``keep``, which marks it as made by this method.
        """
        ...


class Clock(Protocol):
    """The time of day."""

    def now(self) -> Instant: ...


class Blobs(Protocol):
    """Immutable bytes by digest. Every method that returns bytes has verified them, or raises :class:`BlobCorrupt`.

    ``put*`` are durable when they return and idempotent. Raises :class:`BlobMissing`, :class:`StoreUnwritable`.
    """

    def put(self, data: bytes) -> BlobRef: ...
    def put_many(self, items: Iterable[bytes]) -> list[BlobRef]:
        """Store several; cheaper than one by one, as all are made durable together."""
        ...

    def put_stream(self, stream: BinaryIO) -> BlobRef: ...
    def get(self, ref: BlobRef) -> bytes: ...
    def open(self, ref: BlobRef) -> BinaryIO:
        """A verified binary stream of the blob, seekable; the caller closes it."""
        ...

    def has(self, ref: BlobRef) -> bool:
        """Whether a blob of that digest and size is present (not re-hashed)."""
        ...

    def locate(self, digest: Digest) -> BlobRef | None:
        """The reference of a present blob of which only the sha256 is known."""
        ...

    def audit(self, heard: Heard) -> Audit:
        """Hash every blob again; those of other bytes are set aside. May run beside everything else."""
        ...


class ActionCache(Protocol):
    """Results of actions by action digest. A damaged or half-written entry counts as absent."""

    def get(self, action: BlobRef) -> ActionResult | None: ...
    def put(self, action: BlobRef, result: ActionResult) -> None: ...
    def entries(self) -> Iterator[tuple[BlobRef, ActionResult]]:
        """Every whole entry, in no order."""
        ...

    def audit(self, heard: Heard) -> Audit:
        """Read every entry; damaged ones are set aside."""
        ...


class Memo(Protocol):
    """Derived facts that cost something to compute and may vanish at any time; never the only copy, never trusted for integrity."""

    def get(self, kind: str, key: str) -> bytes | None: ...
    def put(self, kind: str, key: str, value: bytes) -> None: ...


class LedgerHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ledger ends.

    ``edge`` holds the hashes of the largest complete subtrees, left to right; ``time`` is the last entry's.
    """

    size: int
    edge: tuple[bytes, ...]
    time: Instant
    checkpoint: bytes


class Ledger(Protocol):
    """An append-only sequence of entries with its Merkle tree and latest signed checkpoint.

    ``append`` is one durable transaction: entries, tree nodes and checkpoint, or nothing; it raises :class:`LedgerConflict`
    if the size is no longer ``expected``. Raises :class:`LedgerCorrupt`, :class:`StoreUnwritable`.
    """

    def head(self) -> LedgerHead | None:
        """The present end; None before the first append."""
        ...

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]: ...
    def append(self, entries: Sequence[bytes], *, expected: int, checkpoint: bytes, time: Instant) -> None: ...
    def node(self, level: int, index: int) -> bytes | None:
        """The 32-byte hash of a complete subtree of 2^level leaves; None if it is not complete yet."""
        ...


class Signer(Protocol):
    """A private key that signs. ``sign`` returns the raw signature over exactly these bytes."""

    @property
    def public(self) -> bytes:
        """The public key, as SubjectPublicKeyInfo DER."""
        ...

    def sign(self, data: bytes) -> bytes: ...


class Keys(Protocol):
    """The private keys of whoever runs lockage, by name (a role's name, usually). Raises :class:`KeyUnusable`."""

    def names(self) -> tuple[str, ...]:
        """The names of the keys that are there, sorted."""
        ...

    def load(self, name: str) -> Signer: ...
    def load_or_create(self, name: str) -> Signer:
        """The key of that name, made durably if it is not there; two callers at once get one key."""
        ...


class Pins(Protocol):
    """What this user trusts without being told again: trust roots by ledger origin, kept beside the keys. Raises :class:`KeyUnusable`."""

    def trust_root(self, origin: str) -> bytes | None:
        """The signed trust root that was pinned for a ledger."""
        ...

    def pin(self, origin: str, trust_root: bytes) -> None: ...


class Sources(Protocol):
    """Reads what is to be built; keeps its files and Directory messages in the blobs.

    Raises :class:`SourceUnusable`, and :class:`ServiceUnreachable` if it is a repository elsewhere that does not answer.
    """

    def read(self, locator: str) -> SourceRead: ...


class SourceRead(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it was read, with the bytes of its own recipe and lock if it has them.

    Which version counts is for the recipe to say, which is known only afterwards: see :meth:`source`. ``project`` is the name
    that an sdist gives itself. ``home`` is the directory of the tree that the recipe is in, if the recipe's source begins above
    it; ``shared`` the file of environments that it shares, if that is no part of the tree. ``shallow`` says that a repository's
    history was cut off, and with it perhaps the tag that would have named the version.
    """

    tree: BlobRef
    date: Instant
    origin: Origin
    versions: VersionCandidates
    project: ProjectName | None = None
    recipe: bytes | None = None
    lock: bytes | None = None
    home: RelPath | None = None
    shared: bytes | None = None
    shallow: bool = False

    def source(self, rule: VersionFrom | None = None) -> Source:
        """The source with the version that the recipe's rule chooses; raises NoVersion."""
        try:
            version = self.versions.choose(rule)
        except NoVersion as error:
            if not self.shallow:
                raise
            hint = "The clone is shallow: `git fetch --unshallow --tags` brings the tags that it lacks."
            raise NoVersion(error.message, hint=hint, **error.details) from error
        return Source(tree=self.tree, date=self.date, version=version, origin=self.origin)


class OsPackages(Protocol):
    """A verified package index and its packages. Raises the mirror, release and package errors above."""

    def index(self, base: OsBase, architecture: str) -> tuple[Release, Sequence[Stanza]]:
        """The suite's signed Release, verified, and every package stanza of its main component."""
        ...

    def fetch(self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None) -> None:
        """Make sure that every package is in the blobs, whole; downloads in parallel what is not.

        ``as_of`` is the date of the Release file that the packages were locked from: archives of old packages are asked for that time.
        """
        ...

    def arriving(
        self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None
    ) -> AbstractContextManager[Iterator[LockedPackage]]:
        """The same, but each package is given as soon as it is in the blobs, so that something can be done with it meanwhile.

        The iterator raises what fetching raises. What was not taken from it when the context ends may not be kept.
        """
        ...

    def files(self, base: OsBase, architecture: str, endings: Sequence[str]) -> Sequence[PackagedFile]:
        """The files of the suite's packages whose paths end in one of these (``/zlib.h``), of the kinds that builds look for.

        ``architecture`` may be ``all``: the packages that are the same for every architecture, and only those. Answers from what is
        kept if that is not old, or if nobody can be asked.
        """
        ...


class PythonIndex(Protocol):
    """Resolves requirements to wheels and fetches them."""

    def resolve(
        self,
        requirements: Sequence[str],
        target: PythonTarget,
        *,
        pinned: Sequence[LockedWheel] = (),
        preferred: Sequence[LockedWheel] = (),
        renewed: Collection[str] = (),
        as_of: Instant | None = None,
    ) -> tuple[LockedWheel, ...]:
        """The wheels that satisfy the requirements together, sorted; raises :class:`Unresolvable`.

        ``pinned`` wheels are there already: no other version of them is chosen, and they are not part of the answer. ``preferred``
        wheels are taken as long as the requirements allow it; but projects that are ``renewed`` (normalised names) get the versions
        that they would have if nothing was preferred. What was not uploaded before ``as_of`` does not count; an index that does not
        say when it was raises :class:`NoUploadTimes`.
        """
        ...

    def take(self, pins: Sequence[Pin], target: PythonTarget) -> tuple[LockedWheel, ...]:
        """The wheels that pins name, sorted and kept: by file name and sha256, or the one that fits best of those with the sha256.

        Raises :class:`Unresolvable` if none of a pin's wheels fits, :class:`PackageVanished`, :class:`PackageChanged`.
        """
        ...

    def fetch(self, wheels: Sequence[LockedWheel]) -> None: ...


class Downloads(Protocol):
    """Files from anywhere, by address and sha256."""

    def fetch(self, inputs: Sequence[FetchInput]) -> list[BlobRef]:
        """Make sure that every input is in the blobs, whole; downloads in parallel what is not, from the first address that has it.

        Raises :class:`InputVanished`, :class:`InputChanged`, :class:`ServiceUnreachable`; whatever was whole by then is kept.
        """
        ...


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

        Packages of the environment that are ``arriving`` are put together while others are on their way; all of it is taken in any case.
        """
        ...

    def instruments(self, environment: LockedEnvironment) -> Path | None:
        """A folder with the unpacked instruments of an environment; None if it has none."""
        ...

    def layers(self, environment: LockedEnvironment) -> Sequence[RootLayer]:
        """The layers of the root, the lowest first; it is put together if it is not kept. Raises what :meth:`realise` raises."""
        ...

    def control(self, package: LockedPackage) -> str:
        """The control paragraph of a kept package. Raises :class:`BlobMissing`, BlobCorrupt, InvalidPackage."""
        ...

    def audit(self, heard: Heard, environment: LockedEnvironment | None = None) -> Audit:
        """Hash every file of every layer that is kept, or of those of one environment; what was known of its root is found anew.

        A layer that is not what was put together is set aside, and made anew when it is needed.
        """
        ...


class Attached(StrEnum):
    """What a command that somebody runs by hand in a sandbox is connected to."""

    TERMINAL = "terminal"  # one of its own, that stands for the user's
    STREAMS = "streams"  # this process's own
    OUTPUT = "output"  # this process's own, and nothing to read


class ExecutionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One action to be run, where, and within which limits. ``world`` is the contract unless a verification varies it.

    ``keep`` is the folder that its workspace is copied to if it fails, in the place of what is there.
    """

    action: Action
    root: RealisedRoot
    resources: Resources
    world: World
    instruments: Path | None = None
    keep: Path | None = None


class ExecutionFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Why an execution gave no result: ``reason`` is a code of docs/errors.md, ``message`` a sentence naming the limit or path."""

    reason: str
    message: str
    log: BlobRef


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

    Returns a result even if the command failed (``exit_code`` tells); an :class:`ExecutionFailed` if a limit was exceeded or an
    output is missing or not allowed. Raises :class:`SandboxUnavailable`, and :class:`FolderUnwritable` for a workspace to be kept.
    Leaves no process behind, whatever happens.
    """

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed: ...

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


class Surrounding(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a folder at a glance: nothing of it has been kept, and the files are those of the working copy.

    ``commit`` is None outside a repository and before its first commit; ``changes`` are the paths below the folder that differ
    from it. ``trouble`` says why git could not tell.
    """

    folder: Path
    files: dict[str, bytes]
    repository: bool = False
    commit: str | None = None
    branch: str | None = None
    changes: tuple[str, ...] = ()
    trouble: str | None = None


class Surroundings(Protocol):
    """Looks at a folder without changing or keeping anything."""

    def look(self, folder: Path, names: Sequence[str]) -> Surrounding:
        """The folder, with those of its files of these names that are there and can be read."""
        ...
