"""Forms of what an environment asks for: Debian dependency terms and Python requirements. Whether they exist is found when locking."""

from __future__ import annotations

import re

__all__ = ["debian_term", "python_requirement"]

#: Debian Policy 5.6.1 (names), 7.1 (relations), 5.6.12 (versions).
_DEBIAN = re.compile(
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:/[A-Za-z0-9][A-Za-z0-9.-]*)?(?: ?\( ?(?:<<|<=|=|>=|>>) ?[0-9A-Za-z][0-9A-Za-z.+~:-]* ?\))?"
)
_VERSION = r"[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc|\.post|\.dev)[0-9]+)*"
_CLAUSE = rf"(?:(?:==|!=) ?{_VERSION}(?:\.\*)?|(?:>=|<=|<|>) ?{_VERSION}|~= ?[0-9]+\.{_VERSION})"
#: The plain majority of PEP 508 requirements; anything else is judged by the reference implementation.
_PLAIN = re.compile(
    rf"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9-]+(?:, ?[A-Za-z0-9-]+)*\])? ?(?:{_CLAUSE}(?: ?, ?{_CLAUSE})*)?"
)


def debian_term(text: str) -> str:
    """A package or alternatives, perhaps of some versions: ``gcc``, ``foo-dev (>= 1.2) | bar-dev``, ``gcc/trixie``. Raises ValueError."""
    if not all(_DEBIAN.fullmatch(term) for term in re.split(r" ?\| ?", text)):
        raise ValueError(f'not a Debian package or dependency such as "gcc" or "libfoo-dev (>= 1.2)": {text[:80]!r}')
    return text


def python_requirement(text: str) -> str:
    """A PEP 508 requirement without an address. Raises ValueError."""
    if _PLAIN.fullmatch(text):
        return text
    from packaging.requirements import InvalidRequirement, Requirement  # slow to import, and rarely needed

    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"not a Python requirement (PEP 508): {text[:80]!r}") from error
    if found.url:
        raise ValueError(f"a requirement by address cannot be locked: {text[:80]!r}; name the package and its version")
    return text
