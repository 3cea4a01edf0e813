"""Roots in a folder of this machine, unpacked from kept packages."""

from lockage.adapters.roots_local.roots import LocalRoots

__all__ = ["LocalRoots"]
