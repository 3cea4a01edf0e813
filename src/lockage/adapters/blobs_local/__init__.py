"""Blobs as files in a folder."""

from lockage.adapters.blobs_local.blobs import LocalBlobs

__all__ = ["LocalBlobs"]
