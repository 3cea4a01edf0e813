"""Reads ar archives: static libraries and Debian packages (System V with GNU's long names, and BSD's)."""

from __future__ import annotations

from lockage.stabilize.model import MemberKind

__all__ = ["AR", "ArMember", "read_ar"]

AR = b"!<arch>\n"
_HEADER = 60


class ArMember:
    """One member, by its header."""

    __slots__ = ("_data", "_fields", "executable", "path", "size")
    kind = MemberKind.FILE
    target: str | None = None
    packing = "stored"

    def __init__(self, path: str, data: bytes, fields: dict[str, str]) -> None:
        self.path, self._data, self._fields = path, data, fields
        self.size = len(data)
        self.executable = False

    def read(self) -> bytes:
        return self._data

    def packed(self) -> bytes:
        return self._data

    def fields(self) -> dict[str, str]:
        return self._fields


def read_ar(data: bytes) -> tuple[ArMember, ...]:
    """The members in their order, tables of symbols and names among them. Raises ValueError for what is no such archive."""
    found: list[ArMember] = []
    names, at = b"", len(AR)
    while at + _HEADER <= len(data):
        header = data[at : at + _HEADER]
        if header[58:60] != b"`\n":
            raise ValueError("a header of the archive is damaged")
        size = int(header[48:58])
        body = data[at + _HEADER : at + _HEADER + size]
        if len(body) != size:
            raise ValueError("the archive is cut short")
        name = header[:16].rstrip().decode("latin-1")
        if name == "//":
            names = body
        elif name.startswith("#1/"):  # BSD: the name stands before the content
            length = int(name[3:])
            name, body = body[:length].rstrip(b"\0").decode(errors="replace"), body[length:]
        elif name[:1] == "/" and name[1:].isdecimal():
            name = names[int(name[1:]) :].split(b"\n", 1)[0].decode(errors="replace").rstrip("/")
        elif name in ("/", "/SYM64/"):
            name = "(table of symbols)"
        else:
            name = name.rstrip("/")
        if name != "//":
            fields = {key: header[start:stop].decode("latin-1").strip() for key, start, stop in _FIELDS}
            found.append(ArMember(name, body, fields))
        at += _HEADER + size + size % 2
    return tuple(found)


_FIELDS = (("mtime", 16, 28), ("uid", 28, 34), ("gid", 34, 40), ("mode", 40, 48))
