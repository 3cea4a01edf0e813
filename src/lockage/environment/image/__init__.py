"""A root as an OCI image: its layers as tar archives, and the documents that make an image of them (OCI image-spec 1.1)."""

from lockage.environment.image.document import (
    Descriptor,
    ImageConfig,
    InvalidLayout,
    Layer,
    attached_documents,
    image_documents,
    index_bytes,
    index_with,
)
from lockage.environment.image.layer import layer_gzip, layer_tar

__all__ = [
    "Descriptor",
    "ImageConfig",
    "InvalidLayout",
    "Layer",
    "attached_documents",
    "image_documents",
    "index_bytes",
    "index_with",
    "layer_gzip",
    "layer_tar",
]
