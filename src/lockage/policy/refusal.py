"""A refusal: what a policy does not accept of the machines that executed steps, or a way of deviating, in one line of text.

``kernel < 5.15``, ``store-file-system = nfs*``, ``cpu-features lacks sse4_2``, or a kind of deviation: ``stale-suite``.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

import msgspec

from lockage.base.name import _Name
from lockage.record.conditions import DeviationKind
from lockage.record.host import HostFact

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPERATORS", "Refusal"]

_FORM = re.compile(r"\s*([a-z-]+?)(?:\s*(<=|>=|!=|=|<|>)\s*|\s+(has|lacks)\s+)(\S(?:.*\S)?)\s*")
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST = 200
_ORDERED = frozenset({HostFact.KERNEL, HostFact.CPUS, HostFact.MEMORY, HostFact.LOCKAGE, HostFact.PYTHON, HostFact.SANDBOX})
_WORDS = frozenset({HostFact.CPU_FEATURES})
#: Every operator, and of which facts it can be asked.
OPERATORS: Mapping[str, frozenset[HostFact]] = {
    "=": frozenset(HostFact),
    "!=": frozenset(HostFact),
    **dict.fromkeys(("<", "<=", ">", ">="), _ORDERED),
    **dict.fromkeys(("has", "lacks"), _WORDS),
}


class _Rule(msgspec.Struct, frozen=True):
    fact: HostFact
    operator: str
    value: str


class Refusal(_Name):
    """What is refused, in its one form: a kind of deviation, or ``FACT OPERATOR VALUE`` with single spaces.

    ``=`` and ``!=`` take a pattern with ``*`` and ``?``; ``<``, ``<=``, ``>`` and ``>=`` compare the first number, with its dots, of both
    texts; ``has`` and ``lacks`` ask for a word. Raises ValueError for what is none of these.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if text.strip() in {str(kind) for kind in DeviationKind}:
            return str.__new__(cls, text.strip())
        rule = _parsed(text)
        return str.__new__(cls, f"{rule.fact} {rule.operator} {rule.value}")

    @property
    def kind(self) -> DeviationKind | None:
        """The kind of deviation that is refused; None if a fact of machines is."""
        return next((kind for kind in DeviationKind if kind.value == str(self)), None)

    @property
    def fact(self) -> HostFact | None:
        """The fact that is asked for; None if a kind of deviation is refused."""
        return None if self.kind is not None else _parsed(self).fact

    def refuses(self, host: Mapping[str, str]) -> bool | None:
        """Whether a machine is refused; None if what it takes to tell was not recorded of it. For a refusal of a fact."""
        rule = _parsed(self)
        found = host.get(rule.fact)
        if found is None:
            return None
        match rule.operator:
            case "=":
                return fnmatchcase(found, rule.value)
            case "!=":
                return not fnmatchcase(found, rule.value)
            case "has":
                return rule.value in found.split()
            case "lacks":
                return rule.value not in found.split()
            case _:
                return _compared(found, rule)


def _parsed(text: str) -> _Rule:
    form = _FORM.fullmatch(text)
    facts, kinds = ", ".join(HostFact), ", ".join(DeviationKind)
    if form is None or len(text) > _LONGEST:
        raise ValueError(f"neither a kind of deviation ({kinds}) nor FACT OPERATOR VALUE such as `kernel < 5.15`: {text[:80]!r}")
    name, operator, value = form[1], form[2] or form[3], form[4]
    if name not in set(HostFact):
        raise ValueError(f"no fact of machines is called {name!r}; one of {facts}")
    fact = HostFact(name)
    if fact not in OPERATORS[operator]:
        others = ", ".join(known for known, of in OPERATORS.items() if fact in of)
        raise ValueError(f"{operator!r} cannot be asked of {fact}; one of {others}")
    if OPERATORS[operator] is _ORDERED and _NUMBERS.search(value) is None:
        raise ValueError(f"{operator!r} compares numbers, and there is none in {value!r}")
    return _Rule(fact, operator, value)


def _compared(found: str, rule: _Rule) -> bool | None:
    mine, theirs = _NUMBERS.search(found), _NUMBERS.search(rule.value)
    if mine is None or theirs is None:
        return None
    one, two = ([int(part) for part in text[0].split(".")] for text in (mine, theirs))
    width = max(len(one), len(two))
    one, two = ([*parts, *[0] * (width - len(parts))] for parts in (one, two))
    return {"<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two}[rule.operator]
