"""Every package of an environment unpacked, several at once.

A large environment is unpacked by processes of their own: most of the work is the archives' headers and the making of small
files, in which threads of one interpreter wait for each other.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from lockage.adapters.roots_local.unpack_deb import unpack_deb
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.adapters.roots_local.kept_packages import KeptPackages
    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.adapters.roots_local.unpackers import Unpackers
    from lockage.base.digest import Digest
    from lockage.environment.lock import LockedPackage
    from lockage.environment.root import Package
    from lockage.ports import Blobs

__all__ = ["Sources", "unpack_debs"]

#: Packages of fewer bytes together are unpacked before the first process would have started.
_WORTH_A_PROCESS = 4 << 20


class Sources(NamedTuple):
    """Where packages come from: their archives, and those that are kept unpacked; ``workers`` unpack at once."""

    blobs: Blobs
    kept: KeptPackages | None = None
    workers: int = 2


def unpack_debs(
    packages: Sequence[LockedPackage],
    sources: Sources,
    spool: FileSpool,
    arriving: Iterable[LockedPackage] = (),
    *,
    worth_a_process: int = _WORTH_A_PROCESS,
    interpreter: str = sys.executable,
) -> dict[Digest, Package]:
    """Every package by its digest, with its files in the spool or lent to it, if it is kept unpacked; those are not read again.

    Several are unpacked at once: those that are ``arriving`` as they come, then the largest first. The bytes of each are verified as
    they are opened. What does not belong to ``packages`` is passed over.
    """
    ordered = sorted(packages, key=lambda locked: (-locked.size, locked.name))
    blobs, kept, workers = sources
    lent = {} if kept is None else _lent(packages, kept, spool)
    wanted = {locked for locked in packages if locked.sha256 not in lent}
    if not wanted:
        for _ in arriving:
            pass
        return lent
    apart = _unpackers(spool, interpreter) if workers > 1 and sum(locked.size for locked in wanted) >= worth_a_process else None
    with ThreadPoolExecutor(workers, thread_name_prefix="unpack") as pool:
        try:
            tasks: dict[Digest, Future[Package]] = {}
            for locked in chain(arriving, ordered):
                if locked in wanted and locked.sha256 not in tasks:
                    tasks[locked.sha256] = pool.submit(_unpacked, locked, blobs, spool, apart)
            return lent | {key: task.result() for key, task in tasks.items()}
        except BaseException:
            spool.stop()
            if apart is not None:
                apart.kill()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            if apart is not None:
                apart.close()


def _lent(packages: Iterable[LockedPackage], kept: KeptPackages, spool: FileSpool) -> dict[Digest, Package]:
    """The packages that are kept unpacked."""
    lent: dict[Digest, Package] = {}
    for locked in packages:
        found = kept.get(locked.sha256)
        if found is not None:
            spool.borrow(locked.sha256)
            lent[locked.sha256] = found
    return lent


def _unpackers(spool: FileSpool, interpreter: str) -> Unpackers:
    from lockage.adapters.roots_local.unpackers import Unpackers  # only a large environment needs them

    return Unpackers(spool, interpreter)


def _unpacked(locked: LockedPackage, blobs: Blobs, spool: FileSpool, apart: Unpackers | None) -> Package:
    file = locked.path.name
    try:
        opened = blobs.open(locked.ref)
    except BlobCorrupt as error:
        raise error.naming(f"the package {file}") from error
    with opened as stream:
        found = None if apart is None else apart.unpack(stream, file, locked.name, locked.sha256)
        if found is None:
            stream.seek(0)
            spool.drop(locked.sha256)  # what a process that died began
            found = unpack_deb(stream, file, locked.name, spool.part(locked.sha256))
        return found
