"""HTTP Archive 1.2 → what was asked and answered (http://www.softwareishard.com/blog/har-12-spec/); what is not of that is passed over.

A browser writes bodies down as it decoded them, so what says how they were packed on their way is left out of responses.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from lockage.replay.model import Exchange, InvalidRecording, Recording, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read_har"]

#: Of one connection (RFC 9110, 7.6.1), or of a body as it was packed; a name that begins with a colon is a field of HTTP/2.
_DROPPED = frozenset({"connection", "content-encoding", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
#: What RFC 9110 allows in values; a HAR has joined some by line ends.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _Document:
    """Typed looks into a document, each naming its place in what it raises."""

    def __init__(self, file: str) -> None:
        self._file = file

    def fail(self, place: str, message: str) -> NoReturn:
        raise InvalidRecording(f"{self._file}: {place}: {message}", file=self._file, place=place)

    def get(self, value: Any, name: str, kind: type | tuple[type, ...], place: str) -> Any:  # Any: JSON
        """A member that must be there."""
        if not isinstance(value, dict):
            self.fail(place, "expected an object")
        found = value.get(name)
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is int):
            self.fail(f"{place}.{name}", "missing" if found is None else f"not what HAR 1.2 has there: {str(found)[:60]!r}")
        return found


def read_har(data: bytes, file: str, hosts: Iterable[str]) -> Recording:
    """The exchanges of a HAR file; with ``hosts`` only those with them. Raises :class:`InvalidRecording`, which names ``file``."""
    document = _Document(file)
    try:
        parsed = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        document.fail(f"byte {error.start}", "not UTF-8")
    except json.JSONDecodeError as error:
        raise InvalidRecording(f"{file}:{error.lineno}: not JSON: {error.msg}", file=file, line=error.lineno) from error
    except RecursionError as error:
        raise InvalidRecording(f"{file}: not a HAR file: nested too deeply", file=file) from error
    entries = document.get(document.get(parsed, "log", dict, "the document"), "entries", list, "log")
    wanted = frozenset(hosts)
    found = [_exchange(document, entry, number) for number, entry in enumerate(entries)]
    return Recording(exchanges=tuple(one for one in found if not wanted or one.request.host in wanted))


def _exchange(document: _Document, entry: object, number: int) -> Exchange:
    place = f"log.entries[{number}]"
    request = document.get(entry, "request", dict, place)
    response = document.get(entry, "response", dict, place)
    return Exchange(
        place=f"entry {number}",
        request=_request(document, request, f"{place}.request"),
        response=_response(document, response, f"{place}.response"),
    )


def _request(document: _Document, request: object, place: str) -> Request:
    method = document.get(request, "method", str, place)
    address = document.get(request, "url", str, place)
    if not _TOKEN.fullmatch(method):
        document.fail(f"{place}.method", f"not a method: {method[:60]!r}")
    if not re.match(r"https?://[^/?#]", address):
        document.fail(f"{place}.url", f"not an address of http or https, so no service can be asked for it: {address[:60]!r}")
    headers = _headers(document, request, place)
    assert isinstance(request, dict)
    body = b"" if request.get("postData") is None else _posted(document, request["postData"], f"{place}.postData")
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, ("content-type", str(request["postData"].get("mimeType") or "")))
    return Request.of(method.upper() if method.islower() else method, address, headers=headers, body=body)


def _posted(document: _Document, posted: object, place: str) -> bytes:
    if not isinstance(posted, dict):
        document.fail(place, "expected an object")
    if isinstance(posted.get("text"), str) and (posted["text"] or not posted.get("params")):
        return _bytes(document, posted["text"], posted.get("encoding"), place)
    params = posted.get("params")
    if not isinstance(params, list):
        return b""
    pairs = []
    for number, one in enumerate(params):
        name = document.get(one, "name", str, f"{place}.params[{number}]")
        if not isinstance(one.get("value", ""), str):
            document.fail(f"{place}.params[{number}].value", "expected text")
        pairs.append(f"{_percent(name)}={_percent(one.get('value', ''))}")
    return "&".join(pairs).encode()


def _percent(text: str) -> str:
    return "".join(chr(byte) if re.match(rb"[A-Za-z0-9\-._~]", bytes([byte])) else f"%{byte:02X}" for byte in text.encode())


def _response(document: _Document, response: object, place: str) -> Response:
    status = document.get(response, "status", int, place)
    if not 200 <= status <= 599:
        document.fail(f"{place}.status", f"no response was recorded (status {status}); take the entry out")
    content = document.get(response, "content", dict, place)
    body = b""
    if content.get("text") is not None:
        body = _bytes(document, document.get(content, "text", str, f"{place}.content"), content.get("encoding"), f"{place}.content")
    elif isinstance(content.get("size"), int) and content["size"] > 0 and status not in (204, 304):
        document.fail(f"{place}.content.text", f"the body of {content['size']} bytes was not recorded; save the file with contents")
    headers = _headers(document, response, place)
    kind = content.get("mimeType")
    if (
        body
        and isinstance(kind, str)
        and kind
        and _VALUE.fullmatch(kind)
        and not any(name.lower() == "content-type" for name, _ in headers)
    ):
        headers = (*headers, ("Content-Type", kind))
    assert isinstance(response, dict)
    reason = response.get("statusText")
    reason = reason if isinstance(reason, str) and _VALUE.fullmatch(reason) else ""
    kept = tuple((name, value) for name, value in headers if name.lower() not in _DROPPED)
    return Response(status=status, reason=reason, headers=kept, body=body)


def _headers(document: _Document, message: Any, place: str) -> tuple[tuple[str, str], ...]:  # Any: JSON
    if "headers" not in message:
        return ()
    found = []
    for number, header in enumerate(document.get(message, "headers", list, place)):
        name = document.get(header, "name", str, f"{place}.headers[{number}]")
        value = document.get(header, "value", str, f"{place}.headers[{number}]")
        if name.startswith(":"):
            continue
        if not _TOKEN.fullmatch(name):
            document.fail(f"{place}.headers[{number}].name", f"not the name of a header: {name[:60]!r}")
        for line in value.splitlines() or [""]:
            if not _VALUE.fullmatch(line):
                document.fail(f"{place}.headers[{number}].value", "not what a header can hold")
            found.append((name, line))
    return tuple(found)


def _bytes(document: _Document, text: str, encoding: object, place: str) -> bytes:
    if encoding is None or encoding == "":
        try:
            return text.encode()
        except UnicodeEncodeError:
            document.fail(f"{place}.text", "a lone surrogate, which is no text")
    if encoding != "base64":
        document.fail(f"{place}.encoding", f'expected "base64", found {str(encoding)[:60]!r}')
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        document.fail(f"{place}.text", "not base64")
