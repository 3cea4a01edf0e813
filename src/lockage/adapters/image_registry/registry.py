"""Images from registries (OCI distribution-spec 1.1): documents and blobs by digest, with tokens where a registry wants them.

Invariants: nothing is kept before its sha256 was checked; a password goes to the registry that it is for, or to where that registry says
that tokens are had, and never along with a redirect; tokens are kept in memory alone, and are in no message.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from lockage import durable
from lockage.adapters.image_registry.challenge import challenges_of
from lockage.base.digest import BlobRef, Digest
from lockage.ports import ImageChanged, ImageVanished, ServiceUnreachable
from lockage.transfer import Transport, shown
from lockage.transfer.partial import partial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from urllib.parse import SplitResult

    from lockage.base.errors import LockageError
    from lockage.ports import Blobs
    from lockage.transfer.connection import Challenged

__all__ = ["RegistryImages"]

_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
#: An answer to who asks for a token is shorter.
_TOKEN_LIMIT = 1 << 20
_HINT = (
    "Check the network, the proxy settings, the registry in `image` of the recipe or in LOCKAGE_REGISTRIES, and the credentials for it "
    "(docs/company.md), then run the command again."
)


class RegistryImages:
    """Implements :class:`lockage.ports.images.BaseImages` for places ``REGISTRY/NAME``.

    ``addresses`` gives the base addresses that stand for a registry; ``login`` user and password, by registry and address. ``cache`` is a
    folder for what is on its way.
    """

    def __init__(
        self,
        blobs: Blobs,
        cache: Path,
        *,
        addresses: Callable[[str], Sequence[str]],
        login: Callable[[str, str], tuple[str, str] | None],
        proxies: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        workers: int = 4,
        timeout: float = 30,
        pause: Callable[[float], None] = time.sleep,
        moved: Callable[[int], None] | None = None,
    ) -> None:
        self._blobs = blobs
        self._cache = cache
        self._addresses = addresses
        self._login = login
        self._workers = workers
        self._lock = threading.Lock()
        #: The header for a registry's addresses, by scheme and host and the beginning of the path.
        self._headers: dict[tuple[str, str, str], str] = {}
        self._asked: dict[tuple[str, str], tuple[str, str]] = {}
        self._transport = Transport(
            proxies=proxies or {},
            ca_file=ca_file,
            timeout=timeout,
            pause=pause,
            moved=moved,
            authorization=self._header,
            answer=self._answered,
        )
        self._transport.keep_https()
        self._tokens = Transport(proxies=proxies or {}, ca_file=ca_file, timeout=timeout, pause=pause, authorization=self._basic)
        self._tokens.keep_https()
        self._realms: dict[str, str] = {}

    def document(self, place: str, digest: Digest, *, limit: int) -> bytes:
        try:
            sink = BytesIO()

            def whole() -> bool:
                return sink.tell() <= limit and Digest.of(sink.getvalue()) == digest

            self._had(place, f"manifests/sha256:{digest}", sink, limit, whole, f"sha256:{digest}")
            return sink.getvalue()
        finally:
            self._transport.close()

    def tagged(self, place: str, tag: str, *, limit: int) -> bytes:
        name = tag or "latest"
        try:
            sink = BytesIO()
            self._had(place, f"manifests/{name}", sink, limit, lambda: sink.tell() <= limit, f"{place}:{name}")
            return sink.getvalue()
        finally:
            self._transport.close()

    def fetch(self, place: str, parts: Sequence[BlobRef]) -> None:
        missing = [ref for ref in dict.fromkeys(parts) if not self._blobs.has(ref)]
        pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="registry")
        try:
            largest_first = sorted(missing, key=lambda ref: -ref.size)
            for future in [pool.submit(self._part, place, ref) for ref in largest_first]:
                future.result()
        finally:
            self._transport.stop()
            pool.shutdown(cancel_futures=True)
            self._transport.close()

    def _part(self, place: str, ref: BlobRef) -> None:
        with durable.unwritable(self._cache):
            durable.ensure_folder(self._cache)
            with partial(self._cache, ref.digest) as sink:

                def whole() -> bool:
                    return sink.seek(0, 2) == ref.size and _digest(sink) == ref.digest

                try:
                    self._had(place, f"blobs/sha256:{ref.digest}", sink, ref.size, whole, f"sha256:{ref.digest}")
                except ImageVanished:  # a manifest that an index names is a blob of the image, but not to a registry
                    self._had(place, f"manifests/sha256:{ref.digest}", sink, ref.size, whole, f"sha256:{ref.digest}")
                sink.seek(0)
                self._blobs.put_stream(sink)

    def _had(self, place: str, what: str, sink: BinaryIO, limit: int, whole: Callable[[], bool], title: str) -> None:
        """Fill the sink from the first address that has it, behind what is there of it, which may be of a broken attempt.

        Raises ImageVanished, ImageChanged, ServiceUnreachable.
        """
        registry, _, name = place.partition("/")
        failures: list[LockageError] = []
        for address in self._addresses(registry):
            base = urlsplit(address)
            below = f"{base.path.strip('/')}/{name}" if base.path.strip("/") else name
            url = urlunsplit((base.scheme, base.netloc.rpartition("@")[2], f"/v2/{below}/{what}", "", ""))
            self._know(url, registry, address, below)
            accept = _ACCEPT if what.startswith("manifests/") else None
            for begun in (sink.seek(0, 2), 0):
                if begun and whole():
                    return
                sink.seek(begun)
                sink.truncate()
                try:
                    if not self._transport.fetch(url, sink, limit=limit, accept=accept):
                        break
                except ServiceUnreachable as error:
                    if error.hint == Transport.hint or "apt" in error.hint:  # which speak of Debian's mirrors
                        error.hint = _HINT
                    failures.append(error)
                    break
                if whole():
                    return
                sink.seek(0)
                sink.truncate()
                if not begun:
                    failures.insert(0, _changed(place, url, title))
                    break
        if failures:
            raise failures[0]
        raise ImageVanished(
            f"a part of the image {place} is not kept, and no registry that was asked has it: {title}",
            place=place,
            expected=title,
        )

    def _know(self, url: str, registry: str, address: str, name: str) -> None:
        """Who is asked by which name: what a challenge of it is answered with."""
        parts = urlsplit(url)
        with self._lock:
            self._asked[f"{parts.scheme}://{parts.netloc}", f"/v2/{name}/"] = (registry, address)

    def _header(self, parts: SplitResult) -> str | None:
        with self._lock:
            return next(
                (
                    header
                    for (scheme, host, path), header in self._headers.items()
                    if (scheme, host) == (parts.scheme, parts.netloc) and parts.path.startswith(path)
                ),
                None,
            )

    def _answered(self, challenged: Challenged) -> bool:
        """Take up a challenge of a registry that was asked for an image; whether there is something new to say to it."""
        parts = urlsplit(challenged.url)
        if self._header(parts) != challenged.said:  # another thread has learnt it meanwhile
            return True
        with self._lock:
            found = next(
                (
                    (path, *who)
                    for (base, path), who in self._asked.items()
                    if base == f"{parts.scheme}://{parts.netloc}" and parts.path.startswith(path)
                ),
                None,
            )
        if found is None:
            return False
        path, registry, address = found
        login = self._own(address) or self._login(registry, address)
        for challenge in (one for header in challenged.challenges for one in challenges_of(header)):
            said: str | None = None
            if challenge.scheme == "basic" and login is not None:
                said = _basic(*login)
            elif challenge.scheme == "bearer":
                scope = f"repository:{path.removeprefix('/v2/').rstrip('/')}:pull"
                said = self._token(
                    challenge.token_address(scope), None if login is None else _basic(*login), secure=parts.scheme == "https"
                )
            if said is not None:
                key = (parts.scheme, parts.netloc, path)
                with self._lock:
                    self._headers[key] = said
                return said != challenged.said
        return False

    def _own(self, address: str) -> tuple[str, str] | None:
        parts = urlsplit(address)
        return (parts.username, parts.password or "") if parts.username else None

    def _token(self, address: str | None, login: str | None, *, secure: bool) -> str | None:
        """The header that a token makes; None if none is to be had. What is asked over https sends no password over http."""
        if address is None or (secure and not address.startswith("https://")):
            return None
        sink = BytesIO()
        with self._lock:
            self._realms[address] = login or ""
        try:
            if not self._tokens.fetch(address, sink, limit=_TOKEN_LIMIT):
                return None
            document = json.loads(sink.getvalue())
            token = document.get("token") or document.get("access_token")
        except (ServiceUnreachable, ValueError, AttributeError):
            return None  # that the registry refuses is told, with its address
        finally:
            self._tokens.close()
        return f"Bearer {token}" if isinstance(token, str) and token.isprintable() else None

    def _basic(self, parts: SplitResult) -> str | None:
        with self._lock:
            return self._realms.get(urlunsplit(parts)) or None


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _digest(sink: BinaryIO) -> Digest:
    sink.seek(0)
    return Digest.of_file(sink)  # type: ignore[arg-type]  # a file that was opened here, whatever its class is called


def _changed(place: str, url: str, title: str) -> ImageChanged:
    return ImageChanged(
        f"the image {place}: the bytes at {shown(url)} are not those that are named, or too many: {title}",
        place=place,
        url=shown(url),
        expected=title,
    )
