"""Collects what a pass changes, folding what is alike, so that the report of a huge archive stays small."""

from __future__ import annotations

from lockage.stabilize.model import Change

__all__ = ["Changes", "within"]

#: So many different values of one field are listed; more are folded into one line with a count.
_DISTINCT = 16
_TEXT = 200


class Changes:
    """Changes by field, in the order in which they were first seen."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, str], tuple[str, int]]] = {}

    def add(self, path: str, field: str, before: object, after: object) -> None:
        """Note a change; nothing if both are equal."""
        if before == after:
            return
        key = (_short(str(before)), _short(str(after)))
        alike = self._found.setdefault(field, {})
        first, count = alike.get(key, (path, 0))
        alike[key] = (first, count + 1)

    def adopt(self, prefix: str, other: Changes) -> None:
        """Take over what was noted of the member ``prefix``, whose own members become ``prefix!member``."""
        for field, alike in other._found.items():
            ours = self._found.setdefault(field, {})
            for key, (path, count) in alike.items():
                first, already = ours.get(key, (within(prefix, path), 0))
                ours[key] = (first, already + count)

    def listed(self) -> tuple[Change, ...]:
        """Every change, folded."""
        out: list[Change] = []
        for field, alike in self._found.items():
            if len(alike) <= _DISTINCT:
                out += [
                    Change(path=path, field=field, before=before, after=after, count=count)
                    for (before, after), (path, count) in alike.items()
                ]
                continue
            afters = {after for _, after in alike}
            first = next(iter(alike.values()))[0]
            after = afters.pop() if len(afters) == 1 else f"{len(afters)} values"
            befores = len({before for before, _ in alike})
            total = sum(count for _, count in alike.values())
            out.append(Change(path=first, field=field, before=f"{befores} values", after=after, count=total))
        return tuple(out)


def within(prefix: str, path: str) -> str:
    """The path of what is in the member ``prefix``; of that member itself if ``path`` is empty."""
    return f"{prefix}!{path}" if prefix and path else prefix or path


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
