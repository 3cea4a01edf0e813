"""Grades of equality and structural differences of two files."""

from lockage.compare.difference import Comparison, DifferenceKind, FieldDifference, MemberDifference
from lockage.compare.files import compare_files, grade
from lockage.compare.grade import Grade, best, worst
from lockage.compare.render import render_text

__all__ = [
    "Comparison",
    "DifferenceKind",
    "FieldDifference",
    "Grade",
    "MemberDifference",
    "best",
    "compare_files",
    "grade",
    "render_text",
    "worst",
]
