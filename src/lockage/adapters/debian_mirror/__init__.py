"""OS packages from a Debian mirror: found in apt's configuration, verified by the archive's signature, kept in the blobs.

Invariants: nothing a mirror says is believed without the suite's signature; no blob is stored before its size and sha256 were
checked; what is already kept is never fetched.
"""

from __future__ import annotations

import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote

from lockage.adapters.debian_mirror.discovery import Mirror, discover_mirrors, discover_proxies
from lockage.adapters.debian_mirror.snapshot import dated
from lockage.adapters.debian_mirror.suite import SeenReleases, Trust, check_release, fetch_release, fetch_stanzas
from lockage.base.digest import BlobRef, Digest, Hasher
from lockage.base.errors import LockageError
from lockage.ports import MirrorUnconfigured, PackageChanged, PackageVanished, ServiceUnreachable, StoreUnwritable
from lockage.transfer import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lockage.adapters.debian_mirror.contents import KeptContents
    from lockage.adapters.debian_mirror.suite import Verify
    from lockage.environment.base import OsBase
    from lockage.environment.debian import PackagedFile, Release, Stanza
    from lockage.environment.lock import LockedPackage
    from lockage.ports import Blobs, Clock, Memo
    from lockage.transfer.credentials import Login

__all__ = ["DebianMirror", "Mirror", "discover_mirrors", "discover_proxies"]

#: Packages up to this size wait in memory and are made durable together, this much at a time; larger ones go through a file.
_SMALL = 16 << 20
_BATCH = 4 << 20

_VANISHED = (
    "Set LOCKAGE_DEBIAN_SNAPSHOT to an archive that keeps old packages (https://snapshot.example.org/archive/debian/{date}), "
    "copy the blob from a store that has it, or accept newer packages with `lockage lock --upgrade`."
)
_VANISHED_EVERYWHERE = (
    "Add an archive that has it to LOCKAGE_DEBIAN_SNAPSHOT, copy the blob from a store that has it, "
    "or accept newer packages with `lockage lock --upgrade`."
)


