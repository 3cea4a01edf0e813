"""Compares two files of one name: their grade, and the members that differ.

Archives are compared by their directories first; bytes are unpacked only where the packed bytes differ. An archive within
an archive is opened one level deep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import StepFailed
from lockage.base.instant import ZIP_FLOOR
from lockage.compare.content import first_difference, text_difference, window
from lockage.compare.difference import Comparison, DifferenceKind, FieldDifference, MemberDifference
from lockage.compare.grade import Grade
from lockage.stabilize.content import Contents, content_digest, contents_of
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import MemberKind, archive_kind
from lockage.stabilize.passes import has_pass, stabilize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.stabilize.member import Member

__all__ = ["compare_files", "grade"]

#: So many differing members are listed and so many texts diffed; what is more is counted.
_LISTED = 1000
_DIFFED = 50
_VALUE = 120


def grade(name: str, a: bytes | None, b: bytes | None) -> Grade:
    """The grade alone; None stands for a file that was not delivered."""
    return Grade.FAILED if a is None or b is None else compare_files(name, a, b).grade


def compare_files(name: str, a: bytes, b: bytes, *, depth: int = 1) -> Comparison:
    """How alike the two files are and in what they differ; ``depth`` is how many levels of nested archives are opened."""
    if a == b:
        return Comparison(name=name, grade=Grade.IDENTICAL)
    one, two = contents_of(name, a), contents_of(name, b)
    if one.members is not None and two.members is not None:
        try:
            return _Archives(name, a, b, depth).compared(one, two)
        except (StepFailed, Unhandled):
            pass  # a member that does not unpack: nothing within is to be trusted
        one, two = Contents.opaque(a), Contents.opaque(b)
    if one.members is None and two.members is None and (one.kind, one.data) == (two.kind, two.data):
        packing = FieldDifference(field="compression", a=f"{len(a)} bytes", b=f"{len(b)} bytes")
        difference = MemberDifference(path="", kind=DifferenceKind.METADATA, fields=(*_gzip_fields(name, a, b), packing))
        return Comparison(name=name, grade=Grade.SAME_CONTENT, members=(difference,))
    if one.members is None and two.members is None:
        same = has_pass(name, a) and _stable_alike(name, a, b)
        grade = Grade.STABILIZED if same else Grade.DIFFERENT
        return Comparison(name=name, grade=grade, members=(_content("", one.data, two.data),))
    kinds = FieldDifference(field="type", a=_described(one), b=_described(two))
    return Comparison(name=name, grade=Grade.DIFFERENT, members=(_content("", a, b, (kinds,)),))


def _stable_alike(name: str, a: bytes, b: bytes) -> bool:
    """Whether the passes make the same bytes of both."""
    try:
        return stabilize(name, a, ZIP_FLOOR).data == stabilize(name, b, ZIP_FLOOR).data
    except StepFailed:
        return False


def _described(contents: Contents) -> str:
    return "not a readable archive" if contents.members is None else f"an archive of {len(contents.members)} members"


def _content(path: str, a: bytes, b: bytes, fields: tuple[FieldDifference, ...] = (), *, diffed: bool = True) -> MemberDifference:
    offset = first_difference(a, b)
    return MemberDifference(
        path=path,
        kind=DifferenceKind.CONTENT,
        offset=offset,
        sizes=(len(a), len(b)),
        bytes_a=window(a, offset or 0),
        bytes_b=window(b, offset or 0),
        fields=fields,
        diff=text_difference(a, b) if diffed else (),
    )


def _fields(a: dict[str, str], b: dict[str, str]) -> tuple[FieldDifference, ...]:
    keys = dict.fromkeys((*a, *b))
    return tuple(
        FieldDifference(field=key, a=a.get(key, "")[:_VALUE], b=b.get(key, "")[:_VALUE]) for key in keys if a.get(key, "") != b.get(key, "")
    )


def _gzip_fields(name: str, a: bytes, b: bytes) -> tuple[FieldDifference, ...]:
    kind = archive_kind(name)
    if kind is None or not (a.startswith(b"\x1f\x8b") and b.startswith(b"\x1f\x8b")):
        return ()
    from lockage.stabilize.tar_pass import gzip_fields

    return _fields(*({f"gzip {key}": value for key, value in gzip_fields(data).items()} for data in (a, b)))


def _keyed(members: Sequence[Member]) -> dict[tuple[str, int], Member]:
    """Members by path and by which of that path's members it is."""
    found: dict[tuple[str, int], Member] = {}
    for member in members:
        number = 0
        while (member.path, number) in found:
            number += 1
        found[member.path, number] = member
    return found


