"""Lock files of other tools (uv, Poetry, PDM, pylock.toml, requirements with hashes), whose pins are taken over instead of resolved again.

Pure: bytes and a target in, pins out. What cannot be taken over is said of all packages at once.
"""

from lockage.environment.python_lock.choice import pins_of
from lockage.environment.python_lock.errors import InvalidPythonLock, UnusablePins
from lockage.environment.python_lock.kind import LockKind, kind_of
from lockage.environment.python_lock.offer import offer_of
from lockage.environment.python_lock.pin import Pin

__all__ = ["InvalidPythonLock", "LockKind", "Pin", "UnusablePins", "kind_of", "offer_of", "pins_of"]
