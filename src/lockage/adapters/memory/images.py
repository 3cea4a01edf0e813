"""Tiny images made of a few files, for tests: real layers and documents, the same bytes every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.memory.packages import make_tar
from lockage.base.canonical import canonical
from lockage.base.digest import BlobRef, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.adapters.memory.packages import TarNode
    from lockage.base.canonical import Json

__all__ = ["MadeImage", "elf", "make_image"]

_OCI = "application/vnd.oci.image"
#: e_machine of ELF headers, by architecture.
_MACHINES = {"amd64": 62, "arm64": 183}


class MadeImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image: its ``manifest``, an ``index`` that names it, and the bytes of all that it consists of."""

    manifest: BlobRef
    index: BlobRef
    config: BlobRef
    layers: tuple[BlobRef, ...]
    blobs: dict[Digest, bytes]


def make_image(
    layers: Iterable[Sequence[TarNode]],
    *,
    variables: Iterable[str] = ("PATH=/usr/bin:/bin",),
    architecture: str = "amd64",
    compression: str = "gz",
    layer_type: str = f"{_OCI}.layer.v1.tar+gzip",
    docker: bool = False,
    settings: Mapping[str, Json] | None = None,
    more: Mapping[str, Json] | None = None,
) -> MadeImage:
    """An image of these layers, the lowest first; ``docker``: with the media types of Docker's schema 2.

    ``settings`` are more of how a container is started, ``more`` is what the configuration says besides, or otherwise.
    """
    blobs: dict[Digest, bytes] = {}

    def kept(data: bytes) -> BlobRef:
        ref = BlobRef.of(data)
        blobs[ref.digest] = data
        return ref

    def described(ref: BlobRef, media_type: str) -> dict[str, Json]:
        return {"mediaType": media_type, "digest": f"sha256:{ref.digest}", "size": ref.size}

    listed = list(layers)
    refs = tuple(kept(make_tar(nodes, compression)) for nodes in listed)
    diff_ids: list[Json] = [f"sha256:{Digest.of(make_tar(nodes))}" for nodes in listed]
    started: dict[str, Json] = {"Env": list(variables), "Entrypoint": ["/bin/sh"], "WorkingDir": "/io", **(settings or {})}
    rootfs: dict[str, Json] = {"type": "layers", "diff_ids": diff_ids}
    config = kept(canonical({"architecture": architecture, "os": "linux", "config": started, "rootfs": rootfs, **(more or {})}))
    manifest_type = "application/vnd.docker.distribution.manifest.v2+json" if docker else f"{_OCI}.manifest.v1+json"
    manifest: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": described(config, "application/vnd.docker.container.image.v1+json" if docker else f"{_OCI}.config.v1+json"),
        "layers": [described(ref, "application/vnd.docker.image.rootfs.diff.tar.gzip" if docker else layer_type) for ref in refs],
    }
    top = kept(canonical(manifest))
    other = BlobRef.of(b"an image for another platform")
    index: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json" if docker else f"{_OCI}.index.v1+json",
        "manifests": [
            {**described(other, manifest_type), "platform": {"os": "linux", "architecture": "s390x"}},
            {**described(top, manifest_type), "platform": {"os": "linux", "architecture": architecture}},
        ],
    }
    return MadeImage(manifest=top, index=kept(canonical(index)), config=config, layers=refs, blobs=blobs)


def elf(architecture: str = "amd64", rest: bytes = b"") -> bytes:
    """The head of a program for an architecture, and more bytes."""
    return b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\2\0" + _MACHINES[architecture].to_bytes(2, "little") + rest
