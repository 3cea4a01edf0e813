"""Many small things in one file: a pack is written once, whole and durable, and found again by the names of what it holds.

What a name promises of its bytes is the matter of those who use it; here a callable says of bytes whether they are whole.
"""

from lockage.packs.pack import Pack, load, pack_name, rows
from lockage.packs.packs import Packs, Place

__all__ = ["Pack", "Packs", "Place", "load", "pack_name", "rows"]
