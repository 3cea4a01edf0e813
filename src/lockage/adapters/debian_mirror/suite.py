"""A suite's signed Release file and its Packages index, from a mirror that is not trusted."""

from __future__ import annotations

import io
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lockage.base.digest import BlobRef, Digest, Hasher
from lockage.base.instant import Instant
from lockage.environment.debian import Release, Stanza, parse_packages, parse_release, stanzas_from_memo, stanzas_to_memo
from lockage.ports import MirrorUnconfigured, StoreUnwritable, UntrustedRelease
from lockage.transfer import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from lockage.adapters.debian_mirror.discovery import Mirror
    from lockage.environment.base import OsBase
    from lockage.ports import Memo
    from lockage.transfer import Transport

    #: (signed bytes, keyrings of the machine, now) → (the text that was signed, whether the archive's own keys vouch for it)
    Verify = Callable[[bytes, Sequence[bytes], Instant], tuple[str, bool]]

__all__ = ["SeenReleases", "Trust", "check_release", "fetch_listed", "fetch_release", "fetch_stanzas"]

_MEMO = "debian-packages-1"
#: A Release file is some 200 kB.
_RELEASE_LIMIT = 16 << 20
#: How much of an index is unpacked at once, in bytes.
_PIECE = 4 << 20
#: How far the clocks of the archive and of this machine may be apart, in seconds.
_SKEW = 3600


class Trust(NamedTuple):
    """Whose signature makes a Release file count: ``verify`` with these keyrings.

    Where a key of ``verify``'s own has not signed it, its Origin is to be the distribution's name, unless that is None.
    """

    verify: Verify
    keys: Sequence[bytes]
    distribution: str | None


class SeenReleases:
    """The newest Release of each suite that this store has accepted, so that a mirror cannot go back unnoticed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _name(self, distribution: str, codename: str) -> str:
        return codename if distribution == "debian" else f"{distribution}:{codename}"

    def newest(self, distribution: str, codename: str) -> Instant | None:
        try:
            return Instant.parse((self._folder / self._name(distribution, codename)).read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def accept(self, distribution: str, release: Release) -> None:
        """Remember it, durably enough: losing this record loses only the protection it gives. Raises StoreUnwritable."""
        newest = self.newest(distribution, release.codename)
        if newest is not None and newest >= release.date:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = self._name(distribution, release.codename)
            partial = self._folder / f".{name}.new"
            partial.write_text(f"{release.date} {release.sha256}\n")
            partial.replace(self._folder / name)
        except OSError as error:
            raise StoreUnwritable(f"{self._folder} cannot be written: {error.strerror}", folder=str(self._folder)) from error


def fetch_release(transport: Transport, mirror: Mirror, suite: str, trust: Trust, now: Instant) -> Release | None:
    """The suite's InRelease, its signature verified; None if the mirror does not have the suite."""
    sink = io.BytesIO()
    url = f"{mirror.uri}/dists/{suite}/InRelease"
    if not transport.fetch(url, sink, limit=_RELEASE_LIMIT, fresh=True):
        return None
    signed = sink.getvalue()
    try:
        text, own = trust.verify(signed, trust.keys, now)
    except UntrustedRelease as error:
        raise UntrustedRelease(f"{shown(url)}: {error.message}", hint=error.hint, url=shown(url), **error.details) from error
    release = parse_release(text, Digest.of(signed))
    if suite not in (release.codename, release.suite) or "/" in release.codename or release.codename.startswith("."):
        raise UntrustedRelease(
            f"{shown(url)} is the Release file of {release.codename} ({release.suite}), not of {suite}",
            reason="other-suite",
            expected=suite,
            found=release.codename,
        )
    if not own and trust.distribution is not None and release.origin.lower() != trust.distribution:
        wanted = trust.distribution.capitalize()
        raise UntrustedRelease(
            f"{shown(url)} is of the archive {release.origin!r}, not of {wanted}, and no {wanted} archive key has signed it",
            reason="other-archive",
        )
    return release


def check_release(release: Release, base: OsBase, seen: SeenReleases, allow_stale: frozenset[str], now: Instant) -> Release:
    """The Release, marked if it is stale and that is allowed. Raises UntrustedRelease if it is from the future, out of date or older
    than one seen before.
    """
    suite = base.suite
    if release.date > now + _SKEW:
        raise UntrustedRelease(
            f"the Release file of {suite} is dated {release.date}, but it is {now}", reason="future", found=str(release.date)
        )
    newest = seen.newest(base.distribution, release.codename)
    if not allow_stale.isdisjoint((suite, release.suite, release.codename)):
        late = release.valid_until is not None and release.valid_until <= now
        return msgspec.structs.replace(release, stale=late or (newest is not None and release.date < newest))
    hint = (
        f"Check the mirror and the machine's clock; to accept it all the same, name {suite} in `allow-stale` of the environment, "
        "or in LOCKAGE_ALLOW_STALE_SUITES."
    )
    if release.valid_until is not None and release.valid_until <= now:
        raise UntrustedRelease(
            f"the Release file of {suite} was valid until {release.valid_until}; it is {now}",
            hint=hint,
            reason="stale",
            found=str(release.valid_until),
        )
    if newest is not None and release.date < newest:
        raise UntrustedRelease(
            f"the Release file of {suite} is dated {release.date}, older than that of {newest} which was seen before",
            hint=hint,
            reason="rolled-back",
            expected=str(newest),
            found=str(release.date),
        )
    return release


