"""Compares two files of one name: their grade, and what differs in them."""

from __future__ import annotations

from lockage.base.errors import StepFailed
from lockage.compare.archives import compare_archives
from lockage.compare.budget import Budget, Nesting
from lockage.compare.difference import Comparison, DifferenceKind, FieldDifference, MemberDifference
from lockage.compare.grade import Grade
from lockage.compare.member_difference import content_difference, gzip_fields_differing
from lockage.compare.stable import stable_alike
from lockage.stabilize.content import Contents, contents_of
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import ArchiveKind, archive_kind
from lockage.stabilize.passes import has_pass

__all__ = ["compare_files", "grade"]


def grade(name: str, a: bytes | None, b: bytes | None) -> Grade:
    """The grade alone; None stands for a file that was not delivered."""
    return Grade.FAILED if a is None or b is None else compare_files(name, a, b, structure=False).grade


def compare_files(name: str, a: bytes, b: bytes, *, depth: int = 1, structure: bool = True, budget: Budget | None = None) -> Comparison:
    """How alike the two files are and in what they differ; ``depth`` is how many levels of nested archives are opened.

    With ``structure`` contents are compared by what they are (texts, ELF files and so on), renamed folders are paired and moved members
    told as such; without, bytes and metadata only. ``budget`` is that of the whole of which these two are a part.
    """
    budget = budget or Budget()
    if a == b:
        return Comparison(name=name, grade=Grade.IDENTICAL)
    one, two = contents_of(name, a), contents_of(name, b)
    if one.members is not None and two.members is not None:
        try:
            return compare_archives(name, a, b, one, two, depth=depth, structure=structure, budget=budget)
        except (StepFailed, Unhandled):
            pass  # a member that does not unpack: nothing within is to be trusted
        one, two = Contents.opaque(a), Contents.opaque(b)
    if one.members is None and two.members is None and (one.kind, one.data) == (two.kind, two.data):
        packing = FieldDifference(field="compression", a=f"{len(a)} bytes", b=f"{len(b)} bytes")
        fields = (*gzip_fields_differing(a, b), packing)
        return Comparison(
            name=name, grade=Grade.SAME_CONTENT, members=(MemberDifference(path="", kind=DifferenceKind.METADATA, fields=fields),)
        )
    if one.members is None and two.members is None:
        fields = gzip_fields_differing(a, b)
        inner = name[:-3] if archive_kind(name) is ArchiveKind.GZIP else name
        grade = Grade.STABILIZED if has_pass(name, a) and stable_alike(name, a, b) else Grade.DIFFERENT
        return Comparison(
            name=name, grade=grade, members=(_content(inner, one.data, two.data, fields, depth, budget if structure else None),)
        )
    kinds = (FieldDifference(field="type", a=_described(one), b=_described(two)),)
    return Comparison(name=name, grade=Grade.DIFFERENT, members=(content_difference("", a, b, kinds, None),))


def _described(contents: Contents) -> str:
    return "not a readable archive" if contents.members is None else f"an archive of {len(contents.members)} members"


def _content(name: str, a: bytes, b: bytes, fields: tuple[FieldDifference, ...], depth: int, budget: Budget | None) -> MemberDifference:
    """Two contents that are no archives by their name; by their bytes they may be. Without a budget nothing is looked into."""
    found = None
    if budget is not None and budget.spend():
        from lockage.compare.forms import inspect

        # What is an archive by its name and could not be read as one is not tried again.
        found = inspect(name, a, b, nesting=Nesting(depth if archive_kind(name) is None else 0, budget))
    return content_difference("", a, b, fields, found)
