"""The documents of images that others made: which are read, and what is said of those that are not."""

import json
from typing import Any

import pytest

from lockage.adapters.memory.images import make_image
from lockage.base.errors import LockageError
from lockage.environment.image.errors import InvalidImage, UnsupportedImage
from lockage.environment.image.reading import chosen_manifest, image_facts, is_index, manifest_parts

DIGEST = f"sha256:{'0' * 64}"
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 2}


def encoded(**document: Any) -> bytes:  # Any: whatever somebody's registry says
    return json.dumps({"schemaVersion": 2, **document}).encode()


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_is_found_in_its_index_by_platform(docker: bool) -> None:
    image = make_image([[], []], docker=docker, variables=["PATH=/bin", "A=1=2", "A=3", "odd", "=x"])
    index, manifest = image.blobs[image.index.digest], image.blobs[image.manifest.digest]
    assert (is_index(index), is_index(manifest)) == (True, False)
    assert chosen_manifest(index, "amd64") == image.manifest
    assert manifest_parts(manifest) == (image.config, image.layers)
    assert image_facts(image.blobs[image.config.digest], "amd64").variables == {"PATH": "/bin", "A": "3"}


def test_a_document_without_a_media_type_is_known_by_what_it_has() -> None:
    assert is_index(encoded(manifests=[]))
    assert not is_index(encoded(config=CONFIG, layers=[]))


def test_an_image_for_another_platform_is_refused_with_what_there_is() -> None:
    image = make_image([[]])
    with pytest.raises(UnsupportedImage, match="not for linux/arm64; it is for linux/amd64, linux/s390x"):
        chosen_manifest(image.blobs[image.index.digest], "arm64")
    with pytest.raises(UnsupportedImage, match="for linux/amd64, not for linux/arm64"):
        image_facts(image.blobs[image.config.digest], "arm64")


def parts(document: bytes) -> None:
    assert not is_index(document)
    manifest_parts(document)


@pytest.mark.parametrize(
    ("document", "kind", "said"),
    [
        (b"{", InvalidImage, "cannot be read"),
        (b"[]", InvalidImage, "cannot be read"),
        (b'{"schemaVersion": 1}', UnsupportedImage, "schema 1"),
        (encoded(mediaType="application/vnd.oci.artifact.manifest.v1+json"), UnsupportedImage, "which is not read"),
        (
            encoded(config={**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}, layers=[LAYER]),
            UnsupportedImage,
            "not an image",
        ),
        (encoded(config=CONFIG, layers=[]), UnsupportedImage, "has 0 layers"),
        (encoded(config=CONFIG, layers=[{**LAYER, "digest": "sha512:00"}]), UnsupportedImage, "only sha256 is known"),
        (encoded(config=CONFIG, layers=[{**LAYER, "digest": "sha256:00"}]), InvalidImage, "no digest"),
        (encoded(config={**CONFIG, "size": 1 << 40}, layers=[LAYER]), InvalidImage, "at most"),
        (
            encoded(config=CONFIG, layers=[{**LAYER, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}]),
            UnsupportedImage,
            "foreign layer",
        ),
        (
            encoded(config=CONFIG, layers=[{**LAYER, "mediaType": "application/vnd.oci.image.layer.v1.tar+encrypted"}]),
            UnsupportedImage,
            "format that is not read",
        ),
    ],
)
def test_documents_named_by_their_defect(document: bytes, kind: type[LockageError], said: str) -> None:
    with pytest.raises(kind, match=said):
        parts(document)
