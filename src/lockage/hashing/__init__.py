"""One way to hash the bytes of many files: in processes of their own, for which no lock of an interpreter is in the way.

A file of a few KiB costs an interpreter more than it costs sha256, and threads of one interpreter wait for each other at every call of the
system. So many files are hashed by helpers (:mod:`.helper`), one for each core, while this process goes on finding the next ones.
A helper only reads. What it cannot read it says nothing of; who asked reads that himself and says what is wrong. So also if a helper ends.
"""

from lockage.hashing.files import Hashed, hashed, worthwhile

__all__ = ["Hashed", "hashed", "worthwhile"]
