"""What an adapter may raise, whatever it is made of: the callers' side of every port knows these and no others."""

from __future__ import annotations

from lockage.base.errors import Conflict, Drift, Integrity, NotPermitted, Unreachable, Usage

__all__ = [
    "BlobCorrupt",
    "BlobMissing",
    "FolderUnwritable",
    "ImageChanged",
    "ImageVanished",
    "InputChanged",
    "InputVanished",
    "KeyUnusable",
    "LedgerConflict",
    "MirrorUnconfigured",
    "ModeUnavailable",
    "NoUploadTimes",
    "PackageChanged",
    "PackageVanished",
    "RootDrift",
    "SandboxUnavailable",
    "ServiceUnreachable",
    "SourceUnusable",
    "StoreFormatUnknown",
    "StoreUnreadable",
    "StoreUnwritable",
    "TooManyCpus",
    "UntrustedRelease",
]


class BlobMissing(Integrity):
    """A blob that something refers to is not in the store."""

    code = "blob-missing"
    hint = "Build or fetch it again; if it belongs to a release, restore the store from a copy."


class BlobCorrupt(Integrity):
    """A kept blob's bytes do not have its digest; it was moved to quarantine."""

    code = "blob-corrupt"
    hint = "The damaged copy was set aside; run the command again to fetch or build it anew."

    def naming(self, what: str) -> BlobCorrupt:
        """The same error, saying what the bytes are of; the first to name them is believed."""
        return self if "what" in self.details else BlobCorrupt(f"{what}: {self.message}", hint=self.hint, what=what, **self.details)


class StoreUnwritable(NotPermitted):
    """The store cannot be written: a full disk, missing permission, or a read-only file system."""

    code = "store-unwritable"
    hint = "Free space or grant write permission to the folder named, or set LOCKAGE_HOME to another folder."


class StoreUnreadable(NotPermitted):
    """The store cannot be read: missing permission, a faulty disk, or a store made by a newer lockage."""

    code = "store-unreadable"
    hint = "Grant read permission to the folder named, check the disk, or use the lockage that made the store."


class StoreFormatUnknown(NotPermitted):
    """The store was made, or upgraded, by a newer lockage, or what says its format was damaged."""

    code = "store-format-unknown"
    hint = "Use the lockage that made the store, or a newer one; or set LOCKAGE_HOME to another folder."


class SourceUnusable(Usage):
    """The source cannot be read as a commit, an sdist or a directory."""

    code = "source-unusable"
    hint = "Give a git repository or URL, an sdist (.tar.gz or .zip), or a directory."


class MirrorUnconfigured(Usage):
    """No mirror or index is configured for what is needed."""

    code = "mirror-unconfigured"
    hint = "Set LOCKAGE_DEBIAN_MIRROR to the base address of a Debian mirror."


class NoUploadTimes(Usage):
    """Python packages of a date are asked for, but the index does not say when a file was uploaded (PEP 700, ``upload-time``)."""

    code = "no-upload-times"
    hint = "Lock without --as-of, or name an index that says when files were uploaded; pages of links, folders and HTML indexes do not."


class ServiceUnreachable(Unreachable):
    """A mirror or index did not answer, or answered with an error."""

    code = "service-unreachable"


class UntrustedRelease(Integrity):
    """A suite's signed Release file does not verify, is expired, or does not match the files it names."""

    code = "untrusted-release"
    hint = "Check the mirror and the machine's clock; a mirror that lags can be allowed with LOCKAGE_ALLOW_STALE_SUITES."


class PackageVanished(Drift):
    """A locked package is neither in the store nor on the mirror or index any more."""

    code = "package-vanished"
    hint = "Restore it from another store or a snapshot mirror, or accept newer packages with `lockage lock`."


class PackageChanged(Drift):
    """A package's bytes are not those that the lock pins."""

    code = "package-changed"


class ImageVanished(Drift):
    """A part of the image that an environment begins with is neither in the store nor where the image is had from."""

    code = "image-vanished"
    hint = (
        "Correct the place in `image` of the recipe, name a registry that has it in LOCKAGE_REGISTRIES, copy the blob from a store that "
        "has it, or name another image and accept it with `lockage lock`."
    )


class ImageChanged(Drift):
    """The bytes of a part of an image are not those that the recipe or the lock pins."""

    code = "image-changed"
    hint = (
        "Find out why the registry has other bytes under this digest; nothing of them was kept. Another registry may have the right ones."
    )


class InputVanished(Drift):
    """A fetch input is neither in the store nor at any of its addresses any more."""

    code = "input-vanished"
    hint = "Correct `url` in the recipe or add the address of a mirror; the sha256 says whether it is the same file."


class InputChanged(Drift):
    """A fetch input's bytes are not those that the recipe pins."""

    code = "input-changed"
    hint = "Find out why the file is another one; if it shall be, put its sha256 into the recipe."


class RootDrift(Drift):
    """A realised root is not the one that the lock pins."""

    code = "root-drift"


class SandboxUnavailable(NotPermitted):
    """The host does not let an ordinary user make the sandbox."""

    code = "sandbox-unavailable"
    hint = "Allow unprivileged user namespaces on this host (see docs/sandbox.md), or build on another one."


class ModeUnavailable(NotPermitted):
    """A step asks for a mode that this host or its environment cannot hold."""

    code = "mode-unavailable"
    hint = "Take the mode out of `modes` of the step, or build on a host that allows it (docs/what-can-differ.md#modes)."


class FolderUnwritable(NotPermitted):
    """A folder for results cannot be written, or holds what lockage did not put there."""

    code = "folder-unwritable"
    hint = (
        "Name another folder with `--out` (pull: `--into`): one that you may write, empty or of lockage's own making, on a disk with room."
    )


class TooManyCpus(NotPermitted):
    """A step declares more CPUs than this host lets us use."""

    code = "too-many-cpus"
    hint = "Declare fewer `cpus` for the step, or build on a larger host."


class LedgerConflict(Conflict):
    """The ledger has grown since it was read."""

    code = "ledger-conflict"
    retryable = True


class KeyUnusable(NotPermitted):
    """A signing key is missing, unreadable or open to others."""

    code = "key-unusable"
    hint = "Check the key folder that `lockage key list` names."
