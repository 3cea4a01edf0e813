"""A helper process: reads names, hashes the files, says what it found. Run as a script without site packages; imports nothing of lockage.

``python -I -S hasher.py TOP STORE``: names are relative to the folder TOP; STORE, unless empty, has blobs as ``ab/cdef…``. Each request
is its length (4 bytes) and names with a zero byte between them. Each answer is, for all files of one request, in their order: their
digests (32 bytes each), their sizes (8 bytes each), and a byte each of :data:`UNREAD`, :data:`READ` or :data:`PRESENT`: STORE has a file of
that name and size. Integers are little-endian. The end of its input ends it.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256  # noqa: TID251  # the imports of lockage.base.digest take longer than thousands of files
from struct import pack

__all__ = ["PRESENT", "READ", "UNREAD", "answer", "main"]

UNREAD, READ, PRESENT = 0, 1, 2
#: Read at once; small enough to stay near the processor until it is hashed.
_BUFFER = 1 << 18
_NOTHING = bytes(32)


def answer(names: list[bytes], store: int, buffer: memoryview) -> bytes:
    """What is found of these files. ``store`` is a descriptor of the folder of blobs, negative if there is none."""
    digests: list[bytes] = []
    sizes: list[int] = []
    states = bytearray()
    into, most = [buffer], len(buffer)
    opened, read, close, stat, flags = os.open, os.readv, os.close, os.stat, os.O_RDONLY | os.O_CLOEXEC
    for name in names:
        state = READ
        try:
            file = opened(name, flags)
            try:
                size = got = read(file, into)
                hasher = sha256(buffer[:got])
                while got and (got := read(file, into)):  # fewer bytes than were asked for need not be the last
                    hasher.update(buffer[:got] if got < most else buffer)
                    size += got
            finally:
                close(file)
            digest = hasher.digest()
            if store >= 0:
                text = digest.hex()
                try:
                    if stat(f"{text[:2]}/{text[2:]}", dir_fd=store).st_size == size:  # thousands of times
                        state = PRESENT
                except OSError:
                    pass
        except OSError:
            digest, size, state = _NOTHING, 0, UNREAD
        digests.append(digest)
        sizes.append(size)
        states.append(state)
    return b"".join((*digests, pack(f"<{len(sizes)}q", *sizes), states))


def main(top: bytes, store: bytes) -> None:
    """Answer until there is no more to be asked. Raises OSError."""
    objects = os.open(store, os.O_RDONLY | os.O_DIRECTORY) if store else -1
    os.chdir(top)
    buffer = memoryview(bytearray(_BUFFER))
    with open(0, "rb") as asked, open(1, "wb", buffering=0) as told:
        while length := asked.read(4):
            found = memoryview(answer(asked.read(int.from_bytes(length, "little")).split(b"\0"), objects, buffer))
            while found:
                found = found[told.write(found) :]


if __name__ == "__main__":
    try:
        main(*map(os.fsencode, sys.argv[1:3]))
    except OSError:
        sys.exit(1)  # whoever asked is gone, or sees that the answers end and reads the files itself
