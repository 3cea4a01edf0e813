"""Python packages from the machine's own index: resolved by uv, fetched and checked here."""

from lockage.adapters.python_index.index import UvIndex
from lockage.adapters.python_index.settings import IndexSettings, discover_index

__all__ = ["IndexSettings", "UvIndex", "discover_index"]
