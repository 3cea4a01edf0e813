"""Layers and documents of images: read back by other readers, and the same whatever does not count."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.image import ImageConfig, InvalidLayout, Layer, image_documents, index_with, layer_gzip, layer_tar
from lockage.environment.root import Entry, Kind

CONTENTS = {
    "usr/bin/tool": b"#!/bin/sh\n",
    "usr/share/long/" + "n" * 120: b"a long name",
    "usr/share/F\u0151.txt": b"not ASCII",
    "usr/share/empty": b"",
}


def file(path: str, mode: int = 0o644, source: str = "") -> Entry:
    ref = BlobRef.of(CONTENTS[path])
    return Entry(path=RelPath(path), kind=Kind.FILE, mode=mode, gid=8, size=ref.size, sha256=ref.digest, source=source)


ENTRIES = [
    Entry(path=RelPath("usr"), kind=Kind.DIRECTORY, mode=0o755),
    Entry(path=RelPath("tmp"), kind=Kind.DIRECTORY, mode=0o1777),
    Entry(path=RelPath("bin"), kind=Kind.LINK, mode=0o777, target="usr/bin"),
    Entry(path=RelPath("usr/far"), kind=Kind.LINK, mode=0o777, target="x" * 150),
    *(file(path, 0o755 if path.startswith("usr/bin") else 0o644) for path in CONTENTS),
]


def read(entry: Entry) -> bytes:
    return CONTENTS[entry.path]


def archive(entries: list[Entry]) -> bytes:
    return b"".join(layer_tar(entries, read))


def test_a_layer_holds_its_entries_as_another_reader_reads_them() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(ENTRIES))) as tar:
        found = {member.name: member for member in tar}
        assert list(found) == sorted(found, key=str.encode)
        assert set(found) == {entry.path for entry in ENTRIES}
        assert {member.mtime for member in tar} == {315532800}
        for entry in ENTRIES:
            member = found[entry.path]
            assert (member.mode, member.uid, member.gid, member.uname) == (entry.mode, entry.uid, entry.gid, "")
            if entry.kind is Kind.FILE:
                extracted = tar.extractfile(member)
                assert extracted is not None
                assert extracted.read() == CONTENTS[entry.path]
            elif entry.kind is Kind.LINK:
                assert (member.issym(), member.linkname) == (True, entry.target)
            else:
                assert member.isdir()


def test_names_of_one_file_are_hard_links_to_the_first() -> None:
    twins = [file("usr/share/empty", source="1"), file("usr/bin/tool", source="2")]
    other = Entry(path=RelPath("usr/bin/also"), kind=Kind.FILE, mode=0o755, size=10, sha256=twins[1].sha256, source="2")
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer_tar([*twins, other], lambda _: b"#!/bin/sh\n"[: _.size])))) as tar:
        assert [(member.name, member.islnk(), member.linkname) for member in tar] == [
            ("usr/bin/also", False, ""),
            ("usr/bin/tool", True, "usr/bin/also"),
            ("usr/share/empty", False, ""),
        ]


def test_the_order_of_entries_does_not_count() -> None:
    assert archive(ENTRIES) == archive(ENTRIES[::-1])


@pytest.mark.parametrize("size", [0, 1, 1000, 9 << 20])
def test_a_packed_layer_unpacks_to_the_same_however_it_came(size: int) -> None:
    data = bytes(range(251)) * (size // 251) + bytes(size % 251)
    whole = b"".join(layer_gzip([data] if data else []))
    pieces = b"".join(layer_gzip(data[at : at + 65521] for at in range(0, len(data), 65521)))
    assert whole == pieces
    assert (gzip.decompress(whole) if whole else b"") == data


LAYER = Layer(blob=BlobRef.of(b"packed"), diff_id=Digest.of(b"plain"), comment="debian:bookworm: 3 packages")


def test_the_documents_of_an_image() -> None:
    config = ImageConfig(architecture="amd64", variables={"PATH": "/bin", "A": "1"}, entrypoint=("shop",), user="1000", labels={"b": "2"})
    document, manifest, descriptor = image_documents(config, [LAYER], "shop")
    assert json.loads(document) == {
        "architecture": "amd64",
        "os": "linux",
        "created": "1980-01-01T00:00:00Z",
        "config": {"Env": ["A=1", "PATH=/bin"], "Entrypoint": ["shop"], "User": "1000", "Labels": {"b": "2"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{Digest.of(b'plain')}"]},
        "history": [{"created": "1980-01-01T00:00:00Z", "comment": "debian:bookworm: 3 packages"}],
    }
    read_back = json.loads(manifest)
    assert read_back["schemaVersion"] == 2
    assert read_back["mediaType"] == descriptor.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert read_back["config"] == {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": f"sha256:{Digest.of(document)}",
        "size": len(document),
    }
    assert read_back["layers"] == [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": f"sha256:{Digest.of(b'packed')}", "size": 6}
    ]
    assert (descriptor.ref, descriptor.tag) == (BlobRef.of(manifest), "shop")


def test_an_image_takes_the_place_of_the_one_of_its_tag() -> None:
    def image(tag: str | None, **labels: str):  # type: ignore[no-untyped-def]  # a descriptor
        return image_documents(ImageConfig(architecture="amd64", labels=labels), [LAYER], tag)[2]

    index = None
    for one in (image("a"), image("b"), image(None), image(None), image("a", new="1")):
        index = index_with(index, one)
    assert index is not None
    tags = [(one.get("annotations") or {}).get("org.opencontainers.image.ref.name") for one in json.loads(index)["manifests"]]
    assert tags == ["b", None, "a"]
    assert json.loads(index)["manifests"][2]["digest"] == image("a", new="1").digest


@pytest.mark.parametrize("data", [b"", b"[]", b'{"manifests": 1}'])
def test_an_index_that_cannot_be_read_is_left_alone(data: bytes) -> None:
    with pytest.raises(InvalidLayout):
        index_with(data, image_documents(ImageConfig(architecture="amd64"), [LAYER], None)[2])
