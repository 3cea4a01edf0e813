"""The port Downloads, over the adapter against a server on the loopback, and over the memory fake."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.downloads_http import HttpDownloads, proxies_of
from lockage.adapters.memory.downloads import MemoryDownloads
from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import ExitCode
from lockage.base.name import FetchName
from lockage.base.path import RelPath
from lockage.ports import Blobs, Downloads, InputChanged, InputVanished, ServiceUnreachable, StoreUnwritable
from lockage.recipe.model import FetchInput

DATA = b"what the recipe pins\n" * 5000


@dataclass
class World:
    """A port over some addresses. ``serve`` puts bytes at one, ``break_down`` makes one not answer; ``asked`` counts requests."""

    downloads: Downloads
    blobs: Blobs
    base: str
    serve: Callable[[str, bytes], None]
    break_down: Callable[[str], None]
    asked: Callable[[], int]


class Server(ThreadingHTTPServer):
    """Plays files; ``faults`` are what to do first with the next requests for a path: a status, or how to send it badly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.base = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the play."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        faults = self.server.faults.get(self.path, [])
        fault = faults.pop(0) if faults else ""
        data = self.server.files.get(self.path)
        if fault.isdigit():
            self.answer(int(fault), b"sorry")
        elif fault.startswith("/") or "://" in fault:
            self.answer(302, b"", Location=fault)
        elif data is None:
            self.answer(404, b"nothing here")
        elif fault == "slow":
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:1000])
            self.wfile.flush()
            threading.Event().wait(1.5)
            self.close_connection = True
        elif fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:4000])
            self.close_connection = True
        elif "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                self.answer(416, b"")
            else:
                self.answer(206, data[start:])
        else:
            self.answer(200, data)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(params=["memory", "http"])
