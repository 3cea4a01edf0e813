"""The smallest set of axes that makes something differ: QuickXplain (Junker, AAAI 2004) over rebuilds.

Invariant: the result makes it differ and no proper subset of it does, as long as more axes never hide a difference. Two
axes that only together make a difference are found as well as one that does alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["smallest"]


def smallest(differs: Callable[[frozenset[str]], bool], axes: Sequence[str], *, suspects: Sequence[str] = ()) -> tuple[str, ...] | None:
    """The axes, in the order given, that together make it differ; empty if it differs by itself, None if it does not differ at all.

    ``suspects`` are tried one by one first: a suspicion that holds saves the search. ``differs`` is asked at most about
    2k·log2(n/k) + 2k + 2 times for a result of k among n axes, and never twice about one set.
    """
    known: dict[frozenset[str], bool] = {}

    def asked(chosen: frozenset[str]) -> bool:
        if chosen not in known:
            known[chosen] = differs(chosen)
        return known[chosen]

    if not asked(frozenset(axes)):
        return None
    if asked(frozenset()):
        return ()
    for suspect in suspects:
        if suspect in axes and asked(frozenset((suspect,))):
            return (suspect,)
    found = _needed(asked, frozenset(), tuple(axes), changed=False)
    return tuple(axis for axis in axes if axis in found)


def _needed(asked: Callable[[frozenset[str]], bool], fixed: frozenset[str], axes: tuple[str, ...], *, changed: bool) -> frozenset[str]:
    """What of ``axes`` is needed beside ``fixed``; ``changed`` says that ``fixed`` has grown since it was last asked about."""
    if changed and asked(fixed):
        return frozenset()
    if len(axes) == 1:
        return frozenset(axes)
    half = len(axes) // 2
    first, second = axes[:half], axes[half:]
    of_second = _needed(asked, fixed | frozenset(first), second, changed=True)
    of_first = _needed(asked, fixed | of_second, first, changed=bool(of_second))
    return of_first | of_second
