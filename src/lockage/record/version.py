"""What a source says of its own version, and which of it counts.

Invariants: a version derived from a commit depends on the commit and the tags alone, never on how many objects a clone
happens to hold (object names are cut to a fixed length); a changed working copy never has the version of a tag.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Usage
from lockage.base.name import ProjectName, Version

if TYPE_CHECKING:
    from lockage.recipe.model import VersionFrom

__all__ = [
    "NoVersion",
    "VersionCandidates",
    "described_version",
    "metadata_fields",
    "pyproject_version",
    "sdist_stem",
    "tag_version",
    "unnamed_version",
]

#: Hex digits of a commit that go into a version.
_SHORT = 9
#: The tags that name a version, and their PEP 440 spelling; a leading ``v`` is customary. Compiled where there are tags.
_TAG = (
    r"[vV]?(?P<release>[0-9]+(?:\.[0-9]+)*)(?:[-_.]?(?P<kind>alpha|beta|a|b|c|rc|pre|preview)[-_.]?(?P<pre>[0-9]*))?"
    r"(?:[-_.]?post[-_.]?(?P<post>[0-9]*))?(?:[-_.]?dev[-_.]?(?P<dev>[0-9]*))?"
)
_KINDS = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_SDIST_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


class NoVersion(Usage):
    """The source has no version of the kind that its recipe asks for."""

    code = "no-version"
    hint = "Tag the commit (such as v1.2.3), state [project].version in pyproject.toml, or write a literal version in lockage.toml."


class VersionCandidates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The versions a source offers: of pyproject.toml, of an sdist's metadata or name, of a tag or the way from one, and a last resort."""

    pyproject: Version | None = None
    metadata: Version | None = None
    tag: Version | None = None
    fallback: Version | None = None

    def choose(self, rule: VersionFrom | None = None) -> Version:
        """The version that a recipe's rule asks for; without one, or for ``pyproject``, the first there is. Raises :class:`NoVersion`."""
        if rule is not None and rule.literal is not None:
            return Version(rule.literal)
        if rule is not None and rule.rule == "tag":
            if self.tag is None and self.metadata is None:
                raise NoVersion(
                    'the recipe says version = "tag", but no tag that names a version leads to this source', expected="a tag such as v1.2.3"
                )
            found = self.tag or self.metadata
        else:
            found = self.pyproject or self.metadata or self.tag or self.fallback
        if found is None:
            raise NoVersion("the source says its version neither in pyproject.toml nor in its metadata nor by a tag")
        return found


def _version(text: object) -> Version | None:
    try:
        return Version(text) if isinstance(text, str) else None
    except ValueError:
        return None


def pyproject_version(data: bytes | None) -> Version | None:
    """``[project].version`` of a pyproject.toml; None if there is none, it is dynamic, or the file cannot be read."""
    if data is None:
        return None
    import tomllib  # an sdist that is remembered needs none

    try:
        project = tomllib.loads(data.decode()).get("project")
    except (ValueError, RecursionError):
        return None  # building it will say what is wrong with it
    return _version(project.get("version")) if isinstance(project, dict) else None


def metadata_fields(data: bytes) -> tuple[ProjectName | None, Version | None]:
    """Name and version of a PKG-INFO (core metadata: RFC 822 headers)."""
    found: dict[str, str] = {}
    for line in data.decode(errors="replace").splitlines():
        if not line:
            break
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), value.strip())
    try:
        project = ProjectName.normalised(found.get("name", ""))
    except ValueError:
        project = None
    return project, _version(found.get("version"))


def sdist_stem(file: str) -> tuple[ProjectName | None, Version | None]:
    """Name and version of an sdist's file name, ``NAME-VERSION.tar.gz`` (PEP 625; older names may hold more dashes)."""
    for suffix in _SDIST_SUFFIXES:
        if file.lower().endswith(suffix):
            name, _, version = file[: -len(suffix)].rpartition("-")
            try:
                return ProjectName.normalised(name), _version(version)
            except ValueError:
                return None, None
    return None, None


def tag_version(tag: str) -> Version | None:
    """The version that a tag names, in PEP 440 spelling: ``v1.2.0-rc1`` is ``1.2.0rc1``. None if it names none."""
    found = re.fullmatch(_TAG, tag)
    return None if found is None else _version(_spelled(found))


def _spelled(tag: re.Match[str]) -> str:
    pre = "" if tag["kind"] is None else f"{_KINDS.get(tag['kind'], tag['kind'])}{int(tag['pre'] or 0)}"
    post = "" if tag["post"] is None else f".post{int(tag['post'] or 0)}"
    dev = "" if tag["dev"] is None else f".dev{int(tag['dev'] or 0)}"
    return f"{tag['release']}{pre}{post}{dev}"


def described_version(tag: str, distance: int, commit: str, *, dirty: bool = False) -> Version | None:
    """The version of a commit ``distance`` commits after a tag: the tag's, or the next one's development version.

    The rule is setuptools-scm's default: ``1.2.3`` and four commits more is ``1.2.4.dev4+gCOMMIT``.
    """
    found = re.fullmatch(_TAG, tag)
    if found is None:
        return None
    if distance == 0 and not dirty:
        return _version(_spelled(found))
    base = re.sub(r"\.dev[0-9]+$", "", _spelled(found))
    if found["dev"] is None:
        base = re.sub(r"[0-9]+$", lambda last: str(int(last[0]) + 1), base)
    return _version(f"{base}.dev{distance}+g{commit[:_SHORT]}{'.dirty' if dirty else ''}")


def unnamed_version(commit: str, *, dirty: bool = False) -> Version:
    """The version of a commit that no tag leads to."""
    return Version(f"0+g{commit[:_SHORT]}{'.dirty' if dirty else ''}")
