"""Every package of an environment unpacked, several at once.

A large environment is unpacked by processes of their own: most of the work is the archives' headers and the making of small
files, in which threads of one interpreter wait for each other.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING

from lockage.adapters.roots_local.unpack_deb import unpack_deb
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.adapters.roots_local.unpackers import Unpackers
    from lockage.environment.lock import LockedPackage
    from lockage.environment.root import Package
    from lockage.ports import Blobs

__all__ = ["unpack_debs"]

#: Packages of fewer bytes together are unpacked before the first process would have started.
_WORTH_A_PROCESS = 4 << 20


def unpack_debs(
    packages: Sequence[LockedPackage],
    blobs: Blobs,
    spool: FileSpool,
    workers: int,
    arriving: Iterable[LockedPackage] = (),
    *,
    worth_a_process: int = _WORTH_A_PROCESS,
    interpreter: str = sys.executable,
) -> list[Package]:
    """Spool the files of every package, several at once: those that are ``arriving`` as they come, then the largest first.

    The bytes of each package are verified as they are opened. What does not belong to ``packages`` is passed over.
    """
    ordered = sorted(packages, key=lambda locked: (-locked.size, locked.name))
    wanted = set(packages)
    apart = _unpackers(spool, interpreter) if workers > 1 and sum(locked.size for locked in packages) >= worth_a_process else None
    with ThreadPoolExecutor(workers, thread_name_prefix="unpack") as pool:
        try:
            tasks: dict[LockedPackage, Future[Package]] = {}
            for locked in chain(arriving, ordered):
                if locked in wanted and locked not in tasks:
                    tasks[locked] = pool.submit(_unpacked, locked, blobs, spool, apart)
            return [tasks[locked].result() for locked in ordered]
        except BaseException:
            spool.stop()
            if apart is not None:
                apart.kill()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            if apart is not None:
                apart.close()


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
        found = None if apart is None else apart.unpack(stream, file, locked.name)
        if found is None:
            stream.seek(0)
            found = unpack_deb(stream, file, locked.name, spool)
        return found