def fetch_stanzas(
    transport: Transport, memo: Memo, mirror: Mirror, suite: str, release: Release, component: str, architecture: str
) -> list[Stanza]:
    """Every stanza of one of the suite's components, from the memo if this very index was read before."""
    path = f"{component}/binary-{architecture}/Packages"
    offered = [path + ending for ending in (".xz", ".gz", "") if path + ending in release.files]
    if not offered:
        raise MirrorUnconfigured(
            f"{suite} has no packages for {architecture} in {component}",
            hint="Choose a suite, component and architecture that the distribution publishes.",
            suite=suite,
            architecture=architecture,
        )
    plain = release.files.get(path)
    key = release.files[offered[0]].digest if plain is None else plain.digest
    kept = memo.get(_MEMO, key)
    stanzas = None if kept is None else stanzas_from_memo(kept)
    if stanzas is None:
        packed = fetch_listed(transport, mirror, suite, release, offered[0])
        stanzas = parse_packages(_ahead(_unpacked(packed, offered[0], plain)))
        memo.put(_MEMO, key, stanzas_to_memo(stanzas))
    return stanzas


def fetch_listed(transport: Transport, mirror: Mirror, suite: str, release: Release, path: str) -> bytes:
    """A file that the Release vouches for; by its hash if the mirror offers that, so that an update on the way does no harm."""
    wanted = release.files[path]
    base = f"{mirror.uri}/dists/{suite}/"
    urls = [base + path]
    if release.acquire_by_hash:
        urls.insert(0, f"{base}{path.rpartition('/')[0]}/by-hash/SHA256/{wanted.digest}")
    for url in urls:
        sink = io.BytesIO()
        if transport.fetch(url, sink, limit=wanted.size):
            data = sink.getvalue()
            found = BlobRef.of(data)
            if found == wanted:
                return data
            raise UntrustedRelease(
                f"{shown(url)} is not the file that the Release of {suite} names: sha256 and size should be {wanted}, are {found}",
                hint="The mirror may be in the middle of an update: try again later, or use another one.",
                reason="hash-mismatch",
                expected=str(wanted),
                found=str(found),
            )
    raise UntrustedRelease(f"{shown(urls[-1])} is missing, though the Release of {suite} names it", reason="missing-index")


def _unpacked(packed: bytes, path: str, plain: BlobRef | None) -> Iterator[bytes]:
    """The plain index in pieces, checked against the Release where that lists it, so that a small file cannot unpack to a huge one.

    That it is not what it should be is known, and raised, only after the last piece.
    """
    limit = plain.size if plain is not None else 1 << 30
    found = Hasher()
    for piece in _decompressed(packed, path):
        found.update(piece)
        if found.size > limit:
            break
        yield piece
    if (found.ref() != plain) if plain is not None else found.size > limit:
        raise UntrustedRelease(f"{path} does not unpack to the index that the Release names", reason="hash-mismatch", expected=str(plain))


def _decompressed(packed: bytes, path: str) -> Iterator[bytes]:
    """In large pieces, each made by one call that lets other threads run."""
    if path.endswith(".xz"):
        import lzma

        xz = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        try:
            while not xz.eof and (piece := xz.decompress(packed, _PIECE)):
                yield piece
                packed = b""
        except lzma.LZMAError as error:
            raise UntrustedRelease(f"{path} cannot be unpacked: {error}", reason="hash-mismatch") from error
    elif path.endswith(".gz"):
        gzip = zlib.decompressobj(31)
        try:
            while not gzip.eof and (piece := gzip.decompress(packed, _PIECE)):
                yield piece
                packed = gzip.unconsumed_tail
        except zlib.error as error:
            raise UntrustedRelease(f"{path} cannot be unpacked: {error}", reason="hash-mismatch") from error
    else:
        yield packed


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, the next one made by another thread while the caller works on this one."""
    with ThreadPoolExecutor(1, thread_name_prefix="unpack-index") as pool:
        coming = pool.submit(next, pieces, b"")
        while piece := coming.result():
            coming = pool.submit(next, pieces, b"")
            yield piece
