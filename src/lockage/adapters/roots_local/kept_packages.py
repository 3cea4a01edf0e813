"""Packages that are kept unpacked, each once: ``packages/KEY`` holds its numbered files, what it says of itself, and their change times.

Layers are put together from them by hard links, so a file of many layers is one inode, whose change time moves whenever a layer
gets or loses a name of it. Invariants: a package is under its key whole or not at all; whoever adds or removes names of its files
holds the lock of links, and writes down the new change times before letting go of it. So a file whose inode and change time are the
ones written down has the bytes, mode and time that it was kept with. Where they are not, as in a copy of the store or after a crash,
the bytes decide.
"""

from __future__ import annotations

import os
import stat
from array import array
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from lockage import durable, portable
from lockage.adapters.roots_local.read_only import if_writable, move_aside
from lockage.adapters.roots_local.spool import FIXED_TIME_NS
from lockage.adapters.roots_local.sweep import Hashes, set_times
from lockage.base.canonical import decode_hook, encode_hook
from lockage.base.digest import Digest
from lockage.environment.root import Package

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from lockage.environment.root import Member

__all__ = ["KeptPackages", "listed", "write_listed"]

#: The number of the rules by which archives become files; what was unpacked by others is unpacked again.
_RULES = 1
_PACKAGE = "package"
_TIMES = "times"
_LISTED = "packages"
#: Inodes and times are numbers of 64 bits; inodes without a sign, which some file systems use to the last bit.
_WORD = (1 << 64) - 1


class _Described(msgspec.Struct, frozen=True, array_like=True):
    rules: int
    package: Package


class KeptPackages:
    """The packages in ``folder``/packages; keys are the digest of what was unpacked, and of how if that can differ."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "packages"
        self._locks = folder / "locks"

    def get(self, key: Digest) -> Package | None:
        """What a kept package says of itself, the sources of its members being KEY/NUMBER; None if it is not kept."""
        try:
            data = (self.folder / key / _PACKAGE).read_bytes()
        except OSError:  # not there, or not to be had again: it is unpacked anew
            return None
        if len(data) < 32 or Digest.of(memoryview(data)[32:]).raw != data[:32]:
            return None
        try:
            described = msgspec.msgpack.decode(memoryview(data)[32:], type=_Described, dec_hook=decode_hook)
        except msgspec.MsgspecError:
            return None
        return described.package if described.rules == _RULES else None

    def keys(self) -> list[Digest]:
        """Every package that is there."""
        found = []
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):  # noqa: PTH208 (names)
                with suppress(ValueError):  # somebody else's
                    found.append(Digest(name))
        return sorted(found)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Meanwhile no package is deleted, nor set aside by others than who links. Raises StoreUnwritable."""
        with durable.unwritable(self.folder):
            durable.ensure_folder(self._locks)
            handle = portable.open_lock(self._locks / "packages.use")
        try:
            with suppress(OSError):  # a file system that cannot lock: nothing is swept there
                portable.share(handle)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def linking(self) -> Iterator[None]:
        """Be the only one who adds or removes names of kept files; waits for who does. Raises StoreUnwritable."""
        with durable.locked(self._locks / "links"):
            yield

    @contextmanager
    def looking(self) -> Iterator[None]:
        """As :meth:`linking`, for who looks first; without the lock where this user cannot write, and so cannot link either."""
        with ExitStack() as held:
            with if_writable():
                held.enter_context(self.linking())
            yield

    def known(self, keys: Iterable[Digest]) -> dict[int, int]:
        """The change time, in nanoseconds, of each inode of these packages as it was written down last."""
        return self.known_in(self.folder / key for key in keys)

    def known_in(self, folders: Iterable[Path]) -> dict[int, int]:
        """The same of packages in these folders, which need not be under their keys yet."""
        found: dict[int, int] = {}
        for folder in folders:
            found.update(_read_times(folder))
        return found

    def whole(self, key: Digest) -> dict[int, int] | None:
        """The inodes and change times of a package's files if they are what was kept; None if they are not. To be asked while linking."""
        with suppress(FileNotFoundError):
            known = self._times(key)
            for last in (False, True):  # a file system may not keep the times that it is given
                found = _states(self.folder / key)
                doubted = {name: state for name, state in found.items() if not _is_kept(state, known)}
                if len(known) == len(found) and not doubted:
                    return known
                package = self.get(key)
                if package is None or self._difference(key, package, found, doubted, Hashes()) is not None:
                    return None
                if last or not set_times(self.folder / key, list(found.items())):
                    return {state.st_ino: state.st_ctime_ns for state in found.values()}
        return None

    def difference(self, key: Digest, hashes: Hashes) -> tuple[str, str] | None:
        """What is wrong with a package, if anything: a member's path, and what. ``hashes``: of files that were hashed just now."""
        package = self.get(key)
        if package is None:
            return _PACKAGE, "cannot be read"
        found = _states(self.folder / key)
        return self._difference(key, package, found, found, hashes)

    def _difference(
        self,
        key: Digest,
        package: Package,
        found: Mapping[str, os.stat_result],
        doubted: Collection[str],
        hashes: Hashes,
    ) -> tuple[str, str] | None:
        members = {member.source.rpartition("/")[2]: member for member in package.members if member.source}
        for name in found.keys() - members.keys():
            return name, "was added"
        for name, member in members.items():
            if name not in found:
                return member.path, "is missing"
            if name in doubted:
                wrong = _wrong(self.folder / key / name, member, found[name], hashes)
                if wrong is not None:
                    return member.path, wrong
        return None

    def describe(self, folder: Path, package: Package) -> None:
        """Write into a folder of unpacked files, before it is put under its key, what makes it a kept package. Raises OSError."""
        body = msgspec.msgpack.encode(_Described(_RULES, package), enc_hook=encode_hook)
        (folder / _PACKAGE).write_bytes(Digest.of(body).raw + body)
        _write_times(folder, {state.st_ino: state.st_ctime_ns for state in _states(folder).values()})

    def remember(self, key: Digest, before: Mapping[int, int], now: Mapping[int, int]) -> None:
        """Write down the change times that good files have ``now``, else those that they had ``before``. To be done while linking."""
        _write_times(self.folder / key, {inode: now.get(inode, time) for inode, time in before.items()})

    def learn(self, keys: Iterable[Digest], good: Mapping[int, int]) -> dict[int, int]:
        """Write down that inodes whose bytes were compared just now are ``good``; all that is known then. To be done while linking."""
        learnt: dict[int, int] = {}
        for key in keys:
            with suppress(FileNotFoundError):
                known = self._times(key)
                states = _states(self.folder / key).values()
                times = {
                    state.st_ino: state.st_ctime_ns
                    for state in states
                    if state.st_ctime_ns in (good.get(state.st_ino), known.get(state.st_ino))
                }
                _write_times(self.folder / key, times)
                learnt.update(times)
        return learnt

    def remove_layer(self, folder: Path) -> None:
        """Delete a layer, whose files lose a name each. Raises StoreUnwritable, OSError."""
        import shutil  # slow to import; no build of a root that is kept needs it

        keys = listed(folder)
        if not keys:
            shutil.rmtree(folder)
            return
        with self.linking():
            good = {key: self._good(key) for key in keys}
            try:
                shutil.rmtree(folder)
            finally:
                for key, inodes in good.items():
                    with suppress(FileNotFoundError):
                        states = _states(self.folder / key).values()
                        _write_times(self.folder / key, {s.st_ino: s.st_ctime_ns for s in states if s.st_ino in inodes})

    def _good(self, key: Digest) -> set[int]:
        known = self._times(key)
        with suppress(FileNotFoundError):
            states = _states(self.folder / key).values()
            return {state.st_ino for state in states if known.get(state.st_ino) == state.st_ctime_ns}
        return set()

    def _times(self, key: Digest) -> dict[int, int]:
        return _read_times(self.folder / key)

    def set_aside(self, key: Digest) -> Path | None:
        """Keep a damaged package where it does not count; None if this user may not move it. To be done while linking. Raises OSError."""
        import shutil  # as above

        aside = self.folder.parent / "damaged" / f"packages-{key}-{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(FileNotFoundError):
            return aside if move_aside(self.folder / key, aside) else None
        return aside


