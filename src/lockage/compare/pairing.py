"""Which member of one side belongs to which of the other: by path, by a folder's other name, or by their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.stabilize.model import MemberKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockage.stabilize.member import Member

    _Key = tuple[str, int]
    Keyed = dict[_Key, Member]

__all__ = ["keyed", "moved_members", "renamed_folder", "under"]


def keyed(members: Sequence[Member], key: Callable[[str], str]) -> dict[_Key, Member]:
    """Members by what they are paired by, and by which of those alike they are."""
    found: dict[_Key, Member] = {}
    counted: dict[str, int] = {}
    for member in members:
        path = key(member.path)
        counted[path] = counted.get(path, -1) + 1
        found[path, counted[path]] = member
    return found


def renamed_folder(a: Iterable[Member], b: Iterable[Member]) -> tuple[str, str] | None:
    """The one folder that only its name makes another: an sdist's top, or a wheel's .dist-info."""
    tops = [{member.path.partition("/")[0] for member in members} for members in (a, b)]
    only = [sorted(mine - others) for mine, others in ((tops[0], tops[1]), (tops[1], tops[0]))]
    if len(only[0]) != 1 or len(only[1]) != 1:
        return None
    (one,), (two,) = only
    alone = len(tops[0]) == len(tops[1]) == 1
    return (one, two) if alone or (one.endswith(".dist-info") and two.endswith(".dist-info")) else None


def under(path: str, old: str, new: str) -> str:
    """The path in a folder that is called otherwise."""
    top, slash, rest = path.partition("/")
    return f"{new}{slash}{rest}" if top == old else path


def moved_members(in_a: Keyed, in_b: Keyed) -> dict[_Key, _Key]:
    """Files of one side only whose bytes the other has under another path, both ways; empty files are alike by chance."""
    alone = [
        {k: m for k, m in mine.items() if k not in others and m.kind is MemberKind.FILE and m.size}
        for mine, others in ((in_a, in_b), (in_b, in_a))
    ]
    sizes = {member.size for member in alone[0].values()} & {member.size for member in alone[1].values()}
    by_digest: dict[tuple[Digest, bool], list[_Key]] = {}
    for key, member in alone[1].items():
        if member.size in sizes:
            by_digest.setdefault((Digest.of(member.read()), member.executable), []).append(key)
    found: dict[_Key, _Key] = {}
    for key, member in alone[0].items():
        waiting = by_digest.get((Digest.of(member.read()), member.executable)) if member.size in sizes else None
        if waiting:
            own = key[0].rpartition("/")[2]
            other = next((each for each in waiting if each[0].rpartition("/")[2] == own), waiting[0])
            waiting.remove(other)
            found[key], found[other] = other, key
    return found
