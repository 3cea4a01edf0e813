"""Submodules: which there are, and a repository that has the commit of each.

Invariants: what is read is the commit that the superproject records, wherever it was found, so a wrong place can only lack it.
Nothing is checked out and no hook runs. A submodule's address may be one of this machine only if the superproject's is: a
stranger's `.gitmodules` must not bring private repositories of this machine into a build (compare CVE-2022-39253; the links in a
repository's own folder that it was about play no part, as objects come through `git fetch` and never by copying files).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import listed
from lockage.adapters.source_git.place import Place, folders, holds
from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.base.path import RelPath
from lockage.ports import ServiceUnreachable, SourceUnusable
from lockage.record.locator import Remote, joined_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lockage.adapters.source_git.objects import Entry

__all__ = ["Module", "find", "populated", "read_modules"]


class Module(msgspec.Struct, frozen=True):
    """A section of .gitmodules; ``url`` None if it has none."""

    name: str
    url: str | None


def read_modules(git: Git, at: Path, data: bytes) -> dict[RelPath, Module]:
    """The sections of a .gitmodules by path, as git reads them; raises :class:`SourceUnusable` if it cannot."""
    running = git.objects(at, ("config", "--file", "-", "-z", "--get-regexp", r"^submodule\..*\.(path|url)$"), data or b"\n")
    with ending(running):
        try:
            lines = running.output().decode(errors="replace").split("\0")[:-1]
        except GitFailed as error:
            if error.status == 1:
                return {}
            raise SourceUnusable(f".gitmodules cannot be read: {error.text}", file=".gitmodules") from error
    sections: dict[str, dict[str, str]] = {}
    for line in lines:
        key, _, value = line.partition("\n")
        name, _, last = key.removeprefix("submodule.").rpartition(".")
        sections.setdefault(name, {})[last] = value
    found: dict[RelPath, Module] = {}
    for name, section in sections.items():
        try:
            found[RelPath(section.get("path", "").rstrip("/"))] = Module(name, section.get("url"))
        except ValueError:
            continue  # it names no place in the tree, so it is no submodule's
    return found


def populated(git: Git, top: Path) -> dict[RelPath, Path]:
    """The submodules that have a working copy below this one, by path; never one that a link leads to."""
    file = top / ".gitmodules"
    if not file.is_file() or file.is_symlink():
        return {}
    modules = read_modules(git, top, file.read_bytes())
    return {path: top / path for path in modules if (top / path / ".git").exists() and (top / path).resolve() == top / path}


def find(
    git: Git, place: Place, modules: Mapping[RelPath, Module], links: Sequence[Entry], fetched: Callable[[Remote], Path]
) -> Iterator[tuple[Entry, Place]]:
    """Where the commit of every submodule is: fetched for a repository elsewhere, else looked for beside the superproject.

    ``links`` have whole paths of the repository. Raises :class:`SourceUnusable` with the path and commit of all that are not there.
    """
    unnamed = [str(place.shown(link.path)) for link in links if link.path not in modules]
    if unnamed:
        raise SourceUnusable(
            f"the commit has submodules that its .gitmodules does not name: {listed(unnamed)}",
            paths=tuple(unnamed),
            hint="Add them with `git submodule add URL PATH`, or take them out with `git rm --cached PATH`.",
        )
    missing: list[Entry] = []
    for link in links:
        module = modules[link.path]
        if place.remote is not None:
            yield link, _elsewhere(place, place.remote, module, link, fetched)
            continue
        found = next((one for one in _beside(git, place, module, link) if holds(git, one.at, link.oid)), None)
        if found is None:
            missing.append(link)
        else:
            yield link, found
    if missing:
        raise _missing(place, missing)


def _beside(git: Git, place: Place, module: Module, link: Entry) -> Iterator[Place]:
    """The submodule's repository in its working copy, then those that the superproject keeps in its own folder."""
    top = place.top / link.path if place.top is not None else None
    inside = place.shown(link.path)
    outermost, clone = place.outermost or inside, place.clone or place.top
    if top is not None and (top / ".git").exists():
        yield Place(at=top, top=top, inside=inside, outermost=outermost, clone=clone)
    if ".." in module.name.replace("\\", "/").split("/") or module.name.startswith("/"):
        return  # git refuses such names as well (CVE-2018-11235)
    for folder in folders(git, place.at):
        kept = folder / "modules" / module.name
        if (kept / "HEAD").is_file():
            yield Place(at=kept, top=top, inside=inside, outermost=outermost, clone=clone)


def _elsewhere(place: Place, base: Remote, module: Module, link: Entry, fetched: Callable[[Remote], Path]) -> Place:
    inside = place.shown(link.path)
    address = joined_address(base.address, module.url) if module.url else None
    if address is None:
        raise SourceUnusable(
            f"the submodule {inside} has no address that may be used: {_public(module.url)}",
            path=inside,
            commit=link.oid,
            hint="Its `url` in .gitmodules must be https, http, ssh or relative. Or build in a clone that has it.",
        )
    remote = Remote(address=address, revision=link.oid)
    try:
        at = fetched(remote)
    except SourceUnusable as error:
        raise SourceUnusable(f"the submodule {inside}: {error.message}", hint=error.hint, **error.details) from error
    except ServiceUnreachable as error:
        raise ServiceUnreachable(f"the submodule {inside}: {error.message}", hint=error.hint, **error.details) from error
    return Place(at=at, remote=remote, inside=inside, outermost=place.outermost or inside)


def _public(url: str | None) -> str:
    if url is None:
        return "it has none"
    return Remote(address=url, revision=None).public if "://" in url else url


def _missing(place: Place, missing: list[Entry]) -> SourceUnusable:
    shown = [f"{place.shown(link.path)} at {link.oid}" for link in missing]
    clone = place.clone or place.top
    if clone is None:
        hint = "A bare repository has no submodules: build in a clone made with `git clone --recurse-submodules`."
    else:
        first = place.outermost or missing[0].path
        paths = [first] if place.outermost else [link.path for link in missing]
        import shlex  # only on the way to an error

        update = shlex.join(["git", "-C", str(clone), "submodule", "update", "--init", "--recursive", *paths])
        hint = f"Run `{update}`; for a commit that is not checked out, `git -C {shlex.quote(str(clone / first))} fetch` first."
    return SourceUnusable(
        f"the commits of submodules are not in this clone: {listed(shown)}",
        paths=tuple(str(place.shown(link.path)) for link in missing),
        commits=tuple(link.oid for link in missing),
        hint=hint,
    )
