"""What differs between two environments, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.cli.screen import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.environment.difference import ItemChange
    from lockage.work.diff_environments import Compared

__all__ = ["difference_lines"]

#: More files than this are counted, not listed.
_MOST_FILES = 200


def difference_lines(found: Compared) -> Iterator[str]:
    """A heading, the facts and packages that differ, and the files if they were looked at."""
    difference = found.difference
    if difference.same_root and not difference.items:
        yield f"{found.a} and {found.b}: the same root" + _besides(found)
        return
    yield f"{found.a} → {found.b}: {'the same root' if difference.same_root else 'another root'}"
    for change in difference.fields:
        if change.field != "root":
            yield f"  {change.field}: {change.a or 'none'} → {change.b or 'none'}"
    rows = [(f"  {_sign(item)}", str(item.kind), item.name, _versions(item)) for item in difference.items]
    yield from table(rows)
    if difference.files is None:
        return
    if difference.files:
        yield f"  {len(difference.files):,} files of the root differ"
    rows = [("   ", str(file.kind), f"/{file.path}", "") for file in difference.files[:_MOST_FILES]]
    yield from table(rows)
    if len(difference.files) > _MOST_FILES:
        yield f"    and {len(difference.files) - _MOST_FILES:,} more; --json lists them all"


def _besides(found: Compared) -> str:
    facts = [f"{change.field} {change.a or 'none'} → {change.b or 'none'}" for change in found.difference.fields]
    return f" ({', '.join(facts)})" if facts else ""


def _sign(item: ItemChange) -> str:
    return "+" if item.a is None else "-" if item.b is None else "~"


def _versions(item: ItemChange) -> str:
    if item.a == item.b:
        return f"{item.a}, other bytes"
    return " → ".join(version for version in (item.a, item.b) if version is not None)
