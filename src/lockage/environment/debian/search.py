"""A complete search for a consistent set of candidates: conflict-driven clause learning, deciding in apt's order.

Requirements are met depth first, each by its first candidate that is not excluded; what is already selected satisfies a
requirement before anything new is. A dead end is analysed into a clause that was violated all along (first unique implication
point), and the search goes back to where that clause would have decided otherwise. So a solution is found whenever there is one,
and it is the one apt would find wherever apt finds one without backtracking. Nothing here knows what a package is.

A literal is a candidate's number, negative for "not selected". A clause holds if one of its literals does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clause", "NoSolution", "search"]


class Clause(NamedTuple):
    """``origin`` tells what the clause says in the world of packages; a learned clause has ``parents`` instead."""

    literals: tuple[int, ...]
    origin: object = None
    parents: tuple[Clause, ...] = ()


class NoSolution(Exception):
    """The clauses contradict each other; ``core`` holds those given clauses that suffice for it."""

    def __init__(self, core: list[Clause]) -> None:
        super().__init__("no solution")
        self.core = core


#: What is left to do: requirements, how many of them are met, and what to do afterwards. Immutable, so that going back is cheap.
_Agenda = tuple[tuple[Clause, ...], int, "_Agenda | None"]


def search(roots: tuple[Clause, ...], expand: Callable[[int], tuple[tuple[Clause, ...], tuple[Clause, ...]]]) -> frozenset[int]:
    """A set of candidates that satisfies ``roots`` and, for every member, the requirements and exclusions that ``expand`` gives.

    A requirement of ``n`` is a clause of ``-n`` and the candidates in order of preference; an exclusion is a clause ``(-n, -m)``.
    Raises :class:`NoSolution`.
    """
    return _Search(roots, expand).run()


class _Search:
    def __init__(self, roots: tuple[Clause, ...], expand: Callable[[int], tuple[tuple[Clause, ...], tuple[Clause, ...]]]) -> None:
        self._roots = roots
        self._expand = expand
        self._agenda: _Agenda | None = (roots, 0, None)
        self._true: set[int] = set()
        self._level: dict[int, int] = {}
        self._reason: dict[int, Clause | None] = {}
        self._trail: list[int] = []
        self._done = 0
        self._marks: list[tuple[int, _Agenda | None]] = []
        self._learned: dict[int, list[Clause]] = {}

    def run(self) -> frozenset[int]:
        while True:
            conflict = self._propagate()
            if conflict is None:
                before = self._agenda
                clause = self._next_open()
                if clause is None:
                    return frozenset(literal for literal in self._trail if literal > 0)
                conflict = self._meet(clause, before)
            if conflict is not None:
                self._learn(conflict)

    def _next_open(self) -> Clause | None:
        """The first requirement that nothing selected meets; everything before it is struck off the agenda."""
        while self._agenda is not None:
            clauses, at, rest = self._agenda
            while at < len(clauses):
                if not any(literal in self._true for literal in clauses[at].literals):
                    self._agenda = (clauses, at, rest)
                    return clauses[at]
                at += 1
            self._agenda = rest
        return None

    def _meet(self, clause: Clause, before: _Agenda | None) -> Clause | None:
        open_literals = [literal for literal in clause.literals if -literal not in self._true]
        if not open_literals:
            return clause
        if len(open_literals) == 1:
            self._assign(open_literals[0], clause)
            return None
        self._marks.append((len(self._trail), before))
        self._assign(open_literals[0], None)
        return None

    def _assign(self, literal: int, reason: Clause | None) -> None:
        self._true.add(literal)
        self._level[abs(literal)] = len(self._marks)
        self._reason[abs(literal)] = reason
        self._trail.append(literal)

    def _propagate(self) -> Clause | None:
        """Draw every consequence of what was newly assigned; the violated clause if there is one."""
        while self._done < len(self._trail):
            literal = self._trail[self._done]
            self._done += 1
            if literal > 0:
                requirements, exclusions = self._expand(literal)
                self._put(requirements)
                for clause in exclusions:
                    other = clause.literals[1]
                    if -other in self._true:
                        return clause
                    if other not in self._true:
                        self._assign(other, clause)
            for clause in self._learned.get(-literal, ()):
                if any(one in self._true for one in clause.literals):
                    continue
                unassigned = [one for one in clause.literals if -one not in self._true]
                if not unassigned:
                    return clause
                if len(unassigned) == 1:
                    self._assign(unassigned[0], clause)
        return None

    def _put(self, requirements: tuple[Clause, ...]) -> None:
        """Do these next; but while what was asked for is being selected, only after all of that is."""
        if self._agenda is not None and self._agenda[0] is self._roots:
            clauses, at, rest = self._agenda
            self._agenda = (clauses, at, (requirements, 0, rest))
        else:
            self._agenda = (requirements, 0, self._agenda)

    def _back_to(self, level: int) -> None:
        if level < len(self._marks):
            length, self._agenda = self._marks[level]
            del self._marks[level:]
            for literal in self._trail[length:]:
                self._true.remove(literal)
                del self._level[abs(literal)], self._reason[abs(literal)]
            del self._trail[length:]
            self._done = length

    def _learn(self, conflict: Clause) -> None:
        """Analyse a violated clause, go back, and assert what follows."""
        top = max((self._level[abs(literal)] for literal in conflict.literals), default=0)
        if top == 0:
            raise NoSolution(self._core(conflict))
        self._back_to(top)  # a requirement is looked at late: it may have been hopeless since an earlier level
        pending: set[int] = set()
        kept: set[int] = set()
        parents = [conflict]
        literals = conflict.literals
        at = len(self._trail)
        while True:
            for literal in literals:
                number = abs(literal)
                if self._level[number] == top:
                    pending.add(number)
                elif self._level[number] > 0:
                    kept.add(literal)
                else:
                    parents.append(Clause((literal,), None, (self._why(number),)))
            while True:
                at -= 1
                if abs(self._trail[at]) in pending:
                    break
            asserted = self._trail[at]
            pending.discard(abs(asserted))
            if not pending:
                break
            reason = self._why(abs(asserted))
            parents.append(reason)
            literals = tuple(literal for literal in reason.literals if literal != asserted)
        clause = Clause((-asserted, *sorted(kept)), None, tuple(parents))
        self._back_to(max((self._level[abs(literal)] for literal in kept), default=0))
        for literal in clause.literals:
            self._learned.setdefault(literal, []).append(clause)
        self._assign(-asserted, clause)

    def _why(self, number: int) -> Clause:
        reason = self._reason[number]
        assert reason is not None, "only the first literal of a level is a decision, and it is never resolved away"
        return reason

    def _core(self, conflict: Clause) -> list[Clause]:
        """The given clauses that the contradiction follows from, in the order in which they are met going back from it."""
        core: list[Clause] = []
        seen: set[int] = set()
        numbers: set[int] = set()
        waiting = [conflict]
        while waiting:
            clause = waiting.pop(0)
            if id(clause) in seen:
                continue
            seen.add(id(clause))
            if clause.parents:
                waiting += clause.parents
            else:
                core.append(clause)
            for literal in clause.literals:
                number = abs(literal)
                if number not in numbers and self._level.get(number) == 0:
                    numbers.add(number)
                    waiting.append(self._why(number))
        return core
