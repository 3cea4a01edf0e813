"""How commands tell whether an index would take what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockage.cli.options import options_of
from lockage.record.publication import remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.recipe.wanted import Wanted
    from lockage.record.publication import Examined
    from lockage.work.prepare import Project

__all__ = ["publication_document", "publication_lines", "repairing_command"]


def repairing_command(name: str, source: str, project: Project, wanted: Wanted) -> str | None:
    """The command that builds SOURCE with a repair step; None where a lockage.toml decides."""
    if not project.recipe.inferred:
        return None
    import shlex  # only where something is to be said

    return shlex.join(["lockage", name, source, *options_of(wanted), "--publishable"])


def publication_document(examined: Sequence[Examined], command: str | None) -> dict[str, Any]:
    """The part of a ``--json`` document: ``publishable`` is null if there is no wheel and no sdist."""
    notes = [note for one in examined for note in one.notes]
    return {
        "publishable": not notes if any(one.package for one in examined) else None,
        "notes": [
            {"artifact": note.artifact, "code": note.code, "reason": note.reason, "remedy": remedy(note.code, command=command)}
            for note in notes
        ],
        "grafted": [{"artifact": one.artifact, "libraries": one.grafted} for one in examined if one.grafted],
    }


def publication_lines(examined: Sequence[Examined], command: str | None) -> list[str]:
    """The same for people; nothing if there is nothing to say."""
    lines = [f"  {one.artifact} carries libraries of its environment: {', '.join(one.grafted)}" for one in examined if one.grafted]
    for one in examined:
        for note in one.notes:
            lines.append(f"  unpublishable[{note.code}]: {note.artifact}: {note.reason}")
            lines.append(f"    {remedy(note.code, command=command)}")
    return lines
