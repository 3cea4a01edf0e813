"""Which environment variables a recipe may set: all but those that the determinism contract owns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["OWNED", "refusal", "step_variables", "variables_of"]

#: Owned by the contract (plan/contract.py sets them); the reason is what somebody who sets one is told.
OWNED = {
    "HOME": "the contract fixes the home directory",
    "LANG": "the contract fixes the locale; set LC_* of a single category inside the step's command if you must",
    "LC_ALL": "the contract fixes the locale; unset it inside the step's command if you must",
    "LOGNAME": "the contract fixes the user",
    "PATH": "the contract fixes the search path; extend it inside the step's command",
    "PYTHONHASHSEED": "the contract fixes the hash seed, so that sets have the same order everywhere",
    "SOURCE_DATE_EPOCH": "it is the step's date; declare stamp = [\"date\"] to get the source's",
    "TMPDIR": "the contract fixes the temporary directory",
    "TZ": "the contract fixes the time zone; set it inside the step's command if you must",
    "USER": "the contract fixes the user",
}
_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def refusal(name: str) -> str | None:
    """Why a recipe may not set a variable of this name; None if it may."""
    if not _FORM.fullmatch(name):
        return "not a variable's name (letters, digits and '_', not beginning with a digit)"
    if name.startswith("LOCKAGE_"):
        return "names that begin with LOCKAGE_ are given by lockage: flags and the version"
    return OWNED.get(name)


def variables_of(parent: Table) -> dict[str, str]:
    """The table ``variables`` of an environment, sorted by name."""
    return _read(parent.table("variables"), removable=False)[0]


def step_variables(parent: Table) -> tuple[dict[str, str], tuple[str, ...]]:
    """The same of a step, and the names of those that are ``false``: not set at all, whatever else would set them."""
    return _read(parent.table("variables"), removable=True)


def _read(table: Table, *, removable: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    found: dict[str, str] = {}
    unset: list[str] = []
    for name in table.names():
        reason = refusal(name)
        if reason is not None:
            table.fault(name, f"cannot be set by a recipe: {reason}")
        if removable and table.raw(name) is False:
            unset.append(name)
            continue
        value = table.text(name, _no_nul, "text, or false for none at all" if removable else "text")
        if value is not None:
            found[name] = value
    return dict(sorted(found.items())), tuple(sorted(unset))


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL cannot be handed to a process")
    return text