def _is_kept(state: os.stat_result, known: Mapping[int, int]) -> bool:
    return known.get(state.st_ino) == state.st_ctime_ns and state.st_mtime_ns == FIXED_TIME_NS


def _read_times(folder: Path) -> dict[int, int]:
    numbers = array("Q")
    try:
        numbers.frombytes((folder / _TIMES).read_bytes())
    except (OSError, ValueError):  # not there, not to be read, or torn: the bytes decide
        return {}
    return dict(zip(numbers[::2], map(_signed, numbers[1::2]), strict=False))


def _write_times(folder: Path, times: Mapping[int, int]) -> None:
    """Others read the old or the new, or nothing for a moment; what a power cut leaves is no more than doubt. Raises OSError."""
    file = f"{folder}/{_TIMES}"
    with open(f"{file}.new", "wb") as partial:  # noqa: PTH123 (a hundred of them for a layer)
        partial.write(array("Q", [number & _WORD for pair in times.items() for number in pair]).tobytes())
    with suppress(FileNotFoundError):
        os.unlink(file)  # noqa: PTH108 (as above). A rename that replaces a file makes ext4 write the new one at once
    os.rename(f"{file}.new", file)  # noqa: PTH104 (as above)


def _signed(number: int) -> int:
    return number - _WORD - 1 if number > _WORD >> 1 else number


def _states(folder: Path) -> dict[str, os.stat_result]:
    """The states of a package's numbered files. Raises OSError."""
    with os.scandir(folder) as found:
        return {item.name: item.stat(follow_symlinks=False) for item in found if item.name.isdecimal()}


def _wrong(path: Path, member: Member, state: os.stat_result, hashes: Hashes) -> str | None:
    if not stat.S_ISREG(state.st_mode):
        return "is no file any more"
    if stat.S_IMODE(state.st_mode) != member.mode:
        return f"has mode {stat.S_IMODE(state.st_mode):o} instead of {member.mode:o}"
    if state.st_size != member.size:
        return f"has {state.st_size} bytes instead of {member.size}"
    digest = hashes.of(path, state)
    return None if digest == member.sha256 else f"has sha256 {digest} instead of {member.sha256}"


def listed(home: Path) -> tuple[Digest, ...]:
    """The packages that the files of a layer are of; none for a layer that shares no files. Raises OSError."""
    try:
        return tuple(Digest(line) for line in (home / _LISTED).read_text().split())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ()


def write_listed(home: Path, keys: Iterable[Digest]) -> None:
    """Say of a layer that is being made which packages its files are of. Raises OSError."""
    (home / _LISTED).write_text("".join(f"{key}\n" for key in sorted(keys)))
