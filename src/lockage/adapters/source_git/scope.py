"""Which part of a repository a source is: a directory, or as much more as the recipe in it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.path import RelPath
from lockage.ports import SourceUnusable
from lockage.recipe.layout import PLAIN, climb, read_layout

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["Scope", "file_at"]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """``tree`` is the directory whose files are the source, ``home`` the one that holds the recipe (None: the repository's top).

    ``shared`` is a file of environments outside of ``tree``.
    """

    tree: RelPath | None = None
    home: RelPath | None = None
    shared: RelPath | None = None
    tag_prefix: str = ""

    @property
    def paths(self) -> tuple[RelPath | None, ...]:
        """Where a change is a change of the source."""
        return (self.tree,) if self.shared is None else (self.tree, self.shared)

    @property
    def besides(self) -> bool:
        """Whether more than the recipe's directory is read."""
        return self.tree != self.home or self.shared is not None

    @property
    def inside(self) -> RelPath | None:
        """Where in the tree the recipe is; None at its top."""
        if self.home is None or self.tree == self.home:
            return None
        return type(self.home)(self.home[len(self.tree) + 1 :] if self.tree else self.home)

    def at(self, file: str) -> str:
        """The path of a file beside the recipe, from the repository's top."""
        return f"{self.home}/{file}" if self.home else file

    def below(self, file: str) -> str:
        """The same from the top of the tree."""
        return f"{self.inside}/{file}" if self.inside else file

    def widened(self, recipe: bytes | None) -> Scope:
        """The scope that a recipe asks for; raises :class:`SourceUnusable` if it leads out of the repository."""
        layout = read_layout(recipe)
        if layout is PLAIN:
            return self
        tree = self._climbed("root", "/".join([".."] * layout.root)) if layout.root else self.home
        shared = self._climbed("shares", layout.shares) if layout.shares else None
        if shared is not None and (tree is None or shared.is_under(tree)):
            shared = None  # it is among the files of the source
        return Scope(tree=tree, home=self.home, shared=shared, tag_prefix=layout.tag_prefix)

    def _climbed(self, key: str, path: str) -> RelPath | None:
        try:
            return climb(self.home, path)
        except ValueError as error:
            file = self.at("lockage.toml")
            raise SourceUnusable(
                f"{file}: project.{key}: {error}", file=file, key=f"project.{key}", hint="Name a place inside the repository."
            ) from error

    def checked(self, shared: bytes | None) -> bytes | None:
        """The shared file's bytes; raises :class:`SourceUnusable` if it should be there and is not."""
        if self.shared is not None and shared is None:
            file = self.at("lockage.toml")
            raise SourceUnusable(
                f"{file}: project.shares: the source's repository has no file {self.shared}",
                file=file,
                key="project.shares",
                path=self.shared,
                hint="Commit the file, or correct the path: it counts from the recipe's directory.",
            )
        return shared


def file_at(top: Path, path: str) -> bytes | None:
    """A regular file of a working copy as it is now; None if there is none, or a link leads there."""
    file = top / path
    try:
        return file.read_bytes() if file.is_file() and file.resolve() == file else None
    except OSError:
        return None
