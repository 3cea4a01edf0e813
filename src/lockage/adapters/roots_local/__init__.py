"""Roots in a folder of this machine, unpacked from kept packages."""

from lockage.adapters.roots_local.copy import copy_root, remove_root
from lockage.adapters.roots_local.roots import LocalRoots

__all__ = ["LocalRoots", "copy_root", "remove_root"]