class _Archives:
    """One comparison of two archives."""

    def __init__(self, name: str, a: bytes, b: bytes, depth: int) -> None:
        self.name, self.a, self.b, self.depth = name, a, b, depth
        self.found: list[MemberDifference] = []
        self.omitted = 0
        self.diffed = 0
        #: Whether anything beside metadata differs, and whether in something that no pass changes.
        self.essential = self.lasting = False

    def compared(self, one: Contents, two: Contents) -> Comparison:
        assert one.members is not None
        assert two.members is not None
        in_a, in_b = _keyed(one.members), _keyed(two.members)
        whole = _gzip_fields(self.name, self.a, self.b)
        shared_a, shared_b = [key for key in in_a if key in in_b], [key for key in in_b if key in in_a]
        reordered = shared_a != shared_b
        if reordered:
            at = next(index for index, (x, y) in enumerate(zip(shared_a, shared_b, strict=True)) if x != y)
            whole += (FieldDifference(field="order", a=f"member {at} is {shared_a[at][0]}", b=f"member {at} is {shared_b[at][0]}"),)
        if one.prefix != two.prefix:
            self.essential = self.lasting = True
            self._add(_content("", one.prefix, two.prefix, whole))
        elif whole:
            self._add(MemberDifference(path="", kind=DifferenceKind.METADATA, fields=whole))
        for key in sorted(in_a.keys() | in_b.keys()):
            self._member(key[0], in_a.get(key), in_b.get(key))
        if not self.found:
            packing = FieldDifference(field="container", a=f"{len(self.a)} bytes", b=f"{len(self.b)} bytes")
            self._add(MemberDifference(path="", kind=DifferenceKind.METADATA, fields=(packing,)))
        return Comparison(name=self.name, grade=self._grade(reordered=reordered), members=tuple(self.found), omitted=self.omitted)

    def _grade(self, *, reordered: bool) -> Grade:
        if not self.essential and not reordered and content_digest(self.name, self.a) == content_digest(self.name, self.b):
            return Grade.SAME_CONTENT
        return Grade.STABILIZED if not self.lasting and _stable_alike(self.name, self.a, self.b) else Grade.DIFFERENT

    def _add(self, difference: MemberDifference) -> None:
        if len(self.found) < _LISTED:
            self.found.append(difference)
        else:
            self.omitted += 1

    def _member(self, path: str, a: Member | None, b: Member | None) -> None:
        if a is None or b is None:
            self.essential = self.lasting = True
            present = a or b
            assert present is not None
            kind = DifferenceKind.ONLY_IN_B if a is None else DifferenceKind.ONLY_IN_A
            self._add(MemberDifference(path=path, kind=kind, sizes=(a.size if a else 0, b.size if b else 0)))
            return
        facts = _fields(_facts(a), _facts(b))
        fields = facts + _fields(a.fields(), b.fields())
        same = a.packing == b.packing and a.packed() == b.packed()
        if not same and a.kind is MemberKind.FILE and b.kind is MemberKind.FILE:
            bytes_a, bytes_b = a.read(), b.read()
            same = bytes_a == bytes_b
            if same:
                fields += (FieldDifference(field="packed bytes", a=f"{len(a.packed())} bytes", b=f"{len(b.packed())} bytes"),)
            else:
                self.essential = True
                self.lasting |= not path.endswith(".dist-info/RECORD") and not has_pass(path, bytes_a)
                self._add(self._contents(path, bytes_a, bytes_b, fields))
                return
        if facts:
            self.essential = self.lasting = True
        if fields:
            self._add(MemberDifference(path=path, kind=DifferenceKind.METADATA, fields=fields))

    def _contents(self, path: str, a: bytes, b: bytes, fields: tuple[FieldDifference, ...]) -> MemberDifference:
        nested = compare_files(path, a, b, depth=self.depth - 1) if self.depth and archive_kind(path) is not None else None
        diffed = self.diffed < _DIFFED and nested is None
        self.diffed += diffed
        difference = _content(path, a, b, fields, diffed=diffed)
        if nested is None:
            return difference
        from msgspec.structs import replace

        return replace(difference, nested=nested)


def _facts(member: Member) -> dict[str, str]:
    """What the content digest says of a member beside its bytes."""
    return {"type": member.kind.value, "executable": str(member.executable).lower(), "link target": member.target or ""}
