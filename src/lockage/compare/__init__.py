"""Grades of equality and structural differences of two files."""

from lockage.compare.archives import compare_members
from lockage.compare.difference import Comparison, Detail, DifferenceKind, FieldDifference, MemberDifference, Span
from lockage.compare.files import compare_files, grade
from lockage.compare.grade import Grade, best, worst
from lockage.compare.render import render_text

__all__ = [
    "Comparison",
    "Detail",
    "DifferenceKind",
    "FieldDifference",
    "Grade",
    "MemberDifference",
    "Span",
    "best",
    "compare_files",
    "compare_members",
    "grade",
    "render_text",
    "worst",
]
