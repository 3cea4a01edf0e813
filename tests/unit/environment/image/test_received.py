"""Images as they were received: layers, history and settings; and what is no base for another image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.images import MadeImage, make_image
from lockage.adapters.memory.packages import TarNode, make_tar
from lockage.base.digest import Digest
from lockage.environment.image import History
from lockage.environment.image.errors import InvalidImage
from lockage.environment.image.received import ReceivedImage, ReceivedLayer, check_archives, received_image

if TYPE_CHECKING:
    from lockage.base.canonical import Json

LAYERS = ([TarNode(name="a", data=b"1")], [TarNode(name="b", data=b"2")])
DIFF_IDS = tuple(Digest.of(make_tar(nodes)) for nodes in LAYERS)


def read(made: MadeImage) -> ReceivedImage:
    return received_image(made.blobs[made.manifest.digest], made.blobs[made.config.digest], "image x")


def test_layers_are_named_as_they_were_received() -> None:
    made = make_image(LAYERS)
    found = read(made)
    assert tuple(layer.blob for layer in found.layers) == made.layers
    assert tuple(layer.diff_id for layer in found.layers) == DIFF_IDS
    assert {layer.media_type for layer in found.layers} == {"application/vnd.oci.image.layer.v1.tar+gzip"}
    assert all(layer.of_base for layer in found.layers)


def test_annotations_and_other_formats_are_kept() -> None:
    made = make_image(LAYERS, layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    manifest = json.loads(made.blobs[made.manifest.digest])
    manifest["layers"][1]["annotations"] = {"toc": "x"}
    found = received_image(json.dumps(manifest).encode(), made.blobs[made.config.digest], "image x")
    assert [layer.media_type for layer in found.layers] == ["application/vnd.oci.image.layer.v1.tar+zstd"] * 2
    assert [layer.annotations for layer in found.layers] == [{}, {"toc": "x"}]


def test_the_formats_of_docker_are_called_what_they_are_called_in_oci() -> None:
    found = read(make_image(LAYERS, docker=True))
    assert {layer.media_type for layer in found.layers} == {"application/vnd.oci.image.layer.v1.tar+gzip"}


def test_a_history_is_kept_where_it_tells_of_every_layer() -> None:
    history: Json = [{"created": "2026-01-02T03:04:05Z", "created_by": "a"}, {"created_by": "env", "empty_layer": True}, {"comment": "b"}]
    assert read(make_image(LAYERS, more={"history": history})).history == (
        History(created="2026-01-02T03:04:05Z", created_by="a"),
        History(created_by="env", empty_layer=True),
        History(comment="b"),
    )


@pytest.mark.parametrize("history", [None, [], [{"comment": "a"}], [{"comment": "a"}] * 3])
def test_a_history_of_other_layers_is_not_taken_for_theirs(history: Json) -> None:
    found = read(make_image(LAYERS, more={"history": history}))
    assert found.history == (History.of("image x, layer 1"), History.of("image x, layer 2"))


@pytest.mark.parametrize("diff_ids", [[], [f"sha256:{DIFF_IDS[0]}"], ["sha256:x", "sha256:y"], ["md5:1", "md5:2"]])
def test_a_configuration_that_does_not_name_the_layers_archives_is_refused(diff_ids: list[str]) -> None:
    made = make_image(LAYERS, more={"rootfs": {"type": "layers", "diff_ids": diff_ids}})
    with pytest.raises(InvalidImage) as caught:
        read(made)
    assert "--flat" in caught.value.hint
    assert received_image(None, made.blobs[made.config.digest], "image x").settings.entrypoint == ("/bin/sh",)


def test_an_archive_other_than_the_configurations_is_refused() -> None:
    image = read(make_image(LAYERS))
    layers = tuple(ReceivedLayer(diff_id=diff_id, members=()) for diff_id in DIFF_IDS)
    check_archives(image, layers)
    with pytest.raises(InvalidImage, match="layer 2 of the image") as caught:
        check_archives(image, (layers[0], layers[0]))
    assert caught.value.details["found"] == f"sha256:{DIFF_IDS[0]}"
    assert "--flat" in caught.value.hint
