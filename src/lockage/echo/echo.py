"""What is kept of a build with nothing to do, and whether it still holds."""

from __future__ import annotations

import os

from lockage.echo.fields import packed, sha256, unpacked
from lockage.echo.kept import as_they_were, holds_files, settled_folder, there, unchanged
from lockage.echo.memo_file import place_of, value_in
from lockage.echo.source import looking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ECHO_MEMO", "FORMAT_FILE", "Echo", "recalled"]

#: The meaning of an echo; to be raised when a build looks at more than an echo holds.
ECHO_MEMO = "echo-3"
#: The file that says a store's format.
FORMAT_FILE = "format"


class Echo:
    """What a build with nothing to do printed on standard error and output, and what it looked at.

    ``actions`` are kept results, ``blobs`` what they and the artifacts refer to with ``facts`` of their files, ``present`` what need only
    be there: each names of 32 bytes and sizes as numbers, of those that are files. ``packs`` are the paths of files that hold others of
    them, packed, each with three numbers: its size, time of change and inode.
    ``files`` are digests by path; ``out`` is the folder of the artifacts.
    """

    def __init__(
        self,
        *,
        errors: str,
        output: str,
        locator: str,
        source: bytes,
        store_format: bytes,
        out: str,
        files: tuple[tuple[str, bytes], ...],
        actions: tuple[bytes, bytes],
        blobs: tuple[bytes, bytes],
        facts: bytes,
        present: tuple[bytes, bytes],
        packs: tuple[bytes, bytes],
    ) -> None:
        self.errors, self.output, self.locator, self.source, self.store_format = errors, output, locator, source, store_format
        self.out, self.files, self.actions, self.blobs, self.facts, self.present = out, files, actions, blobs, facts, present
        self.packs = packs

    def encoded(self) -> bytes:
        """It as bytes."""
        texts = (self.errors, self.output)
        files = [part for path, digest in self.files for part in (os.fsencode(path), digest)]
        return packed(
            [
                *(text.encode("utf-8", "surrogateescape") for text in texts),
                os.fsencode(self.locator),
                self.source,
                self.store_format,
                os.fsencode(self.out),
                packed(files),
                *self.actions,
                *self.blobs,
                self.facts,
                *self.present,
                *self.packs,
            ]
        )

    @classmethod
    def decoded(cls, data: bytes) -> Echo:
        """Read :meth:`encoded`; raises ValueError for anything else."""
        errors, output, locator, source, store_format, out, files, *rest = unpacked(data)
        action_names, action_sizes, names, sizes, facts, present_names, present_sizes, packs, pack_facts = rest
        parts = unpacked(files)
        return cls(
            errors=errors.decode("utf-8", "surrogateescape"),
            output=output.decode("utf-8", "surrogateescape"),
            locator=os.fsdecode(locator),
            source=source,
            store_format=store_format,
            out=os.fsdecode(out),
            files=tuple(zip(map(os.fsdecode, parts[::2]), parts[1::2], strict=True)),
            actions=(action_names, action_sizes),
            blobs=(names, sizes),
            facts=facts,
            present=(present_names, present_sizes),
            packs=(packs, pack_facts),
        )

    def holds(self, store: str, here: str, environ: Mapping[str, str]) -> bool:
        """Whether everything that the build looked at is as it was. Raises OSError and ValueError, which mean no."""
        look = looking(self.locator, here, environ)
        if look is None:
            return False
        try:
            return self._holds(store) and look.ended() == self.source  # git compares while the store is looked at
        finally:
            look.stop()

    def _holds(self, store: str) -> bool:
        objects = f"{store}/blobs/sha256"
        return (
            format_of(store) == self.store_format
            and settled_folder(self.out)
            and holds_files(self.files)
            and as_they_were(store, *self.packs)
            and there(f"{store}/actions", *self.actions, sized=False)
            and unchanged(objects, *self.blobs, self.facts)
            and there(objects, *self.present, sized=True)
        )


def format_of(store: str) -> bytes:
    """What a store says of its format; nothing if it does not."""
    try:
        with open(f"{store}/{FORMAT_FILE}", "rb") as file:  # noqa: PTH123 (pathlib is not imported here)
            return file.read()
    except FileNotFoundError:
        return b""


def recalled(store: str, key: bytes) -> Echo | None:
    """What is kept under a key; None if nothing that can be read. Raises OSError, ValueError."""
    name = sha256(key).hex()
    with open(f"{store}/memo/{place_of(ECHO_MEMO, name)}", "rb") as file:  # noqa: PTH123
        value = value_in(file.read(), name)
    return None if value is None else Echo.decoded(value)
