"""A report and findings as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.stabilize.finding import Finding
    from lockage.stabilize.model import Report

__all__ = ["finding_lines", "report_lines"]


def report_lines(report: Report) -> Iterator[str]:
    """What the passes changed, left and kept; nothing if they changed nothing and had nothing to say."""
    for done in report.passes:
        if done.kept is not None:
            yield f"{done.name}: kept as it is: {_shown(done.kept)}"
        for change in done.changes:
            where = f"{change.count} members, the first {change.path}" if change.count > 1 else change.path or "the file itself"
            yield f"{done.name}: {change.field} of {_shown(where)}: {_shown(change.before) or '-'} → {_shown(change.after) or '-'}"
        for fault in done.faults:
            yield f"{done.name}: {fault.code}: {_shown(f'{fault.path}: ' if fault.path else '')}{_shown(fault.message)}"


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Every finding, and once for each code what to do."""
    said: set[str] = set()
    for finding in findings:
        where = f"{finding.count} members, the first {finding.path}" if finding.count > 1 else finding.path or "the file itself"
        yield f"{finding.level} {finding.code}: {_shown(where)}: {_shown(finding.message)}"
        if finding.code not in said:
            yield f"  → {finding.remedy}"
        said.add(finding.code)


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