def world(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> World:
    if request.param == "memory":
        blobs = MemoryBlobs()
        fake = MemoryDownloads(blobs)
        base = "http://data.example"
        return World(
            fake,
            blobs,
            base,
            lambda path, data: fake.files.update({base + path: data}),
            lambda path: fake.down.add(base + path),
            lambda: len(fake.asked),
        )
    kept = LocalBlobs(tmp_path / "blobs")
    return World(
        HttpDownloads(kept, tmp_path / "cache", pause=lambda _: None),
        kept,
        server.base,
        lambda path, data: server.files.update({path: data}),
        lambda path: server.faults.update({path: ["503"] * 50}),
        lambda: len(server.asked),
    )


def wanted(*urls: str, data: bytes = DATA, limit: int = 1 << 20, name: str = "data") -> FetchInput:
    return FetchInput(name=FetchName(name), urls=urls, sha256=Digest.of(data), path=RelPath("data.bin"), limit=limit)


def test_what_is_fetched_is_kept_and_not_asked_for_again(world: World) -> None:
    world.serve("/a", DATA)
    assert world.downloads.fetch([wanted(f"{world.base}/a")]) == [BlobRef.of(DATA)]
    assert world.blobs.get(BlobRef.of(DATA)) == DATA
    before = world.asked()
    assert world.downloads.fetch([wanted(f"{world.base}/a")]) == [BlobRef.of(DATA)]
    assert world.asked() == before


def test_several_come_in_the_order_asked_for(world: World) -> None:
    files = [b"one", b"two", b"", b"four" * 9999, b"five"]
    for number, data in enumerate(files):
        world.serve(f"/{number}", data)
    inputs = [wanted(f"{world.base}/{number}", data=data, name=f"n{number}") for number, data in enumerate(files)]
    assert world.downloads.fetch(inputs) == [BlobRef.of(data) for data in files]


def test_other_bytes_are_named_with_both_digests_and_not_kept(world: World) -> None:
    world.serve("/a", b"a page that asks to log in")
    with pytest.raises(InputChanged) as caught:
        world.downloads.fetch([wanted(f"{world.base}/a")])
    assert caught.value.exit_code is ExitCode.DRIFT
    assert caught.value.details["expected"] == Digest.of(DATA)
    assert caught.value.details["found"] == Digest.of(b"a page that asks to log in")
    assert str(Digest.of(DATA)) in caught.value.message
    assert world.blobs.locate(Digest.of(b"a page that asks to log in")) is None


def test_nothing_there_is_another_error_than_no_answer(world: World) -> None:
    with pytest.raises(InputVanished, match="data"):
        world.downloads.fetch([wanted(f"{world.base}/a")])
    world.break_down("/b")
    with pytest.raises(ServiceUnreachable) as caught:
        world.downloads.fetch([wanted(f"{world.base}/b")])
    assert caught.value.exit_code is ExitCode.UNREACHABLE


def test_mirrors_are_asked_in_turn(world: World) -> None:
    world.break_down("/down")
    world.serve("/changed", b"other bytes")
    world.serve("/good", DATA)
    urls = [f"{world.base}/{name}" for name in ("down", "gone", "changed", "good")]
    assert world.downloads.fetch([wanted(*urls)]) == [BlobRef.of(DATA)]


def test_of_several_failures_the_changed_bytes_are_told(world: World) -> None:
    world.break_down("/down")
    world.serve("/changed", b"other bytes")
    with pytest.raises(InputChanged):
        world.downloads.fetch([wanted(*(f"{world.base}/{name}" for name in ("down", "gone", "changed")))])


def test_what_is_too_long_is_refused(world: World) -> None:
    world.serve("/a", DATA)
    with pytest.raises(InputChanged, match="more"):
        world.downloads.fetch([wanted(f"{world.base}/a", limit=100)])
    assert world.blobs.locate(Digest.of(DATA)) is None


# The adapter alone


@dataclass
class Client:
    """The adapter with a short patience; ``pauses`` are those it would have made."""

    folder: Path
    credentials: Path | None = None
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.blobs = LocalBlobs(self.folder / "blobs")
        self.cache = self.folder / "cache"

    def fetch(self, *inputs: FetchInput, **settings: object) -> list[BlobRef]:
        more = {"timeout": 0.5, "pause": self.pauses.append, "credentials": self.credentials, **settings}
        return HttpDownloads(self.blobs, self.cache, **more).fetch(inputs)  # type: ignore[arg-type]  # a test's settings


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def test_a_server_in_trouble_is_asked_again(server: Server, client: Client) -> None:
    server.files["/a"] = DATA
    server.faults["/a"] = ["500", "503", "429"]
    assert client.fetch(wanted(f"{server.base}/a")) == [BlobRef.of(DATA)]
    assert len(client.pauses) == 3


def test_a_slow_server_and_a_cut_connection_are_gone_on_with(server: Server, client: Client) -> None:
    server.files["/a"] = DATA
    server.faults["/a"] = ["slow", "cut"]
    assert client.fetch(wanted(f"{server.base}/a")) == [BlobRef.of(DATA)]
    assert [headers.get("range") for _, headers in server.asked] == [None, "bytes=1000-", "bytes=4000-"]


def test_the_next_run_goes_on_where_the_last_broke_off(server: Server, client: Client) -> None:
    server.files["/a"] = DATA
    server.faults["/a"] = ["cut", "503", "503", "503"]
    with pytest.raises(ServiceUnreachable):
        client.fetch(wanted(f"{server.base}/a"))
    (left,) = client.cache.iterdir()
    assert left.read_bytes() == DATA[:4000]
    assert client.fetch(wanted(f"{server.base}/a")) == [BlobRef.of(DATA)]
    assert server.asked[-1][1]["range"] == "bytes=4000-"
    assert list(client.cache.iterdir()) == []


@pytest.mark.parametrize("left", [b"the beginning of another file", DATA + b"more", b"x" * (len(DATA) + 1), DATA])
def test_a_beginning_that_does_not_fit_is_thrown_away(server: Server, client: Client, left: bytes) -> None:
    server.files["/a"] = DATA
    client.cache.mkdir()
    (client.cache / f"{Digest.of(DATA)}.partial").write_bytes(left)
    assert client.fetch(wanted(f"{server.base}/a")) == [BlobRef.of(DATA)]
    assert list(client.cache.iterdir()) == []
    assert bool(server.asked) is (left != DATA)


def test_what_a_killed_process_left_is_taken_over_what_a_living_one_writes_is_not(server: Server, client: Client) -> None:
    server.files["/a"] = DATA
    client.cache.mkdir()
    (client.cache / f"{Digest.of(DATA)}.{2**22 + 1}-0a").write_bytes(DATA[:7000])
    (client.cache / f"{Digest.of(DATA)}.1-0b").write_bytes(b"of process 1")
    assert client.fetch(wanted(f"{server.base}/a")) == [BlobRef.of(DATA)]
    assert server.asked[0][1]["range"] == "bytes=7000-"
    assert [path.read_bytes() for path in client.cache.iterdir()] == [b"of process 1"]


def test_redirects_are_followed(server: Server, client: Client) -> None:
    server.files["/c"] = DATA
    server.faults["/a"] = ["/b"]
    server.faults["/b"] = [f"{server.base}/c"]
    assert client.fetch(wanted(f"{server.base}/a")) == [BlobRef.of(DATA)]


def test_a_redirect_to_a_file_of_this_machine_is_refused(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    server.faults["/a"] = [(tmp_path / "secret").as_uri()]
    with pytest.raises(ServiceUnreachable, match="not http or https"):
        client.fetch(wanted(f"{server.base}/a"))


def test_files_of_this_machine(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(DATA)
    assert client.fetch(wanted((tmp_path / "a b").as_uri())) == [BlobRef.of(DATA)]
    with pytest.raises(InputVanished):
        client.fetch(wanted((tmp_path / "none").as_uri(), data=b"x"))


def test_netrc_is_for_its_host_alone_and_in_no_message(server: Server, client: Client, tmp_path: Path) -> None:
    server.files |= {"/a": DATA, "/b": b"b"}
    client.credentials = tmp_path / "netrc"
    client.credentials.write_text("machine 127.0.0.1 login me password s3cret@/\ndefault login any password other\n")
    client.fetch(wanted(f"{server.base}/a"))
    assert server.asked[-1][1]["authorization"] == "Basic bWU6czNjcmV0QC8="
    client.fetch(wanted(f"http://localhost:{server.server_port}/b", data=b"b"))
    assert "authorization" not in server.asked[-1][1]
    server.faults["/c"] = ["403"]
    for path, error in (("/c", ServiceUnreachable), ("/d", InputVanished), ("/a", InputChanged)):
        with pytest.raises(error) as caught:
            client.fetch(wanted(f"{server.base}{path}", data=b"c"))
        told = f"{caught.value.message}{caught.value.hint}{caught.value.details}"
        assert "s3cret" not in told
        assert "me:" not in told


def test_proxies_are_read_as_curl_does() -> None:
    assert proxies_of({}) == {"no": ""}
    assert proxies_of({"HTTP_PROXY": "http://of-a-request", "HTTPS_PROXY": "p:1", "NO_PROXY": "a"}) == {"https": "p:1", "no": "a"}
    assert proxies_of({"all_proxy": "p:2", "http_proxy": "p:3"}) == {"http": "p:3", "https": "p:2", "no": ""}


def test_a_proxy_is_asked_for_the_address(server: Server, client: Client) -> None:
    server.files["http://data.example/a"] = DATA
    assert client.fetch(wanted("http://data.example/a"), proxies={"http": server.base}) == [BlobRef.of(DATA)]


def test_a_cache_that_cannot_be_written_is_named(client: Client, server: Server) -> None:
    server.files["/a"] = DATA
    client.cache.write_bytes(b"a file stands here")
    with pytest.raises(StoreUnwritable, match="cache"):
        client.fetch(wanted(f"{server.base}/a"))
