"""A requirements file with hashes, as pip's hash-checking mode demands and `pip-compile` and `uv export` write.

It says hashes but no file names; which wheel is meant, the index knows.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from lockage.environment.python_lock.pin import Conditions, Listed, Listing, digest_of, is_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.digest import Digest
    from lockage.environment.declaration import PythonLock
    from lockage.environment.python import PythonTarget

__all__ = ["read_requirements"]

#: Options that say where pip looks or what it may build: the machine's own settings say that here.
_PASSED_OVER = re.compile(
    r"--(?:index-url|extra-index-url|find-links|trusted-host|only-binary|prefer-binary|require-hashes|no-index)\b|-[if]\b"
)


def read_requirements(data: bytes, lock: PythonLock, target: PythonTarget) -> Listing:
    """Every requirement whose marker holds. Raises ValueError for a line that no pinned requirement can stand in."""
    conditions = Conditions(variables=target.markers())
    faults: list[str] = []
    packages: list[Listed] = []
    for number, line in _lines(data.decode()):
        if _PASSED_OVER.match(line):
            continue
        try:
            listed = _listed(line, lock, conditions)
        except ValueError as error:
            faults.append(f"line {number}: {error}")
        else:
            packages += [listed] if listed is not None else []
    if faults:
        raise ValueError("\n".join(faults))
    return Listing(packages=tuple(packages))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first: joined at backslashes, without comments (pip, "Requirements file format")."""
    start, waiting = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            waiting += line[:-1]
            continue
        whole = re.sub(r"(?:^|\s)#.*$", "", waiting + line).strip()
        if whole:
            yield start, whole
        start, waiting = 0, ""


def _listed(line: str, lock: PythonLock, conditions: Conditions) -> Listed | None:
    from packaging.requirements import InvalidRequirement, Requirement

    text, *options = re.split(r"\s+(?=--)", line)
    editable = re.match(r"(?:-e|--editable)[\s=]+(.*)", line)
    path = editable[1] if editable else text if re.match(r"\.{0,2}/|\.\.?$", text) else None
    if path is not None:
        return None if is_inside(lock.file.rpartition("/")[0], path) else Listed(name=path, fault="is a directory outside the source")
    if line.startswith("-"):
        raise ValueError(f"the option {line.split()[0]} cannot be followed; write one file with everything in it (pip-compile, uv export)")
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"not a requirement: {text[:80]!r}") from error
    if wanted.marker is not None and not conditions.holds(str(wanted.marker)):
        return None
    if wanted.url is not None:
        return Listed(name=wanted.name, fault="comes from an address, not from an index")
    versions = [clause.version for clause in wanted.specifier if clause.operator in ("==", "===") and "*" not in clause.version]
    hashes = _hashes(options)
    if len(versions) != 1:
        return Listed(name=wanted.name, fault="is not pinned to one version by ==")
    if not hashes:
        return Listed(name=wanted.name, version=versions[0], fault="has no sha256 hash (--hash=sha256:…)")
    return Listed(name=wanted.name, version=versions[0], hashes=hashes)


def _hashes(options: list[str]) -> tuple[Digest, ...]:
    found = []
    for option in options:
        name, _, value = " ".join(shlex.split(option)).partition("=")
        digest = digest_of(value.strip()) if name == "--hash" else None
        found += [digest] if digest is not None else []
    return tuple(found)
