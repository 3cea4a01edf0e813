"""What is wrong with an artifact that claims to be an archive.

Two kinds: an archive that no two readers need agree about is an error; one that is well formed but uses something a pass
does not handle (:class:`Unhandled`, which never leaves this room) is kept as it is and its report says why.
"""

from __future__ import annotations

from lockage.base.errors import Integrity, StepFailed

__all__ = ["ArchiveTooLarge", "CompressorDiffers", "EncryptedArchive", "MalformedArchive", "Unhandled", "UnsafeArchive"]


class MalformedArchive(StepFailed):
    """A file's name claims an archive, but its bytes are not one that every reader would read alike."""

    code = "malformed-archive"
    hint = "Write the file with a tool that makes correct archives, or give it a name that does not claim to be one."


class UnsafeArchive(StepFailed):
    """An archive has a member that would be written outside the folder it is unpacked into."""

    code = "unsafe-archive"
    hint = "Leave absolute paths, drive letters, `..` and members below a symbolic link out of the archive."


class EncryptedArchive(StepFailed):
    """An archive has encrypted members; encryption is salted and never gives the same bytes twice."""

    code = "encrypted-archive"
    hint = "Deliver the archive without a password, and encrypt it after the release."


class ArchiveTooLarge(StepFailed):
    """An archive unpacks to more than one artifact may."""

    code = "archive-too-large"
    hint = "Split the artifact; if it unpacks to far more than it should hold, look for a decompression bomb."


class CompressorDiffers(Integrity):
    """The installed compressor is not the pinned one, or does not give the bytes that the pinned one gives."""

    code = "compressor-differs"
    hint = "Install the exact version of the package named that lockage requires, from its published wheel (docs/adr/0002-compressor.md)."


class Unhandled(Exception):
    """A well-formed archive with a feature that the passes do not handle; its text is the reason. Caught within this room."""
