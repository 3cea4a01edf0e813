"""How two SQLite databases differ: header, schema and number of rows of every table (sqlite.org/fileformat2.html).

The file is read here, byte by byte, because the library would have to write it somewhere first, and may write to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.compare.finding import Finding, cut, fields_differing

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SQLITE", "compare_sqlite"]

SQLITE = b"SQLite format 3\0"
_PAGES = 200_000
#: Offset and length of what the header says (section 1.3).
_HEADER = {
    "page size": (16, 2),
    "file format, write": (18, 1),
    "file format, read": (19, 1),
    "change counter": (24, 4),
    "pages": (28, 4),
    "free pages": (36, 4),
    "schema cookie": (40, 4),
    "schema format": (44, 4),
    "text encoding": (56, 4),
    "user version": (60, 4),
    "application id": (68, 4),
    "version valid for": (92, 4),
    "version of the library": (96, 4),
}
_LEAF_TABLE, _INNER_TABLE = 13, 5


def compare_sqlite(a: bytes, b: bytes) -> Finding:
    """Raises ValueError or IndexError for what is no database."""
    details = list(fields_differing("header", _header(a), _header(b)))
    one, two = _Database(a), _Database(b)
    schema_a, schema_b = one.schema(), two.schema()
    details += fields_differing("schema", {name: text for name, (text, _) in schema_a.items()}, {n: t for n, (t, _) in schema_b.items()})
    counts = (
        {name: f"{db.rows(root)} rows" for name, (_, root) in schema.items() if root} for db, schema in ((one, schema_a), (two, schema_b))
    )
    details += fields_differing("table", *counts)
    return Finding(form="SQLite database", details=tuple(details))


def _header(data: bytes) -> dict[str, str]:
    return {name: str(int.from_bytes(data[at : at + size])) for name, (at, size) in _HEADER.items()}


class _Database:
    def __init__(self, data: bytes) -> None:
        self.data = data
        size = int.from_bytes(data[16:18])
        self.size = 65536 if size == 1 else size
        if self.size < 512:
            raise ValueError("no such page size")

    def _leaves(self, root: int) -> Iterator[tuple[bytes, int, int]]:
        """Every leaf page below a table's root: its bytes, where its header begins, and its number of cells."""
        waiting, seen = [root], set[int]()
        while waiting:
            number = waiting.pop()
            if number in seen or len(seen) > _PAGES:
                raise ValueError("the pages of a table go in a circle")
            seen.add(number)
            page = self.data[(number - 1) * self.size : number * self.size]
            start = 100 if number == 1 else 0
            cells = int.from_bytes(page[start + 3 : start + 5])
            if page[start] == _LEAF_TABLE:
                yield page, start, cells
            elif page[start] == _INNER_TABLE:
                waiting.append(int.from_bytes(page[start + 8 : start + 12]))
                for cell in range(cells):
                    at = int.from_bytes(page[start + 12 + 2 * cell : start + 14 + 2 * cell])
                    waiting.append(int.from_bytes(page[at : at + 4]))
            else:
                raise ValueError("not a page of a table")

    def rows(self, root: int) -> int:
        """The number of rows of the table at that root; raises ValueError for an index."""
        return sum(cells for _, _, cells in self._leaves(root))

    def schema(self) -> dict[str, tuple[str, int]]:
        """Every object's definition, and the root page of what is a table with rows of its own."""
        found: dict[str, tuple[str, int]] = {}
        for page, start, cells in self._leaves(1):
            for cell in range(cells):
                at = int.from_bytes(page[start + 8 + 2 * cell : start + 10 + 2 * cell])
                kind, name, _, root, text = _record(page, at)[:5]
                plain = kind == "table" and "WITHOUT ROWID" not in str(text).upper()
                found[f"{kind} {name}"] = (cut(str(text)), int(str(root)) if plain and root else 0)
        return dict(sorted(found.items()))


def _record(page: bytes, at: int) -> list[object]:
    """The values of a cell that lies on one page (section 2.1); what overflows is cut."""
    _, at = _varint(page, at)  # length of the payload
    _, at = _varint(page, at)  # row id
    start = at
    size, at = _varint(page, at)
    kinds = []
    while at < start + size:
        kind, at = _varint(page, at)
        kinds.append(kind)
    found: list[object] = []
    for kind in kinds:
        length = {0: 0, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}.get(kind, kind if kind < 5 else (kind - 12) // 2)
        body = page[at : at + length]
        at += length
        found.append(
            body.decode(errors="replace") if kind >= 13 else kind - 8 if kind in (8, 9) else int.from_bytes(body) if kind else None
        )
    return found


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        byte = page[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 128:
            return value, at + index + 1
    raise ValueError("not a number")
