"""What lockage needs from outside, one Protocol per outside thing.

An adapter implements one of these, raises only the errors named here (``raise … from``), and passes the port's contract
suite in tests/contracts. Fakes for tests live in adapters/memory and pass the same suites.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.instant import Instant
from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.errors import Unresolvable as Unresolvable
from lockage.ledger.errors import LedgerCorrupt as LedgerCorrupt
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
    ImageChanged as ImageChanged,
)
from lockage.ports.errors import (
    ImageVanished as ImageVanished,
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
from lockage.ports.execution import (
    Attached as Attached,
)
from lockage.ports.execution import (
    ExecutionFailed as ExecutionFailed,
)
from lockage.ports.execution import (
    ExecutionRequest as ExecutionRequest,
)
from lockage.ports.execution import (
    Executor as Executor,
)
from lockage.ports.execution import (
    Observed as Observed,
)
from lockage.ports.execution import (
    RealisedRoot as RealisedRoot,
)
from lockage.ports.execution import (
    RootLayer as RootLayer,
)
from lockage.ports.execution import (
    Roots as Roots,
)
from lockage.ports.execution import (
    Writer as Writer,
)
from lockage.ports.packages import (
    Downloads as Downloads,
)
from lockage.ports.packages import (
    OsPackages as OsPackages,
)
from lockage.ports.packages import (
    PythonIndex as PythonIndex,
)
from lockage.ports.storage import ActionCache as ActionCache
from lockage.ports.storage import Blobs as Blobs
from lockage.ports.storage import Memo as Memo
from lockage.ports.storage import Storage as Storage
from lockage.record.source import Origin, Source
from lockage.record.version import NoVersion, VersionCandidates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from lockage.base.digest import Digest
    from lockage.base.name import LatchName
    from lockage.ports.storage import Audit, Heard
    from lockage.ports.workers import Workers as Workers
    from lockage.recipe.model import VersionFrom
    from lockage.record.artifact import Run


#: The file that marks a folder of what failed steps left: what is in it may be replaced.
KEPT_MARK = ".lockage-failed"


class Latches(Protocol):
    """Latches: names that one holder at a time may have of all that share a store, in this process and in others.

    Raises :class:`StoreUnwritable`.
    """

    def held(self, names: Collection[LatchName], blocked: Callable[[LatchName], None] | None = None) -> AbstractContextManager[bool]:
        """All of them, taken in an order that is the same for everybody; waits for whoever has one. False if that was interrupted.

        Before it waits, ``blocked`` is called with the name that somebody has, at most once for each, in the thread that waits.
        A process that ends, however it does, holds none any more.
        """
        ...

    def interrupt(self) -> None:
        """Those of this process that wait do so no longer, and hold nothing; who comes later waits. Safe from any thread."""
        ...


class Runs(Protocol):
    """The records of runs on this machine, newest last."""

    def put(self, run: Run, log: BlobRef) -> str:
        """Keep a run with its canonical log and give it an id."""
        ...

    def get(self, run_id: str) -> tuple[Run, BlobRef] | None: ...
    def digest(self, run_id: str) -> Digest | None:
        """Tells a record from any other; None if there is none. Cheaper than reading it."""
        ...

    def ids(self) -> tuple[str, ...]:
        """The ids of all that can be read, newest last."""
        ...

    def audit(self, heard: Heard) -> Audit:
        """Read every record; what cannot be read is set aside, and its id not used again."""
        ...

    def remove(self, run_id: str, *, dry: bool = False) -> int:
        """Delete a record, if it is there; its bytes. Its id is not given again while a later one is kept. Raises StoreUnwritable.

        ``dry`` only says how many bytes would go.
        """
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
    """The time of day, and a clock for durations."""

    def now(self) -> Instant: ...
    def steady(self) -> int:
        """Milliseconds of a clock that is never set; only differences mean something."""
        ...


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
    def read_sdist(self, file: str, archive: BlobRef) -> SourceRead:
        """The source that a kept sdist holds; ``file`` is its name. Raises :class:`BlobMissing`, :class:`BlobCorrupt` as well."""
        ...


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
