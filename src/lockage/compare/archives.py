"""Compares the members of two archives, folders or releases: which are there, what differs in each, what was moved.

Members whose packed bytes are equal are not unpacked. Others are, one pair at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lockage.compare.budget import Budget, Nesting
from lockage.compare.difference import Comparison, DifferenceKind, FieldDifference, MemberDifference
from lockage.compare.finding import Finding
from lockage.compare.grade import Grade, worst
from lockage.compare.member_difference import content_difference, facts_of, fields_of, gzip_fields_differing
from lockage.compare.pairing import keyed, moved_members, renamed_folder, under
from lockage.compare.stable import stable_alike
from lockage.stabilize.model import MemberKind
from lockage.stabilize.passes import has_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockage.stabilize.content import Contents
    from lockage.stabilize.member import Member

__all__ = ["compare_ar", "compare_archives", "compare_members"]

#: So many differing members are listed; what is more is counted.
_LISTED = 1000
_RECORD = ".dist-info/RECORD"


def compare_archives(
    name: str, a: bytes, b: bytes, one: Contents, two: Contents, *, depth: int, structure: bool, budget: Budget
) -> Comparison:
    """Two archives that were opened. Raises StepFailed and Unhandled for members that do not unpack."""
    assert one.members is not None
    assert two.members is not None
    renamed = renamed_folder(one.members, two.members) if structure else None
    comparing = _Comparing(name, depth=depth, structure=structure, budget=budget)
    whole = list(gzip_fields_differing(a, b))
    if renamed is not None:
        whole.append(FieldDifference(field="folder", a=renamed[0], b=renamed[1]))
        comparing.essential.append("")
    prefixes = (one.prefix, two.prefix) if one.prefix != two.prefix else None
    keys = ((lambda path: under(path, *renamed)) if renamed is not None else str, str)
    if renamed is not None:
        comparing.renamed = [member.path for member in (*one.members, *two.members) if member.path.partition("/")[0] in renamed]
    reordered = comparing.compare(one.members, two.members, whole, prefixes, keys=keys)
    if not comparing.found:
        packing = FieldDifference(field="container", a=f"{len(a)} bytes", b=f"{len(b)} bytes")
        comparing.add(MemberDifference(path="", kind=DifferenceKind.METADATA, fields=(packing,)))
    return comparing.told(_archive_grade(name, a, b, comparing, reordered=reordered))


def compare_ar(a: bytes, b: bytes, nesting: Nesting) -> Finding:
    """Two ar archives, which have no content digest: whatever differs, they are different. Raises ValueError for what is none."""
    from lockage.compare.ar_reader import read_ar

    if nesting.depth <= 0:
        raise ValueError("nested too deeply")
    comparing = _Comparing("members", depth=nesting.depth - 1, structure=True, budget=nesting.budget)
    comparing.compare(read_ar(a), read_ar(b), [], None)
    return Finding(form="ar archive", nested=comparing.told(Grade.DIFFERENT))


def compare_members(
    name: str,
    a: Sequence[Member],
    b: Sequence[Member],
    *,
    depth: int = 8,
    keys: tuple[Callable[[str], str], Callable[[str], str]] = (str, str),
    fields: tuple[FieldDifference, ...] = (),
) -> Comparison:
    """Two folders or releases, each a set of files in sorted order; ``keys`` pair those that are called otherwise on each side.

    The grade is the worst of the files' own; a file of one side only makes them different. ``fields`` are of the whole, and without weight.
    """
    comparing = _Comparing(name, depth=depth, structure=True, budget=Budget(), whole=True)
    comparing.compare(a, b, list(fields), None, keys=keys)
    if len(comparing.found) == bool(fields):
        return comparing.told(Grade.IDENTICAL)
    grades = [Grade.DIFFERENT] if comparing.essential else [Grade.SAME_CONTENT]
    return comparing.told(worst([*grades, *comparing.grades]))


def _archive_grade(name: str, a: bytes, b: bytes, comparing: _Comparing, *, reordered: bool) -> Grade:
    """With no essential difference and one order the content digests are equal: all that they are made of was compared."""
    if not comparing.essential and not reordered:
        return Grade.SAME_CONTENT
    if any(not path.endswith(_RECORD) and path not in comparing.mendable for path in comparing.essential):
        return Grade.DIFFERENT  # no pass changes any other content
    return Grade.STABILIZED if stable_alike(name, a, b) else Grade.DIFFERENT


class _Comparing:
    """One comparison of two sets of members; ``whole``: each file is graded for itself."""

    def __init__(self, name: str, *, depth: int, structure: bool, budget: Budget, whole: bool = False) -> None:
        self.name, self.depth, self.structure, self.whole = name, depth, structure, whole
        self.found: list[MemberDifference] = []
        self.omitted = 0
        self.budget = budget
        self.grades: list[Grade] = []
        #: Paths whose content or type differs, those of only one side included.
        self.essential: list[str] = []
        #: Those of them whose content a pass may make equal.
        self.mendable: set[str] = set()
        #: Paths below a renamed folder, on both sides.
        self.renamed: list[str] = []

    def told(self, grade: Grade) -> Comparison:
        return Comparison(name=self.name, grade=grade, members=tuple(self.found), omitted=self.omitted)

    def add(self, difference: MemberDifference) -> None:
        if len(self.found) < _LISTED:
            self.found.append(difference)
        else:
            self.omitted += 1

    def compare(
        self,
        a: Sequence[Member],
        b: Sequence[Member],
        whole: list[FieldDifference],
        prefixes: tuple[bytes, bytes] | None,
        *,
        keys: tuple[Callable[[str], str], Callable[[str], str]] = (str, str),
    ) -> bool:
        """Compare all; whether the members of both come in another order."""
        in_a, in_b = keyed(a, keys[0]), keyed(b, keys[1])
        shared_a, shared_b = [each for each in in_a if each in in_b], [each for each in in_b if each in in_a]
        reordered = shared_a != shared_b
        if reordered:
            at = next(index for index, (x, y) in enumerate(zip(shared_a, shared_b, strict=True)) if x != y)
            whole.append(FieldDifference(field="order", a=f"member {at} is {shared_a[at][0]}", b=f"member {at} is {shared_b[at][0]}"))
        if prefixes is not None:
            self.essential.append("")
            self.add(content_difference("", *prefixes, tuple(whole), None))
        elif whole:
            self.add(MemberDifference(path="", kind=DifferenceKind.METADATA, fields=tuple(whole)))
        moved = moved_members(in_a, in_b) if self.structure else {}
        for gone, come in moved.items():
            if gone in in_a:
                self.essential += [in_a[gone].path, in_b[come].path]
                sizes = (in_a[gone].size, in_b[come].size)
                fields = fields_of(in_a[gone].fields(), in_b[come].fields())
                self.add(
                    MemberDifference(path=in_b[come].path, kind=DifferenceKind.MOVED, origin=in_a[gone].path, sizes=sizes, fields=fields)
                )
        # A RECORD comes last: which of its rows follow from others is known then.
        for one in sorted((in_a.keys() | in_b.keys()) - moved.keys(), key=lambda each: (each[0].endswith(_RECORD), each)):
            self._member(in_a.get(one), in_b.get(one))
        return reordered

    def _member(self, a: Member | None, b: Member | None) -> None:
        if a is None or b is None:
            present = a or b
            assert present is not None
            self.essential.append(present.path)
            kind = DifferenceKind.ONLY_IN_B if a is None else DifferenceKind.ONLY_IN_A
            self.add(MemberDifference(path=present.path, kind=kind, sizes=(a.size if a else 0, b.size if b else 0)))
            return
        origin = a.path if a.path != b.path else ""
        facts = fields_of(facts_of(a), facts_of(b))
        fields = facts + fields_of(a.fields(), b.fields())
        files = a.kind is MemberKind.FILE and b.kind is MemberKind.FILE
        if files and not (a.size == b.size and a.packing == b.packing and a.packed() == b.packed()):
            bytes_a, bytes_b = a.read(), b.read()
            if bytes_a != bytes_b:
                self._contents(b.path, origin, bytes_a, bytes_b, fields)
                if facts:
                    self.essential.append(b.path)
                return
            fields += (FieldDifference(field="packed bytes", a=f"{len(a.packed())} bytes", b=f"{len(b.packed())} bytes"),)
        if facts:
            self.essential.append(b.path)
        if fields:
            self.add(MemberDifference(path=b.path, origin=origin, kind=DifferenceKind.METADATA, fields=fields))

    def _contents(self, path: str, origin: str, a: bytes, b: bytes, fields: tuple[FieldDifference, ...]) -> None:
        from lockage.compare.files import compare_files  # the two call each other: an archive may be within an archive

        if self.whole:
            nested = compare_files(path.rpartition("/")[2], a, b, depth=self.depth, structure=self.structure, budget=self.budget)
            self.grades.append(nested.grade)
            alone = len(nested.members) == 1 and not nested.members[0].path
            if alone and nested.members[0].kind is DifferenceKind.CONTENT:  # no archive: nothing to nest
                difference = replace(nested.members[0], path=path, fields=fields + nested.members[0].fields)
            else:
                difference = replace(content_difference(path, a, b, fields, None), nested=nested)
            self.add(replace(difference, origin=origin))
            return
        found = None
        if self.structure and self.budget.spend():
            from lockage.compare.forms import inspect

            changed = (*self.essential, *self.renamed) if path.endswith(_RECORD) else ()
            found = inspect(path, a, b, changed=frozenset(changed), nesting=Nesting(self.depth, self.budget))
        self.essential.append(path)
        if has_pass(path, a):
            self.mendable.add(path)
        self.add(replace(content_difference(path, a, b, fields, found), origin=origin))
