"""PythonIndex: requirements resolved by uv, one best wheel for each package, every wheel kept in the blobs."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lockage.adapters.python_index.download import Downloader, NotThere
from lockage.adapters.python_index.jobs import FetchJob, Job, ResolvedJob, SdistJob, TakeJob
from lockage.adapters.python_index.keyring import Keyring
from lockage.adapters.python_index.offer import offer_of, undated
from lockage.adapters.python_index.pinned import pinned_file
from lockage.adapters.python_index.settings import bare
from lockage.adapters.python_index.simple import IndexFile, project_files
from lockage.adapters.python_index.stand_ins import is_stand_in
from lockage.adapters.python_index.uv import Uv
from lockage.base.digest import BlobRef, Hasher
from lockage.base.path import RelPath
from lockage.environment.lock import LockedSdist, LockedWheel
from lockage.environment.python import best_wheel
from lockage.environment.stand_in import Resolution
from lockage.ports import PackageChanged, PackageVanished, Unresolvable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from lockage.adapters.python_index.settings import IndexSettings
    from lockage.adapters.python_index.uv import Candidate, Pinned
    from lockage.base.instant import Instant
    from lockage.environment.python import PythonTarget
    from lockage.environment.python_lock import Pin
    from lockage.environment.stand_in import Offer, StandIn
    from lockage.ports import Blobs, Memo

__all__ = ["UvIndex"]

#: How many downloads run beside each other.
_PARALLEL = 8
_CHUNK = 1 << 20
#: A wheel below this stays in memory while it is checked.
_IN_MEMORY = 16 << 20


class UvIndex:
    """Implements :class:`lockage.ports.PythonIndex`.

    ``uv`` is the program, ``cache`` a folder of its own, ``interpreter`` any Python of the host that uv may ask about itself.
    ``moved`` hears of bytes that arrive, from any thread, for progress.
    """

    def __init__(
        self,
        blobs: Blobs,
        memo: Memo,
        *,
        uv: Path,
        settings: IndexSettings,
        cache: Path,
        interpreter: Path,
        moved: Callable[[int], None] | None = None,
    ) -> None:
        self._blobs = blobs
        self._memo = memo
        self._settings = settings
        keyring = Keyring(settings.keyring) if settings.keyring is not None else None
        self._uv = Uv(uv, settings, cache, interpreter, keyring)
        self._downloader = Downloader(settings, keyring, moved)

    def resolve(
        self,
        requirements: Sequence[str],
        target: PythonTarget,
        *,
        constraints: Sequence[str] = (),
        offers: Sequence[Offer] = (),
        pinned: Sequence[LockedWheel] = (),
        preferred: Sequence[LockedWheel | LockedSdist] = (),
        renewed: Collection[str] = (),
        as_of: Instant | None = None,
    ) -> Resolution:
        """What satisfies the requirements together beside what is pinned; all wheels of it in the blobs from now on.

        Raises Unresolvable, NoUploadTimes, ServiceUnreachable, PackageChanged, PackageVanished.
        """
        for text in (*requirements, *constraints):
            _check(text)
        if not requirements:
            return Resolution()
        there = {wheel.name: wheel.version for wheel in pinned}
        offered = {offer.name: offer for offer in offers}
        liked = {item.name: item for item in preferred if item.name not in there and _fits(item, target, offered)}
        stay = {name: item.version for name, item in liked.items() if name not in renewed}
        limits = [*constraints, *(f"{name}=={version}" for name, version in there.items())]
        if stay and renewed:  # uv decides on what it prefers before it knows what a renewed project needs: so that is found out first
            free = self._uv.resolve(requirements, target, limits, offers=offers, as_of=as_of)
            limits += [f"{package.name}=={package.version}" for package in free if package.name in renewed]
        try:
            resolved = self._uv.resolve(requirements, target, limits, stay, offers=offers, as_of=as_of)
        except Unresolvable:
            if as_of is not None:
                self._refuse_undated(requirements)
            raise
        return self._chosen([package for package in resolved if package.name not in there], target, offered, liked, renewed, as_of)

    def _chosen(
        self,
        resolved: Sequence[Pinned],
        target: PythonTarget,
        offered: Mapping[str, Offer],
        liked: Mapping[str, LockedWheel | LockedSdist],
        renewed: Collection[str],
        as_of: Instant | None,
    ) -> Resolution:
        """The best file of each package, kept if it is a wheel."""
        again: list[LockedWheel] = []
        chosen: list[tuple[Pinned, Candidate]] = []
        for package in resolved:
            if package.name in offered:
                continue
            known = liked.get(package.name)
            if isinstance(known, LockedWheel) and package.name not in renewed and self._still(known, package):
                again.append(known)  # a wheel that fits better may have come since; the version is what somebody chose
            else:
                chosen.append((package, _best(package, target)))
                if as_of is not None and not chosen[-1][1].dated:
                    raise undated(package.name, chosen[-1][1].address)
        stand_ins = tuple(_stand_in(package, offered[package.name]) for package in resolved if package.name in offered)
        kept = self._keep(
            [(package, wheel) for package, wheel in chosen if wheel.sha256 is None or self._blobs.locate(wheel.sha256) is None]
        )
        self.fetch(again)
        wheels = again
        for package, wheel in chosen:
            ref = kept.get(wheel.address) or (self._blobs.locate(wheel.sha256) if wheel.sha256 else None)
            assert ref is not None
            wheels.append(
                LockedWheel(name=package.name, version=package.version, file=RelPath(wheel.file), size=ref.size, sha256=ref.digest)
            )
        return Resolution(wheels=tuple(sorted(wheels)), stand_ins=stand_ins)

    def sdists(self, name: str, *, as_of: Instant | None = None) -> Offer:
        return offer_of(name, self._eligible(name), as_of, self._settings.source.exclude_newer)

    def keep_sdist(self, stand_in: StandIn) -> BlobRef:
        known = None if stand_in.sha256 is None else self._blobs.locate(stand_in.sha256)
        if known is not None:
            return known
        job = SdistJob(stand_in, lambda: self._eligible(stand_in.name))
        ((_, ref),) = self._all([job])
        return ref

    def _still(self, wheel: LockedWheel, package: Pinned) -> bool:
        """Whether a wheel is one of the package and can be had."""
        if wheel.version != package.version:
            return False
        return self._blobs.has(wheel.ref) or any(one.file == wheel.file and one.sha256 in (None, wheel.sha256) for one in package.wheels)

    def _refuse_undated(self, requirements: Sequence[str]) -> None:
        """Say so if it was for want of upload times that nothing satisfied the requirements. Raises NoUploadTimes."""
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name

        indexes = self._indexes()
        for name in dict.fromkeys(canonicalize_name(Requirement(text).name) for text in requirements):
            files = self._files(name, indexes)
            if files and not any(file.dated for file in files):
                raise undated(name, files[0].address)

    def fetch(self, files: Sequence[LockedWheel | LockedSdist]) -> None:
        """Bring what is missing into the blobs. Raises PackageChanged, PackageVanished, ServiceUnreachable."""
        missing = [file for file in dict.fromkeys(files) if not self._blobs.has(file.ref)]
        if not missing:
            return
        indexes = self._indexes()
        self._all([FetchJob(file, lambda file=file: self._found(file, indexes)) for file in missing])  # type: ignore[misc]

    def take(self, pins: Sequence[Pin], target: PythonTarget) -> tuple[LockedWheel, ...]:
        """The wheels that pins name, sorted, all in the blobs. Raises Unresolvable, PackageChanged, PackageVanished, ServiceUnreachable."""
        taken: list[LockedWheel] = []
        missing: list[Pin] = []
        for pin in pins:
            kept = next((ref for digest in pin.sha256 if (ref := self._blobs.locate(digest)) is not None), None)
            if pin.file is None or kept is None:
                missing.append(pin)
            else:
                taken.append(LockedWheel(name=pin.name, version=pin.version, file=pin.file, size=kept.size, sha256=kept.digest))
        if missing:
            indexes = self._indexes()
            jobs = [TakeJob(pin, lambda pin=pin: pinned_file(self._files(pin.name, indexes), pin, target)) for pin in missing]  # type: ignore[misc]
            for job, ref in self._all(jobs):
                assert isinstance(job, TakeJob)
                taken.append(job.wheel(ref))
        return tuple(sorted(taken))

    def _files(self, name: str, indexes: Sequence[tuple[str, bool]]) -> list[IndexFile]:
        return [file for index, flat in indexes for file in project_files(self._downloader, index, name, flat=flat)]

    def _eligible(self, name: str) -> list[IndexFile]:
        """The files that count in a resolution: of the first index that knows the project (or of all, if settings say so), and of links."""
        found: list[IndexFile] = []
        decided = False
        for index, flat in self._indexes():
            if flat or not decided:
                files = project_files(self._downloader, index, name, flat=flat)
                found += files
                decided = decided or (bool(files) and not flat and self._settings.source.strategy == "first-index")
        return found

    def _keep(self, chosen: Sequence[tuple[Pinned, Candidate]]) -> dict[str, BlobRef]:
        return {fetch.address: ref for fetch, ref in self._all([ResolvedJob(package, wheel) for package, wheel in chosen])}

    def _all(self, jobs: Sequence[Job]) -> list[tuple[Job, BlobRef]]:
        """Download in parallel, keep one by one; the first fault stops what has not begun."""
        done: list[tuple[Job, BlobRef]] = []
        with ThreadPoolExecutor(_PARALLEL) as pool:
            futures = [pool.submit(self._download, job) for job in jobs]
            try:
                for job, future in zip(jobs, futures, strict=True):
                    with future.result() as stream:
                        done.append((job, self._blobs.put_stream(stream)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return done

    def _download(self, job: Job) -> BinaryIO:
        """A checked temporary file, at its beginning; the caller closes it."""
        address = job.locate()
        stream: BinaryIO = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # type: ignore[assignment]  # noqa: SIM115 (handed on; typeshed gives it a type of its own)
        try:
            try:
                self._downloader.copy(address, stream)
            except NotThere as error:
                raise PackageVanished(f"{job.file} is no longer at {bare(address)}", file=job.file) from error
            stream.seek(0)
            hasher = Hasher()
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
            job.check(hasher.ref())
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream

    def _indexes(self) -> tuple[tuple[str, bool], ...]:
        """Every address to look for a file at, in the order of the settings, and whether it is a page of links."""
        source = self._settings.source
        found = [(address, False) for address in source.extra] + [(address, True) for address in source.find_links]
        if not source.no_index:
            found.append((source.default or self._default(), False))
        return tuple(found)

    def _default(self) -> str:
        known = self._memo.get("python-index", "uv-default")
        if known is None:
            known = self._uv.default_index().encode()
            self._memo.put("python-index", "uv-default", known)
        return known.decode()

    def _found(self, wheel: LockedWheel | LockedSdist, indexes: Sequence[tuple[str, bool]]) -> str:
        """The address of a locked file: of its name and, where the index says one, its sha256."""
        others: list[IndexFile] = []
        for index, flat in indexes:
            for file in project_files(self._downloader, index, wheel.name, flat=flat):
                if file.name == wheel.file:
                    if file.sha256 in (None, wheel.sha256):
                        return file.address
                    others.append(file)
        if others:
            raise PackageChanged(
                f"{wheel.file} on the index has other bytes than the lock pins: expected sha256 {wheel.sha256}, found {others[0].sha256}",
                package=wheel.name,
                file=wheel.file,
                expected=wheel.sha256,
                found=others[0].sha256,
            )
        hosts = ", ".join(urlsplit(index).hostname or bare(index) for index, _ in indexes) or "no index"
        raise PackageVanished(
            f"{wheel.name} {wheel.version}: {wheel.file} is neither in the store nor on the index any more (asked: {hosts})",
            hint="Put the file on an index or in a folder that you name beside it (UV_INDEX, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS), "
            "copy the blob from a store that has it, or accept newer packages with `lockage lock --upgrade`.",
            package=wheel.name,
            file=wheel.file,
        )


def _check(text: str) -> None:
    """Only what names a package can be asked of an index; anything else would be an option, a file or an address to uv."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise Unresolvable(
            f"not a Python requirement: {text[:200]!r}", hint="Write it as in 'name >= 1.0'.", requirement=text[:200]
        ) from error
    if found.url is not None:
        raise Unresolvable(
            f"{found.name} is required from an address, which no lock can pin by name and version: {bare(found.url)}",
            hint="Require a released version of it by name.",
            requirement=found.name,
        )


