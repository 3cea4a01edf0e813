"""Fetch inputs over http, https or from a file: resumed where they were broken off, checked before anything is kept.

Invariants: no blob is stored before its sha256 was checked; what is already kept is never fetched; user names and passwords come
from the user's netrc file, go to the host that they stand there for and nowhere else, and are in no message.
"""

from __future__ import annotations

import netrc
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit, urlunsplit

from lockage import durable
from lockage.base.digest import Digest
from lockage.ports import InputChanged, InputVanished, ServiceUnreachable
from lockage.transfer import Transport, shown
from lockage.transfer.partial import partial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.base.errors import LockageError
    from lockage.ports import Blobs
    from lockage.recipe.model import FetchInput

__all__ = ["HttpDownloads", "proxies_of"]

_HINT = (
    "Check the network, the proxy settings and the address in the recipe, and your netrc file if it asks for a password; "
    "then run the command again: it goes on where it broke off."
)


class HttpDownloads:
    """Implements :class:`lockage.ports.Downloads`. ``cache`` holds what was broken off; ``credentials`` is the user's netrc file."""

    def __init__(
        self,
        blobs: Blobs,
        cache: Path,
        *,
        proxies: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        credentials: Path | None = None,
        workers: int = 4,
        timeout: float = 30,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._blobs = blobs
        self._cache = cache
        self._netrc = _netrc(credentials)
        self._workers = workers
        self._transport = Transport(proxies=proxies or {}, ca_file=ca_file, timeout=timeout, pause=pause)
        self._transport.keep_https()

    def fetch(self, inputs: Sequence[FetchInput]) -> list[BlobRef]:
        pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="downloads")
        try:
            return [future.result() for future in [pool.submit(self._kept, wanted) for wanted in inputs]]
        finally:
            self._transport.stop()
            pool.shutdown(cancel_futures=True)
            self._transport.close()

    def _kept(self, wanted: FetchInput) -> BlobRef:
        found = self._blobs.locate(wanted.sha256)
        if found is not None:
            return found
        with durable.unwritable(self._cache):
            durable.ensure_folder(self._cache)
            with partial(self._cache, wanted.sha256) as sink:
                self._download(wanted, sink)
                sink.seek(0)
                return self._blobs.put_stream(sink)

    def _download(self, wanted: FetchInput, sink: BinaryIO) -> None:
        """Fill the sink with the input's bytes, from the first address that has them."""
        failures: list[LockageError] = []
        for url in wanted.urls:
            for begun in (sink.seek(0, os.SEEK_END), 0):  # what was begun from one address may go on badly from another
                if begun and _digest(sink) == wanted.sha256:
                    return
                sink.seek(begun)
                sink.truncate()
                try:
                    if not self._transport.fetch(self._with_credentials(url), sink, limit=wanted.limit):
                        break
                except ServiceUnreachable as error:
                    if error.hint == Transport.hint:  # which speaks of mirrors
                        error.hint = _HINT
                    failures.append(error)
                    break
                size, found = sink.tell(), _digest(sink)
                if size <= wanted.limit and found == wanted.sha256:
                    return
                sink.seek(0)
                sink.truncate()
                if not begun:
                    failures.insert(0, _changed(wanted, url, None if size > wanted.limit else found))
                    break
        if failures:
            raise failures[0]
        raise InputVanished(
            f"fetch input {wanted.name!r} is not kept, and there is nothing at {', '.join(map(shown, wanted.urls))} (404)",
            input=wanted.name,
            urls=tuple(map(shown, wanted.urls)),
            expected=wanted.sha256,
        )

    def _with_credentials(self, url: str) -> str:
        """The address with what the netrc file has for exactly its host; the file's ``default`` would be for any."""
        parts = urlsplit(url)
        entry = self._netrc.hosts.get(parts.hostname or "") if self._netrc is not None else None
        if entry is None or parts.scheme not in ("http", "https"):
            return url
        return urlunsplit(parts._replace(netloc=f"{quote(entry[0] or '', safe='')}:{quote(entry[2] or '', safe='')}@{parts.netloc}"))


def proxies_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Proxies by scheme, and under ``no`` the hosts to be asked directly, as curl reads them (http_proxy in lowercase only)."""

    def first(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    found = {"http": first("http_proxy", "all_proxy", "ALL_PROXY"), "https": first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
    return {**{scheme: proxy for scheme, proxy in found.items() if proxy}, "no": first("no_proxy", "NO_PROXY")}


def _digest(sink: BinaryIO) -> Digest:
    sink.seek(0)
    return Digest.of_file(sink)  # type: ignore[arg-type]  # a file that was opened here, whatever its class is called


def _changed(wanted: FetchInput, url: str, found: Digest | None) -> InputChanged:
    if found is None:
        return InputChanged(
            f"fetch input {wanted.name!r} has more bytes at {shown(url)} than its limit of {wanted.limit}",
            hint="Raise `limit` of the fetch input if the file is so large; otherwise the address leads to another one.",
            input=wanted.name,
            url=shown(url),
            limit=wanted.limit,
        )
    return InputChanged(
        f"fetch input {wanted.name!r}: the bytes at {shown(url)} are not those that the recipe pins: "
        f"sha256 should be {wanted.sha256}, is {found}",
        input=wanted.name,
        url=shown(url),
        expected=wanted.sha256,
        found=found,
    )


def _netrc(file: Path | None) -> netrc.netrc | None:
    """One that cannot be read counts as none, as it does for curl and pip."""
    try:
        return netrc.netrc(file) if file is not None else None
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
