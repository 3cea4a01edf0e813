"""What `lockage verify --fix` found, as lines for people and as a part of the document; and where the recipe goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.work.fix import Fix

__all__ = ["fix_document", "fix_lines", "recipe_folder"]


def recipe_folder(source: str, fix_to: Path | None) -> Path | None:
    """The folder whose lockage.toml is mended; None if the recipe goes elsewhere, or nowhere."""
    return Path(source) if fix_to is None and Path(source).is_dir() else None


def fix_document(fixed: Fix | None, source: str, fix_to: Path | None) -> dict[str, Any] | None:  # Any: values of every kind
    """The part ``fix`` of the document."""
    if fixed is None:
        return None
    return {
        "identical": fixed.identical,
        "mended": fixed.mended,
        "unmended": fixed.unmended,
        "recipe": fixed.text,
        "written": _written(fixed, source, fix_to),
        "rebuilds": fixed.rebuilds,
        "exhausted": fixed.exhausted,
    }


def _written(fixed: Fix, source: str, fix_to: Path | None) -> str | None:
    folder = recipe_folder(source, fix_to)
    if fixed.text is None:
        return None
    return str(fix_to) if fix_to is not None else str(folder / "lockage.toml") if folder is not None else None


def fix_lines(fixed: Fix, source: str, fix_to: Path | None) -> Iterator[str]:
    """What was mended and how, what was not and what was tried, and where the recipe is."""
    for one in fixed.mended:
        yield f"mended: step {one.step}: {', '.join(one.artifacts)}"
        for reason in one.reasons:
            yield f"  {reason.removeprefix('lockage verify --fix: ')}"
        if "fixed-random" in one.mitigations:
            yield f"  LOOK: if step {one.step} makes keys, certificates, passwords, tokens or salts, take fixed-random out again"
    for left in fixed.unmended:
        where = f", step {left.step}" if left.step is not None else ""
        yield f"not mended: {left.artifact}{where}: {left.cause}"
        yield f"  tried:  {', '.join(left.tried) or 'nothing; no recipe can pin it'}"
        yield f"  mend:   {left.advice}"
    if fixed.exhausted:
        yield f"  {fixed.rebuilds} rebuilds did not suffice for all; `--fix-rebuilds` allows more"
    written = _written(fixed, source, fix_to)
    if fixed.text is None:
        yield f"nothing that a recipe can say mends it; {fixed.rebuilds} rebuilds tried it, and lockage.toml is as it was"
    elif written is not None:
        proven = "with it every artifact is identical" if fixed.identical else "with it what is mended is identical, the rest is not"
        yield f"{written} written, proven by {fixed.rebuilds} rebuilds and verified: {proven}"
    else:
        yield "the recipe, which `--fix-to FILE` writes:"
        yield from fixed.text.splitlines()
