"""Commits as sources, read from git's objects; a working copy is only ever compared, never read, unless it has changes."""

from lockage.adapters.source_git.reader import OBJECTS_MEMO, TREE_MEMO, GitSource

__all__ = ["OBJECTS_MEMO", "TREE_MEMO", "GitSource"]
