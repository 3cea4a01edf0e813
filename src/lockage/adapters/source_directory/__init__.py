"""Plain directories as sources; what has not changed since it was read is not read again."""

from lockage.adapters.source_directory.index import DIRECTORY_MEMO
from lockage.adapters.source_directory.reader import IGNORED, DirectorySource

__all__ = ["DIRECTORY_MEMO", "IGNORED", "DirectorySource"]
