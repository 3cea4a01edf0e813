"""The contract of ports.images.BaseImages, over every adapter: a registry over HTTP, layouts as folders and archives, and the fake."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from lockage.adapters.image_folder import FolderImages
from lockage.adapters.image_registry import RegistryImages, discover_registries
from lockage.adapters.image_router import ImageRouter
from lockage.adapters.memory.base_images import MemoryBaseImages
from lockage.adapters.memory.images import make_image
from lockage.adapters.memory.packages import TarNode
from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.ports import ImageChanged, ImageVanished, ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.ports.images import BaseImages

IMAGE = make_image([[TarNode(name="a", data=b"1" * 5000)], [TarNode(name="b", data=b"2")]])
LIMIT = 1 << 20
#: Of a layout that has the image under a tag, and another one.
INDEX = json.dumps(
    {
        "manifests": [
            {
                "digest": f"sha256:{IMAGE.index.digest}",
                "size": IMAGE.index.size,
                "annotations": {"org.opencontainers.image.ref.name": "one"},
            },
            {"digest": f"sha256:{IMAGE.manifest.digest}", "size": IMAGE.manifest.size},
        ]
    }
).encode()


class Registry(ThreadingHTTPServer):
    """The part of distribution-spec that a pull needs. ``wants`` is how who asks must say who it is; all requests are kept."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.blobs = dict(IMAGE.blobs)
        self.wants = ""
        self.moved: dict[str, str] = {}
        self.cut = 0
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.tokens = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error of the server."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry
    documents: ClassVar = {IMAGE.manifest.digest, IMAGE.index.digest}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        if self.path.startswith("/token"):
            self._token()
            return
        if self.path in self.server.moved:
            self._say(307, b"", header=("Location", self.server.moved[self.path]))
            return
        if not self.path.startswith("/cdn/") and not self._known():
            return
        path = self.path.replace("/manifests/one", f"/manifests/sha256:{IMAGE.index.digest}")
        kind, _, digest = path.removeprefix("/v2/team/base/").partition("/sha256:")
        data = self.server.blobs.get(Digest(digest)) if len(digest) == 64 else None
        if data is None or (kind == "manifests") != (digest in self.documents and not self.path.startswith("/cdn/")):
            self._say(404, b"{}")
            return
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if self.server.cut and len(data) > self.server.cut > begin:
            self._say(206 if begin else 200, data[begin : self.server.cut], length=len(data) - begin)
            self.close_connection = True
            self.server.cut = 0
            return
        self._say(206 if begin else 200, data[begin:])

    def _known(self) -> bool:
        said = self.headers.get("Authorization", "")
        if not self.server.wants:
            return True
        if self.server.wants == "basic":
            if said == f"Basic {base64.b64encode(b'alice:se:cret').decode()}":
                return True
            self._say(401, b"", header=("WWW-Authenticate", 'Basic realm="here"'))
            return False
        if said == f"Bearer t{self.server.tokens}" and self.server.tokens:
            return True
        realm = f'Bearer realm="http://{self.server.host}/token",service="here",scope="repository:team/base:pull"'
        self._say(401, b"", header=("WWW-Authenticate", realm))
        return False

    def _token(self) -> None:
        if self.headers.get("Authorization") != f"Basic {base64.b64encode(b'alice:se:cret').decode()}":
            self._say(401, b"", header=("WWW-Authenticate", "Basic"))
            return
        if not self.server.tokens:
            self.server.tokens = 1
        self._say(200, json.dumps({"token": f"t{self.server.tokens}"}).encode())

    def _say(self, status: int, body: bytes, *, length: int | None = None, header: tuple[str, str] | None = None) -> None:
        self.send_response(status)
        if header is not None:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Bench:
    """A place that has the image, or all but some of it, and the store that it is brought into."""

    def __init__(self, images: BaseImages, blobs: MemoryBlobs, place: str, have: dict[Digest, bytes]) -> None:
        self.images = images
        self.blobs = blobs
        self.place = place
        self.have = have


def pull(blobs: MemoryBlobs, folder: Path, *, setting: str = "", login: tuple[str, str] | None = None) -> RegistryImages:
    """Registries with a login for all."""
    return RegistryImages(
        blobs, folder / "cache", addresses=discover_registries(setting), login=lambda *_: login, pause=lambda _: None, timeout=10
    )