def _fits(item: LockedWheel | LockedSdist, target: PythonTarget, offered: Mapping[str, Offer]) -> bool:
    """Whether what was locked can be locked again: a wheel that fits, or a version that is to be built."""
    return item.name in offered or (isinstance(item, LockedWheel) and best_wheel([item.file], target) is not None)


def _stand_in(package: Pinned, offer: Offer) -> StandIn:
    """The stand-in that uv chose; it cannot choose anything else where it was told of all versions that an index has."""
    found = next((one for one in offer.stand_ins if one.version == package.version), None)
    if found is None or not any(is_stand_in(wheel.file) for wheel in package.wheels):
        raise Unresolvable(
            f"{package.name} {package.version} has no sdist to build it from", packages=(package.name,), requirement=package.name
        )
    return found


def _best(package: Pinned, target: PythonTarget) -> Candidate:
    name = best_wheel([wheel.file for wheel in package.wheels], target)
    for wheel in package.wheels:
        if wheel.file == name:
            return wheel
    raise Unresolvable(
        f"{package.name} {package.version} has no wheel for Python {target.version} on {target.architecture} with glibc {target.glibc}, "
        "and no sdist to build it from",
        hint="Require another version, or put wheels or an sdist of it on an index of your own.",
        packages=(package.name,),
    )
