"""Roots put together in a folder: ``os/KEY`` and ``python/KEY`` are layers, shared by every environment that has the same packages.

Layers that have some packages in common share these packages' files (:mod:`kept_packages`).

Invariants: a layer is under its key whole or not at all; one process makes it while others that want it wait, and a process that
is killed leaves nothing that counts; no layer is handed out that a sweep finds changed. The key is made of the realiser's version
and the digests of the packages, so that a layer is found without looking at a package.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.read_only import if_writable
from lockage.adapters.roots_local.seen import as_seen
from lockage.base.canonical import canonical, canonical_of, decode, plain
from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.environment.lock import RootRef
from lockage.environment.root import LOCAL
from lockage.ports import RealisedRoot, RootDrift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from lockage.adapters.roots_local.kept_layer import KeptLayer
    from lockage.adapters.roots_local.kept_packages import KeptPackages
    from lockage.adapters.roots_local.layer import LayerSpec
    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.adapters.roots_local.unpack import Sources
    from lockage.base.instant import Instant
    from lockage.environment.base import LockedImage
    from lockage.environment.image.received import ReceivedLayer
    from lockage.environment.lock import LockedEnvironment, LockedPackage
    from lockage.ports import Blobs, Clock, RootLayer
    from lockage.ports.storage import Audit, Heard, Swept

__all__ = ["LocalRoots"]


class LocalRoots:
    """Implements :class:`lockage.ports.Roots` below ``folder``, from packages in ``blobs``; ``workers`` unpack at once.

    Without a clock nothing is remembered of what a sweep saw.
    """

    def __init__(self, blobs: Blobs, folder: Path, *, workers: int = 2, clock: Clock | None = None) -> None:
        self._blobs = blobs
        self._clock = clock
        self._folder = folder
        self._workers = workers
        self._used: dict[str, int] = {}
        #: Remembered identities that are to be computed again, as somebody wants to know.
        self._doubted: set[Path] = set()

    @cached_property
    def _packages(self) -> KeptPackages:
        from lockage.adapters.roots_local.kept_packages import KeptPackages  # as below

        return KeptPackages(self._folder)

    @cached_property
    def _sources(self) -> Sources:
        from lockage.adapters.roots_local.unpack import Sources  # a root that is kept is not put together

        return Sources(self._blobs, self._packages, self._workers)

    def realise(self, environment: LockedEnvironment, *, expect: bool = True, arriving: Iterable[LockedPackage] = ()) -> RealisedRoot:
        keys = _layers_of(environment)
        (_, system_key), *above = keys
        coming = iter(arriving)
        system = self._layer("os", system_key, lambda spool: self._system(environment, spool, coming))
        layers: list[tuple[str, Path]] = [("", system)]
        for _ in coming:  # the layer may have been there
            pass
        below = self._home("os", system_key)
        for _, key in above:
            layers.append((_place_of(environment), self._layer("python", key, lambda spool: self._python(environment, spool, below))))
        ref = self._ref(keys, _place_of(environment))
        if expect:
            _compare(environment.root, ref)
        return RealisedRoot(ref=ref, layers=tuple(layers))

    def _system(self, environment: LockedEnvironment, spool: FileSpool, arriving: Iterable[LockedPackage]) -> LayerSpec:
        if environment.pulled is not None:
            from lockage.adapters.roots_local.image_layer import image_layer  # few environments begin with one

            return image_layer(environment.pulled, self._sources, spool)
        from lockage.adapters.roots_local.layer import system_layer  # a root that is kept is not put together

        return system_layer(environment.packages, self._sources, spool, environment.realiser, arriving)

    def _python(self, environment: LockedEnvironment, spool: FileSpool, below: Path) -> LayerSpec:
        if environment.pulled is not None:
            from lockage.adapters.roots_local.image_python import image_python_layer

            return image_python_layer(environment.pulled, environment.python, self._sources, spool, below)
        from lockage.adapters.roots_local.kept_layer import manifest
        from lockage.adapters.roots_local.layer import python_layer

        return python_layer(environment.python, self._sources, spool, manifest(below))

    def instruments(self, environment: LockedEnvironment) -> Path | None:
        packages = environment.instruments
        if not packages:
            return None

        def unpacked(spool: FileSpool) -> LayerSpec:
            from lockage.adapters.roots_local.layer import unpacked_layer

            return unpacked_layer(packages, self._sources, spool)

        return self._layer(*_instruments_of(environment), unpacked)

    def layers(self, environment: LockedEnvironment) -> Sequence[RootLayer]:
        self.realise(environment)
        return self._kept_layers(_layers_of(environment), _place_of(environment))

    def received(self, image: LockedImage) -> tuple[ReceivedLayer, ...]:
        from lockage.adapters.roots_local.image_layer import received_layers  # no build needs it

        return received_layers(image, self._sources)

    def control(self, package: LockedPackage) -> str:
        from lockage.adapters.roots_local.deb_archive import DebArchive  # no build needs it

        with self._blobs.open(package.ref) as stream:
            return DebArchive(stream, package.path.name).control

    def audit(self, heard: Heard, environment: LockedEnvironment | None = None) -> Audit:
        from lockage.adapters.roots_local.audit import audit_layers, kept_layers  # no build needs it
        from lockage.adapters.roots_local.kept_packages import listed

        if environment is None:
            return audit_layers(self._folder, kept_layers(self._folder), self._packages, self._packages.keys(), heard)
        keys = _layers_of(environment)
        self._doubted.add(self._ref_file(keys))
        if environment.instruments:
            keys = [*keys, _instruments_of(environment)]
        homes = [home for kind, key in keys if (home := self._home(kind, key)).exists()]
        theirs = sorted({key for home in homes for key in listed(home)})
        return audit_layers(self._folder, homes, self._packages, theirs, heard)

    def sweep(self, needed: Iterable[LockedEnvironment], before: Instant, *, dry: bool = False) -> Swept:
        from lockage.adapters.roots_local.unused import sweep_layers  # no build needs it

        keys = {
            key
            for environment in needed
            for key in (*_layers_of(environment), *((_instruments_of(environment),) if environment.instruments else ()))
        }
        return sweep_layers(self._folder, keys, self._packages, before, dry=dry)

    def _home(self, kind: str, key: Digest) -> Path:
        return self._folder / kind / key

    def _layer(self, kind: str, key: Digest, make: Callable[[FileSpool], LayerSpec]) -> Path:
        """The folder of a layer: the kept one if it is whole and unchanged, else made now."""
        home = self._home(kind, key)
        self._use(f"{kind}-{key}")
        if not self._usable(home):
            from lockage.adapters.roots_local.make_layer import make_layer

            with durable.locked(self._lock_file(f"{kind}-{key}")):
                if not self._usable(home):
                    with durable.unwritable(self._folder):
                        self._clear_abandoned()
                        make_layer(home, self._folder / "tmp" / f"{kind}-{key}", self._packages, make)
        return home / "root"

    def _use(self, name: str) -> None:
        """Share the lock of a layer's use until this process ends, so that no sweep takes it away."""
        if name in self._used:
            return
        file = self._lock_file(f"{name}.use")
        with suppress(OSError):  # a store that cannot be written is not swept either
            durable.ensure_folder(file.parent)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._used[name] = handle
            weakref.finalize(self, os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_SH)

    def _lock_file(self, name: str) -> Path:
        return self._folder / "locks" / name

    def _usable(self, home: Path) -> bool:
        """Whether a layer is there; raises :class:`RootDrift` and sets it aside if it is not what was put there."""
        try:
            stamp = (home / "stamp").read_text()
        except (FileNotFoundError, NotADirectoryError):
            return False
        with durable.unwritable(home):
            if as_seen(home, stamp):
                return True
        from lockage.adapters.roots_local.doubted import DoubtedLayer  # most are as they were

        DoubtedLayer(home, stamp, self._packages, self._clock).check()
        return True

    def _clear_abandoned(self) -> None:
        """Remove what killed processes left: whoever makes a layer holds the lock of its name."""
        temporary = self._folder / "tmp"
        durable.ensure_folder(temporary)
        for left in temporary.iterdir():
            handle = os.open(self._lock_file(left.name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._packages.remove_layer(left)
            except BlockingIOError:
                pass  # its maker lives
            finally:
                os.close(handle)

    def _ref(self, keys: Sequence[tuple[str, Digest]], place: str) -> RootRef:
        """The identity of the layers together, remembered beside them."""
        file = self._ref_file(keys)
        known: RootRef | None = None
        with suppress(FileNotFoundError, LockageError):
            known = decode(file.read_bytes(), RootRef)
        if known is not None and file not in self._doubted:
            return known
        from lockage.environment.root import root_ref, stacked  # what is remembered is not worked out

        ref = root_ref(stacked((layer.place, layer.entries) for layer in self._kept_layers(keys, place)))
        self._doubted.discard(file)
        if ref != known:
            with if_writable():
                with durable.unwritable(self._folder):
                    durable.ensure_folder(file.parent)
                durable.write_file(file, canonical_of(ref))
        return ref

    def _ref_file(self, keys: Sequence[tuple[str, Digest]]) -> Path:
        return self._folder / "refs" / "-".join(key for _, key in keys)

    def _kept_layers(self, keys: Sequence[tuple[str, Digest]], place: str) -> list[KeptLayer]:
        from lockage.adapters.roots_local.kept_layer import KeptLayer  # as above

        return [KeptLayer(self._home(kind, key), place if kind == "python" else "", kind) for kind, key in keys]


def _place_of(environment: LockedEnvironment) -> str:
    """Where the layer of Python packages lies."""
    python = environment.pulled.python if environment.pulled is not None else None
    return str(LOCAL if python is None else python.folder)


def _layers_of(environment: LockedEnvironment) -> list[tuple[str, Digest]]:
    """The kinds and keys of an environment's layers, the lowest first."""
    image = environment.pulled
    if image is None:
        below = system = _key("os", "", (package.sha256 for package in environment.packages), environment.realiser)
    else:
        system = _image_key(image, environment.realiser)
        below = system if image.python is None else Digest.of(canonical(plain([system, image.python])))
    layers = [("os", system)]
    if environment.python:
        layers.append(("python", _key("python", below, (wheel.sha256 for wheel in environment.python), environment.realiser)))
    return layers


def _image_key(image: LockedImage, realiser: int) -> Digest:
    """Of an image the order of the layers counts."""
    return Digest.of(canonical({"image": [layer.digest for layer in image.layers], "realiser": realiser}))


def _instruments_of(environment: LockedEnvironment) -> tuple[str, Digest]:
    return "instruments", _key("instruments", "", (package.sha256 for package in environment.instruments), 1)


def _key(kind: str, below: str, digests: Iterable[Digest], realiser: int) -> Digest:
    return Digest.of(canonical({"below": below, "kind": kind, "packages": sorted(digests), "realiser": realiser}))


def _compare(expected: RootRef, found: RootRef) -> None:
    for what, pinned, actual in (
        ("tree digest", str(expected.tree), str(found.tree)),
        ("metadata digest", str(expected.metadata), str(found.metadata)),
    ):
        if pinned != actual:
            raise RootDrift(
                f"the root that the locked packages make has another {what} than the lock pins: expected {pinned}, found {actual}",
                hint="The packages are the locked ones, so the lock was edited or comes from another realiser; run `lockage lock`.",
                key=what,
                expected=pinned,
                found=actual,
            )