class _Files(dict[Digest, bytes]):
    """The blobs of a layout; what is changed here is changed there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder / "blobs/sha256"
        self._folder.mkdir(parents=True)
        for digest, data in IMAGE.blobs.items():
            self[digest] = data
        (folder / "index.json").write_bytes(INDEX)

    def __setitem__(self, digest: Digest, data: bytes) -> None:
        (self._folder / digest).write_bytes(data)

    def __delitem__(self, digest: Digest) -> None:
        (self._folder / digest).unlink()


class _Archive(dict[Digest, bytes]):
    """The blobs of an archive of a layout, written anew with every change."""

    def __init__(self, file: Path) -> None:
        super().__init__(IMAGE.blobs)
        self._file = file
        self._write()

    def __setitem__(self, digest: Digest, data: bytes) -> None:
        super().__setitem__(digest, data)
        self._write()

    def __delitem__(self, digest: Digest) -> None:
        super().__delitem__(digest)
        self._write()

    def _write(self) -> None:
        with tarfile.open(self._file, "w") as archive:
            for name, data in (("index.json", INDEX), *((f"blobs/sha256/{digest}", data) for digest, data in self.items())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


@pytest.fixture(params=["memory", "folder", "archive", "registry", "routed"])
def bench(request: pytest.FixtureRequest, registry: Registry, tmp_path: Path) -> Bench:
    blobs = MemoryBlobs()
    if request.param == "memory":
        images = MemoryBaseImages(blobs)
        have = images.places["registry.example.org/team/base"] = dict(IMAGE.blobs)
        images.tags["registry.example.org/team/base", "one"] = IMAGE.index.digest
        return Bench(images, blobs, "registry.example.org/team/base", have)
    if request.param == "registry":
        return Bench(pull(blobs, tmp_path), blobs, f"{registry.host}/team/base", registry.blobs)
    folders = FolderImages(blobs, tmp_path)
    if request.param == "archive":
        return Bench(folders, blobs, "oci:base.tar", _Archive(tmp_path / "base.tar"))
    routed = ImageRouter(registries=lambda: pytest.fail("a layout is no registry"), layouts=lambda: folders)
    return Bench(folders if request.param == "folder" else routed, blobs, "oci:base", _Files(tmp_path / "base"))


# Every adapter


def test_documents_are_had_by_their_digest(bench: Bench) -> None:
    for ref in (IMAGE.index, IMAGE.manifest):
        assert bench.images.document(bench.place, ref.digest, limit=LIMIT) == IMAGE.blobs[ref.digest]
    assert not bench.blobs.has(IMAGE.manifest)


def test_every_part_is_kept_manifests_too(bench: Bench) -> None:
    parts = (IMAGE.config, *IMAGE.layers, IMAGE.manifest, IMAGE.index)
    bench.images.fetch(bench.place, parts)
    assert [bench.blobs.get(ref) for ref in parts] == [IMAGE.blobs[ref.digest] for ref in parts]


def test_what_is_kept_is_not_asked_for(bench: Bench) -> None:
    bench.images.fetch(bench.place, IMAGE.layers)
    for ref in IMAGE.layers:
        del bench.have[ref.digest]
    bench.images.fetch(bench.place, IMAGE.layers)


def test_what_is_not_there_has_vanished(bench: Bench) -> None:
    del bench.have[IMAGE.layers[0].digest]
    with pytest.raises(ImageVanished) as caught:
        bench.images.fetch(bench.place, IMAGE.layers)
    assert caught.value.details["expected"] == f"sha256:{IMAGE.layers[0].digest}"
    with pytest.raises(ImageVanished):
        bench.images.document(bench.place, Digest.of(b"none"), limit=LIMIT)


@pytest.mark.parametrize("other", [b"2" * 4999, b"", b"x" * 9000])
def test_other_bytes_are_refused_and_not_kept(bench: Bench, other: bytes) -> None:
    bench.have[IMAGE.layers[0].digest] = other
    with pytest.raises(ImageChanged) as caught:
        bench.images.fetch(bench.place, IMAGE.layers[:1])
    assert caught.value.details["expected"] == f"sha256:{IMAGE.layers[0].digest}"
    assert not bench.blobs.has(IMAGE.layers[0])
    assert bench.blobs.locate(Digest.of(other)) is None


def test_a_tag_names_a_document(bench: Bench) -> None:
    assert Digest.of(bench.images.tagged(bench.place, "one", limit=LIMIT)) == IMAGE.index.digest
    with pytest.raises(ImageVanished):
        bench.images.tagged(bench.place, "two", limit=LIMIT)


def test_a_document_is_as_long_as_is_allowed(bench: Bench) -> None:
    with pytest.raises(ImageChanged):
        bench.images.document(bench.place, IMAGE.manifest.digest, limit=IMAGE.manifest.size - 1)


# Registries


def test_a_password_is_sent_when_it_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    registry.wants = "basic"
    blobs = MemoryBlobs()
    pull(blobs, tmp_path, login=("alice", "se:cret")).fetch(f"{registry.host}/team/base", IMAGE.layers)
    assert all(blobs.has(ref) for ref in IMAGE.layers)
    assert "Authorization" not in registry.requests[0][1]


def test_a_token_is_had_with_the_password_and_used_for_all_parts(registry: Registry, tmp_path: Path) -> None:
    registry.wants = "bearer"
    images = pull(MemoryBlobs(), tmp_path, login=("alice", "se:cret"))
    images.document(f"{registry.host}/team/base", IMAGE.manifest.digest, limit=LIMIT)
    images.fetch(f"{registry.host}/team/base", (IMAGE.config, *IMAGE.layers))
    asked = [path for path, _ in registry.requests if path.startswith("/token")]
    assert asked == ["/token?service=here&scope=repository%3Ateam%2Fbase%3Apull"]
    assert {headers.get("Authorization") for path, headers in registry.requests if path.startswith("/v2/")} == {None, "Bearer t1"}


def test_a_token_that_does_not_count_any_more_is_renewed(registry: Registry, tmp_path: Path) -> None:
    registry.wants = "bearer"
    images = pull(MemoryBlobs(), tmp_path, login=("alice", "se:cret"))
    images.document(f"{registry.host}/team/base", IMAGE.manifest.digest, limit=LIMIT)
    registry.tokens = 2
    assert images.document(f"{registry.host}/team/base", IMAGE.index.digest, limit=LIMIT)


@pytest.mark.parametrize("wants", ["basic", "bearer"])
@pytest.mark.parametrize("login", [None, ("alice", "another-secret")])
def test_a_registry_that_refuses_is_named_and_the_password_is_not(
    registry: Registry, tmp_path: Path, wants: str, login: tuple[str, str] | None
) -> None:
    registry.wants = wants
    with pytest.raises(ServiceUnreachable, match="401") as caught:
        pull(MemoryBlobs(), tmp_path, login=login).document(f"{registry.host}/team/base", IMAGE.manifest.digest, limit=LIMIT)
    assert registry.host in caught.value.message
    assert "another-secret" not in f"{caught.value} {caught.value.hint} {caught.value.details}"
    assert "credentials" in caught.value.hint
    assert len(registry.requests) <= 4


def test_a_redirect_does_not_carry_what_was_said_to_the_registry(registry: Registry, tmp_path: Path) -> None:
    registry.wants = "basic"
    layer = IMAGE.layers[0]
    registry.moved[f"/v2/team/base/blobs/sha256:{layer.digest}"] = (
        f"http://localhost:{registry.server_address[1]}/cdn/sha256:{layer.digest}"
    )
    images = pull(MemoryBlobs(), tmp_path, login=("alice", "se:cret"))
    images.document(f"{registry.host}/team/base", IMAGE.manifest.digest, limit=LIMIT)
    images.fetch(f"{registry.host}/team/base", [layer])
    (elsewhere,) = (headers for path, headers in registry.requests if path.startswith("/cdn/"))
    assert "Authorization" not in elsewhere


def test_what_was_broken_off_is_gone_on_with(registry: Registry, tmp_path: Path) -> None:
    layer = max(IMAGE.layers, key=lambda ref: ref.size)
    registry.cut = 20
    blobs = MemoryBlobs()
    pull(blobs, tmp_path).fetch(f"{registry.host}/team/base", [layer])
    assert blobs.has(layer)
    assert [headers.get("Range") for _, headers in registry.requests] == [None, "bytes=20-"]


def test_the_next_command_goes_on_where_one_was_broken_off(registry: Registry, tmp_path: Path) -> None:
    layer = max(IMAGE.layers, key=lambda ref: ref.size)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{layer.digest}.partial").write_bytes(IMAGE.blobs[layer.digest][:30])
    blobs = MemoryBlobs()
    pull(blobs, tmp_path).fetch(f"{registry.host}/team/base", [layer])
    assert blobs.has(layer)
    assert [headers.get("Range") for _, headers in registry.requests] == ["bytes=30-"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_was_left_of_something_else_is_fetched_anew(registry: Registry, tmp_path: Path) -> None:
    layer = max(IMAGE.layers, key=lambda ref: ref.size)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{layer.digest}.partial").write_bytes(b"x" * 30)
    blobs = MemoryBlobs()
    pull(blobs, tmp_path).fetch(f"{registry.host}/team/base", [layer])
    assert blobs.has(layer)


def test_mirrors_stand_for_a_registry_in_their_order(registry: Registry, tmp_path: Path) -> None:
    with Registry() as empty:
        empty.blobs = {}
        thread = threading.Thread(target=empty.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        images = pull(
            MemoryBlobs(),
            tmp_path,
            setting=f"registry.example.org=http://{empty.host}/proxy registry.example.org=http://{registry.host}/team",
        )
        try:
            assert images.document("registry.example.org/base", IMAGE.manifest.digest, limit=LIMIT)
        finally:
            empty.shutdown()
            thread.join()
        assert [path for path, _ in empty.requests] == [f"/v2/proxy/base/manifests/sha256:{IMAGE.manifest.digest}"]


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnreachable) as caught:
        pull(MemoryBlobs(), tmp_path).document("127.0.0.1:1/base", IMAGE.manifest.digest, limit=LIMIT)
    assert "LOCKAGE_REGISTRIES" in caught.value.hint


def test_what_is_no_layout(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no archive")
    images = FolderImages(MemoryBlobs(), tmp_path)
    with pytest.raises(ImageVanished, match="neither an image layout nor a tar archive"):
        images.fetch("oci:file", [BlobRef.of(b"x")])
    with pytest.raises(ImageVanished, match="there is no such layout"):
        images.fetch("oci:none", [BlobRef.of(b"x")])
