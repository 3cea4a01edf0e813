"""A root as an OCI image: its layers as tar archives, and the documents that make an image of them (OCI image-spec 1.1)."""

from lockage.environment.image.changes import changes
from lockage.environment.image.document import (
    Descriptor,
    History,
    InvalidLayout,
    Layer,
    attached_documents,
    image_documents,
    index_bytes,
    index_with,
)
from lockage.environment.image.layer import layer_gzip, layer_tar
from lockage.environment.image.settings import BASE_DIGEST, BASE_NAME, ImageConfig, Settings, on_base

__all__ = [
    "BASE_DIGEST",
    "BASE_NAME",
    "Descriptor",
    "History",
    "ImageConfig",
    "InvalidLayout",
    "Layer",
    "Settings",
    "attached_documents",
    "changes",
    "image_documents",
    "index_bytes",
    "index_with",
    "layer_gzip",
    "layer_tar",
    "on_base",
]
