"""The Simple repository API: the files of a project (PEP 691 JSON; PEP 503 HTML where an index has only that)."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from lockage.adapters.python_index.download import NotThere
from lockage.base.digest import Digest
from lockage.ports import ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.adapters.python_index.download import Downloader

__all__ = ["IndexFile", "project_files"]

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class IndexFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a project: where it is, and what the index says of it: its sha256, when it was uploaded, for which Pythons it is.

    ``yanked``: it was withdrawn.
    """

    name: str
    address: str
    sha256: Digest | None = None
    uploaded: str | None = None
    requires_python: str | None = None
    yanked: bool = False

    @property
    def dated(self) -> bool:
        return self.uploaded is not None


class _JsonFile(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str] = {}
    upload_time: str | None = msgspec.field(name="upload-time", default=None)
    requires_python: str | None = msgspec.field(name="requires-python", default=None)
    yanked: bool | str = False


class _JsonPage(msgspec.Struct):
    files: list[_JsonFile] = []


def project_files(downloader: Downloader, index: str, project: str, *, flat: bool = False) -> tuple[IndexFile, ...]:
    """The files that an index lists for a project; none if it does not know it. ``flat``: the address is itself the page or folder.

    Raises ServiceUnreachable, also if the answer is no index page.
    """
    address = index if flat else f"{index.rstrip('/')}/{project}/"
    local = _folder(address) if flat else None
    if local is not None:
        return local
    try:
        data, kind, base = downloader.page(address, ACCEPT)
    except NotThere:
        return ()
    try:
        if kind.endswith("json"):
            found = msgspec.json.decode(data, type=_JsonPage)
            return tuple(
                IndexFile(
                    name=file.filename,
                    address=urljoin(base, file.url),
                    sha256=_sha256(file.hashes.get("sha256")),
                    uploaded=file.upload_time,
                    requires_python=file.requires_python,
                    yanked=file.yanked is not False,
                )
                for file in found.files
            )
        return tuple(_links(data.decode("utf-8", "replace"), base))
    except (msgspec.MsgspecError, ValueError) as error:
        host = urlsplit(address).hostname or "the index"
        raise ServiceUnreachable(f"{host} answered with something that is no page of a package index for {project!r}", host=host) from error


def _folder(address: str) -> tuple[IndexFile, ...] | None:
    from pathlib import Path

    parts = urlsplit(address)
    folder = Path(unquote(parts.path))
    if parts.scheme != "file" or not folder.is_dir():
        return None
    return tuple(IndexFile(name=path.name, address=path.as_uri()) for path in sorted(folder.iterdir()))


def _sha256(text: str | None) -> Digest | None:
    try:
        return Digest(text.lower()) if text else None
    except ValueError:
        return None


def _links(text: str, base: str) -> Iterator[IndexFile]:
    reader = _Anchors()
    reader.feed(text)
    for link, told in reader.found:
        address, _, fragment = urljoin(urljoin(base, reader.base or ""), link).partition("#")
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        if name:
            yield IndexFile(
                name=name,
                address=address,
                sha256=_sha256(fragment.removeprefix("sha256=")),
                requires_python=told.get("data-requires-python"),
                yanked="data-yanked" in told,
            )


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.found.append((target, dict(attrs)))
        elif tag == "base" and target and self.base is None:
            self.base = target
