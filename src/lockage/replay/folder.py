"""A folder of responses → what is answered: ``METHOD/PATH`` holds a body, ``METHOD/PATH.headers`` its headers (docs/services.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from lockage.replay.model import Exchange, InvalidRecording, Recording, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.path import RelPath

__all__ = ["read_folder"]

_METHOD = re.compile(r"[A-Z]+")
_HEADERS = ".headers"
_INDEX = re.compile(r"index(\.[a-z0-9]+)?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_STATUS = re.compile(r"(?:HTTP/1\.1 )?([2-5][0-9][0-9])(?: ([\t\x20-\x7e]*))?")
#: By the ending of a file's name; what is not here is application/octet-stream.
_KINDS = {
    "css": "text/css; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "xml": "application/xml",
}
_DROPPED = frozenset({"connection", "content-length", "transfer-encoding"})


def read_folder(files: Mapping[RelPath, bytes], folder: str) -> Recording:
    """The exchanges of a folder, sorted by path. Raises :class:`InvalidRecording`, which names the file below ``folder``."""
    found: dict[str, Exchange] = {}
    for path in sorted(files):
        bare, _, query = path.partition("?")
        if path.endswith(_HEADERS):
            if path.removesuffix(_HEADERS) not in files:
                _fail(folder, path, "there is no response beside it that these headers are of")
            continue
        method, _, below = bare.partition("/")
        if not _METHOD.fullmatch(method) or not below:
            _fail(folder, path, "expected METHOD/PATH, such as GET/users/index.json")
        response = _response(files, path, bare, folder)
        for target in _targets(below):
            request = Request.of(method, f"{target}?{query}")
            known = found.setdefault(str(request), Exchange(place=path, request=request, response=response, any_body=True))
            if known.place != path:
                _fail(folder, path, f"answers {request} as {known.place} does")
    return Recording(exchanges=tuple(found.values()))


def _targets(below: str) -> tuple[str, ...]:
    """The paths that a file answers: `index` is its folder, with and without a slash at the end."""
    above, _, name = below.rpartition("/")
    if not _INDEX.fullmatch(name):
        return (f"/{_encoded(below)}",)
    return ("/",) if not above else (f"/{_encoded(above)}", f"/{_encoded(above)}/")


def _encoded(path: str) -> str:
    return "".join(chr(byte) if re.match(rb"[A-Za-z0-9\-._~/:@!$&'()*+,;=%]", bytes([byte])) else f"%{byte:02X}" for byte in path.encode())


def _response(files: Mapping[RelPath, bytes], path: RelPath, bare: str, folder: str) -> Response:
    given = next((name for name in files if name == f"{path}{_HEADERS}"), None)
    status, reason, headers = 200, "", []
    if given is not None:
        lines = files[given].decode("latin-1").splitlines()
        found = _STATUS.fullmatch(lines[0]) if lines else None
        if found is not None:
            status, reason = int(found[1]), found[2] or ""
        for number, line in enumerate(lines[1:] if found is not None else lines, 2 if found is not None else 1):
            header = _HEADER.fullmatch(line)
            if header is None and line.strip():
                _fail(folder, f"{given}:{number}", f"expected NAME: VALUE, or in the first line a status, found {line[:60]!r}")
            if header is not None and header[1].lower() not in _DROPPED:
                headers.append((header[1], header[2].rstrip()))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", _KINDS.get(bare.rpartition(".")[2], "application/octet-stream")))
    return Response(status=status, reason=reason, headers=tuple(headers), body=files[path])


def _fail(folder: str, place: str, message: str) -> NoReturn:
    raise InvalidRecording(f"{folder}/{place}: {message}", file=f"{folder}/{place}")
