"""One [fetch.NAME] table → a fetch input: a file from outside the source, by address and sha256.

Addresses are read with patterns, as this room knows nothing of networks; who fetches reads them again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.name import FetchName
from lockage.base.path import RelPath
from lockage.recipe.model import FetchInput
from lockage.recipe.quantity import SIZE_FORM, size
from lockage.recipe.reader import named, shown

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["fetches_of"]

#: RFC 3986, what it allows in an address: anything else is percent-encoded.
_ADDRESS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_HTTP = re.compile(r"https?://(?P<host>[^/?#]+)(?P<path>/[^?#]*)?(?:\?[^#]*)?")
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_FILE = re.compile(r"file://(?:localhost)?(?P<path>/[^?#]+)")
_MOST_BYTES = 1 << 50
_PATH_HINT = "Add `path`: where the steps that name this input see the file."


def fetches_of(table: Table) -> dict[str, FetchInput | None]:
    """Every fetch input by name, with its faults reported; None for one that cannot be used."""
    found: dict[str, FetchInput | None] = {}
    for name in table.names():
        named(table, name, FetchName)
        found[name] = _fetch_of(table.table(name), name)
    return found


def _fetch_of(table: Table, name: str) -> FetchInput | None:
    urls = _urls(table)
    sha256 = table.text("sha256", Digest, "the sha256 of the file: 64 lowercase hex digits", required=True)
    path = table.text("path", RelPath, "a relative path")
    if path is None and urls and not table.has("path"):
        path = _last_part(urls[0])
        if path is None:
            table.faults.add(table.key, f'the key "path" is missing: {shown(urls[0])} does not end in the name of a file', _PATH_HINT)
    executable = table.flag("executable", default=False)
    limit = table.quantity("limit", FetchInput.DEFAULT_LIMIT, size, SIZE_FORM, _MOST_BYTES)
    table.close()
    if not urls or sha256 is None or path is None:
        return None
    try:
        return FetchInput(name=FetchName(name), urls=urls, sha256=sha256, path=path, executable=executable, limit=limit)
    except ValueError:
        return None  # its name, which was reported


def _urls(table: Table) -> tuple[str, ...] | None:
    if isinstance(table.raw("url"), str):
        one = table.text("url", _url, "an address")
        return None if one is None else (one,)
    found = table.texts("url", _url, "addresses")
    if found is None and not table.has("url"):
        table.faults.add(table.key, 'the key "url" is missing: an address (https, http or file), or several of the same file')
    elif found == () and not table.has_items("url"):
        table.fault("url", "expected at least one address")
    return found


def _url(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        bad = next((character for character in text if not _ADDRESS.fullmatch(character)), "")
        raise ValueError(f"not an address: {shown(text)}" + (f"; percent-encode {shown(bad)}" if bad else ""))
    if "#" in text:
        raise ValueError(f"an address of a file has no fragment: {shown(text)}")
    if _FILE.fullmatch(text):
        return text
    found = _HTTP.fullmatch(text)
    if found is None:
        raise ValueError(f"expected an address that begins with https://, http:// or file:///, found {shown(text)}")
    who, at, host = found["host"].rpartition("@")
    if at:
        bare = text.replace(f"{who}@", "", 1)
        raise ValueError(f"no user names and passwords in a recipe: write {shown(bare)}, and put them into your netrc file")
    if not _HOST.fullmatch(host) or int(re.sub(r"^.*\]|^[^:]*", "", host)[1:] or 0) > 65535:
        raise ValueError(f"not the name of a host: {shown(host)}")
    return text


def _last_part(url: str) -> RelPath | None:
    """The name of the file that an address ends in, percent-decoded; None if that is no name."""
    found = _FILE.fullmatch(url) or _HTTP.fullmatch(url)
    last = (found["path"] or "").rpartition("/")[2] if found is not None else ""
    try:
        name = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), last.encode()).decode()
        return None if "/" in name else RelPath(name)
    except ValueError:
        return None
