"""What `lockage verify --fix` says, and where it says the recipe is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockage.base.name import StepName
from lockage.cli.fix import fix_document, fix_lines, recipe_folder
from lockage.work.fix import Fix, Mended, Unmended

STEP = StepName("wheel")
MENDED = Mended(
    step=STEP,
    artifacts=("a.whl",),
    mitigations=("time-zone", "fixed-random"),
    reasons=("lockage verify --fix: the time zone is UTC (local-time)", "lockage verify --fix: random numbers are the same (random-value)"),
)
UNMENDED = Unmended(artifact="b.whl", step=STEP, cause="host-name-written", axes=("hostname",), tried=(), advice="Leave it out.")
ALL = Fix(mended=(MENDED,), unmended=(), text="[project]\n# mended\n", identical=True, rebuilds=9)
SOME = Fix(mended=(MENDED,), unmended=(UNMENDED,), text="[project]\n", identical=False, rebuilds=9)
NONE = Fix(mended=(), unmended=(UNMENDED,), text=None, identical=False, rebuilds=3, exhausted=True)


def said(fixed: Fix, source: str = "x.tar.gz", fix_to: Path | None = None) -> str:
    return "\n".join(fix_lines(fixed, source, fix_to))


def test_what_was_mended_is_told_with_its_reasons_and_a_danger_loudly() -> None:
    text = said(ALL, fix_to=Path("out.toml"))
    assert "mended: step wheel: a.whl\n  the time zone is UTC (local-time)\n" in text
    assert "LOOK: if step wheel makes keys" in text
    assert "LOOK" not in said(NONE)
    assert text.endswith("out.toml written, proven by 9 rebuilds and verified: with it every artifact is identical")


def test_what_was_not_mended_is_told_with_what_was_tried_and_the_advice() -> None:
    text = said(SOME)
    assert "not mended: b.whl, step wheel: host-name-written\n  tried:  nothing; no recipe can pin it\n  mend:   Leave it out." in text
    assert "nothing that a recipe can say mends it; 3 rebuilds tried it" in said(NONE)
    assert "--fix-rebuilds" in said(NONE)


@pytest.mark.parametrize("fix_to", [None, Path("out.toml")])
def test_a_recipe_is_written_beside_the_source_or_where_one_says(fix_to: Path | None, tmp_path: Path) -> None:
    assert recipe_folder(str(tmp_path), fix_to) == (tmp_path if fix_to is None else None)
    document = fix_document(ALL, str(tmp_path), fix_to)
    assert document is not None
    assert document["written"] == (str(tmp_path / "lockage.toml") if fix_to is None else "out.toml")
    assert document["recipe"] == ALL.text


def test_what_has_no_place_is_printed() -> None:
    assert said(ALL).endswith("the recipe, which `--fix-to FILE` writes:\n[project]\n# mended")
    document = fix_document(ALL, "x.tar.gz", None)
    assert document is not None
    assert document["written"] is None
    assert fix_document(None, ".", None) is None
    nothing = fix_document(NONE, ".", None)
    assert nothing is not None
    assert (nothing["recipe"], nothing["written"]) == (None, None)