class DebianMirror:
    """Implements the port ``OsPackages`` over one or more mirrors, asked in order.

    ``snapshots`` are archives that keep old packages: they are asked for a package that no mirror has any more, and for nothing
    else, as what they say of a suite is of another day.
    """

    def __init__(
        self,
        blobs: Blobs,
        memo: Memo,
        clock: Clock,
        cache: Path,
        *,
        mirrors: Callable[[str], Sequence[Mirror]],
        verify: Verify,
        verify_alone: Verify,
        allow_stale: frozenset[str] = frozenset(),
        proxies: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        keys: Sequence[bytes] = (),
        snapshots: Callable[[], Sequence[Mirror]] = tuple,
        logins: tuple[Login, ...] = (),
        workers: int = 8,
        pause: Callable[[float], None] = time.sleep,
        moved: Callable[[int], None] | None = None,
    ) -> None:
        """``mirrors`` gives those of a distribution, and is asked only when something must be fetched; ``verify`` is the method of a
        keyring of Debian's own keys, ``verify_alone`` that of an empty one; ``keys`` are more keyrings.

        ``moved`` hears of bytes that arrive, for progress.
        """
        self._blobs = blobs
        self._memo = memo
        self._clock = clock
        self._cache = cache
        self._mirrors = mirrors
        self._verify = verify
        self._verify_alone = verify_alone
        self._allow_stale = allow_stale
        self._snapshots = snapshots
        self._transport = Transport(proxies=proxies or {}, ca_file=ca_file, logins=logins, pause=pause, moved=moved)
        self._keys = keys
        self._workers = workers
        self._seen = SeenReleases(cache / "releases")
        self._lines: dict[tuple[str, str], bytes] = {}

    def index(
        self, base: OsBase, architecture: str, *, components: Sequence[str] = ("main",), stale: bool = False, keyring: bytes | None = None
    ) -> tuple[Release, Sequence[Stanza]]:
        """The suite's Release, fetched anew and verified, and its stanzas, from the first mirror that has a good one."""
        try:
            return self._index(base, architecture, components, self._allow_stale | ({base.suite} if stale else set()), keyring)
        finally:
            self._transport.close()

    def _index(
        self, base: OsBase, architecture: str, components: Sequence[str], allow_stale: frozenset[str], keyring: bytes | None
    ) -> tuple[Release, Sequence[Stanza]]:
        failures: list[LockageError] = []
        for mirror in self._ordered(base):
            try:
                release = self._release(mirror, base, allow_stale, keyring)
                if release is None:
                    continue
                stanzas: list[Stanza] = []
                for component in components:
                    stanzas += fetch_stanzas(self._transport, self._memo, mirror, base.suite, release, component, architecture)
            except LockageError as error:
                if isinstance(error, StoreUnwritable):
                    raise
                failures.append(error)
                continue
            self._seen.accept(base.distribution, release)
            return release, stanzas
        if failures:
            raise failures[0]
        raise _no_mirror(base)

    def fetch(self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None) -> None:
        """Fetch what is not kept yet; stops at the first package that cannot be had, keeping those that are whole."""
        with self.arriving(base, packages, as_of=as_of) as arriving:
            for _ in arriving:
                pass

    @contextmanager
    def arriving(self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None) -> Iterator[Iterator[LockedPackage]]:
        """Downloads begin here, the largest first, and go on whatever the caller does between two packages."""
        kept: list[LockedPackage] = []
        missing: dict[Digest, LockedPackage] = {}
        for package in packages:
            if self._blobs.has(package.ref):
                kept.append(package)
            else:
                missing[package.sha256] = package
        if not missing:
            yield iter(kept)
            return
        mirrors, snapshots = self._ordered(base), tuple(dated(self._snapshots(), as_of))
        pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="debian-mirror")
        try:
            largest_first = sorted(missing.values(), key=lambda package: (-package.size, package.name))
            futures = [pool.submit(self._download, mirrors, snapshots, package) for package in largest_first]
            yield chain(kept, self._kept(future.result() for future in as_completed(futures)))
        finally:
            self._transport.stop()
            pool.shutdown(cancel_futures=True)
            self._transport.close()

    def files(self, base: OsBase, architecture: str, endings: Sequence[str]) -> Sequence[PackagedFile]:
        """Each index is fetched once a week at most."""
        from lockage.environment.debian import find_files  # only where a build misses something

        try:
            return find_files(self._contents(base, architecture), endings)
        finally:
            self._transport.close()

    def _contents(self, base: OsBase, part: str) -> bytes:
        from lockage.adapters.debian_mirror.contents import keep_contents, kept_contents  # only where a build misses something

        lines = self._lines.get((base.suite, part))
        if lines is not None:
            return lines
        now = self._clock.now()
        kept = kept_contents(self._memo, base.suite, part)
        if kept is None or not kept.fresh(now):
            try:
                index, lines = self._fetch_contents(base, part, kept)
                keep_contents(self._memo, base.suite, part, index, lines, now)
            except LockageError:
                if kept is None:
                    raise
        if lines is None:
            assert kept is not None
            lines = kept.lines()
        self._lines[base.suite, part] = lines
        return lines

    def _fetch_contents(self, base: OsBase, part: str, kept: KeptContents | None) -> tuple[Digest, bytes]:
        from lockage.adapters.debian_mirror.contents import fetch_lines, index_of
        from lockage.adapters.debian_mirror.suite import fetch_listed

        failures: list[LockageError] = []
        for mirror in self._ordered(base):
            try:
                release = self._release(mirror, base, self._allow_stale, None)
                if release is None:
                    continue
                index = index_of(release, part)
                if index is None:
                    return Digest.of(b""), b""
                path, ref = index
                if kept is not None and kept.index == ref.digest:
                    return ref.digest, kept.lines()
                get = partial(fetch_listed, self._transport, mirror, base.suite, release)
                return ref.digest, fetch_lines(release, path, get)
            except LockageError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        raise _no_mirror(base)

    def _release(self, mirror: Mirror, base: OsBase, allow_stale: frozenset[str], keyring: bytes | None) -> Release | None:
        """The suite's Release as a mirror has it, verified and accepted."""
        now = self._clock.now()
        release = fetch_release(self._transport, mirror, base.suite, self._trust(mirror, base, keyring), now)
        return None if release is None else check_release(release, base, self._seen, allow_stale, now)

    def _trust(self, mirror: Mirror, base: OsBase, keyring: bytes | None) -> Trust:
        """Whose signatures count: the recipe's keyring alone; else the archive's own keys, and the machine's for what bears its name."""
        if keyring is not None:
            return Trust(self._verify_alone, (keyring,), None)
        verify = self._verify if base.distribution == "debian" else self._verify_alone
        return Trust(verify, (*self._keys, *mirror.keys), base.distribution)

    def _kept(self, sinks: Iterator[tuple[LockedPackage, BinaryIO]]) -> Iterator[LockedPackage]:
        """Every package once it is kept; small ones are kept several at a time."""
        waiting: dict[LockedPackage, bytes] = {}
        try:
            for package, sink in sinks:
                with sink:
                    if package.size <= _SMALL:
                        waiting[package] = sink.read()
                    else:
                        self._blobs.put_stream(sink)
                if package not in waiting:
                    yield package
                elif sum(map(len, waiting.values())) > _BATCH:
                    self._blobs.put_many(waiting.values())
                    done, waiting = waiting, {}
                    yield from done
        finally:
            if waiting:
                self._blobs.put_many(waiting.values())
        yield from waiting

    def _ordered(self, base: OsBase) -> list[Mirror]:
        """The distribution's mirrors, those that the machine uses for this suite first."""
        return sorted(self._mirrors(base.distribution), key=lambda mirror: base.suite not in mirror.suites)

    def _sink(self, size: int) -> BinaryIO:
        if size <= _SMALL:
            return io.BytesIO()
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            return cast(BinaryIO, tempfile.TemporaryFile(dir=self._cache))
        except OSError as error:
            raise StoreUnwritable(f"{self._cache} cannot be written: {error.strerror}", folder=str(self._cache)) from error

    def _download(self, mirrors: Sequence[Mirror], snapshots: Sequence[Mirror], package: LockedPackage) -> tuple[LockedPackage, BinaryIO]:
        """The package's bytes, checked, at their beginning; from the first mirror that has them, else from a snapshot."""
        failures: list[LockageError] = []
        for mirror in mirrors:
            sink = self._attempt(mirror, package, failures)
            if sink is not None:
                return package, sink
        silent = [error for error in failures if isinstance(error, ServiceUnreachable)]
        if len(silent) < len(mirrors):  # one answered that it has not got it, or not these bytes
            for mirror in snapshots:
                sink = self._attempt(mirror, package, failures)
                if sink is not None:
                    return package, sink
        if failures:
            raise failures[0]
        raise PackageVanished(
            f"{package.name} {package.version} is not kept and no mirror has it any more: {package.path}",
            hint=_VANISHED_EVERYWHERE if snapshots else _VANISHED,
            package=package.name,
            version=package.version,
            path=package.path,
            expected=package.sha256,
        )

    def _attempt(self, mirror: Mirror, package: LockedPackage, failures: list[LockageError]) -> BinaryIO | None:
        """The package's bytes from one mirror; None if it has not got them. What else went wrong is added to the failures."""
        sink = self._sink(package.size)
        try:
            if self._transport.fetch(f"{mirror.uri}/{quote(package.path, safe='/+~:')}", sink, limit=package.size):
                found = _reference(sink)
                if found == package.ref:
                    sink.seek(0)
                    return sink
                failures.insert(0, _changed(package, found))
        except ServiceUnreachable as error:
            failures.append(error)
        except OSError as error:
            sink.close()
            raise StoreUnwritable(f"{self._cache} cannot be written: {error.strerror}", folder=str(self._cache)) from error
        sink.close()
        return None


def _no_mirror(base: OsBase) -> MirrorUnconfigured:
    setting = "LOCKAGE_DEBIAN_MIRROR" if base.distribution == "debian" else f"LOCKAGE_MIRRORS={base.distribution}=ADDRESS"
    return MirrorUnconfigured(
        f"no configured mirror has the suite {base.suite}" + ("" if base.distribution == "debian" else f" of {base.distribution}"),
        hint=f"Correct the suite's name, or set {setting} to a mirror that has it.",
        suite=base.suite,
    )


def _reference(sink: BinaryIO) -> BlobRef:
    sink.seek(0)
    hasher = Hasher(iter(lambda: sink.read(1 << 20), b""))
    return hasher.ref()


def _changed(package: LockedPackage, found: BlobRef) -> PackageChanged:
    return PackageChanged(
        f"{package.name} {package.version}: the mirror's bytes are not those of the lock: sha256/size should be {package.ref}, are {found}",
        package=package.name,
        version=package.version,
        expected=str(package.ref),
        found=str(found),
    )
