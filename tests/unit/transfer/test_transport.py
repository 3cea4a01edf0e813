"""Against a server on the loopback that plays a script of answers."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lockage.ports import ServiceUnreachable
from lockage.transfer import Transport
from lockage.transfer.connection import Connections, Failed

BODY = b"0123456789" * 1000


class Server(ThreadingHTTPServer):
    """``script`` holds what to do with the next requests, ``asked`` what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.connections: set[object] = set()
        self.uri = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the play."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        self.server.connections.add(self.client_address)
        what = self.server.script.pop(0) if self.server.script else "whole"
        if "/" in what:
            self.answer(302, b"", Location=what)
        elif what.isdigit():
            self.answer(int(what), b"sorry")
        elif what == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:4000])
            self.close_connection = True
        elif "Range" in self.headers and what == "whole":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.answer(206, BODY[start:])
        else:
            self.answer(200, BODY)

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


class Client:
    """A transport that notes its pauses instead of waiting."""

    def __init__(self, **proxies: str) -> None:
        self.pauses: list[float] = []
        self.transport = Transport(proxies=proxies, pause=self.pauses.append, timeout=5)

    def get(self, url: str, *, limit: int = len(BODY)) -> bytes | None:
        sink = io.BytesIO()
        return sink.getvalue() if self.transport.fetch(url, sink, limit=limit) else None


@pytest.fixture
def client() -> Iterator[Client]:
    found = Client()
    yield found
    found.transport.close()


def test_connections_are_kept_open(server: Server, client: Client) -> None:
    assert [client.get(f"{server.uri}/{name}") for name in "abc"] == [BODY] * 3
    assert len(server.connections) == 1


def test_what_is_not_there_is_no_error(server: Server, client: Client) -> None:
    server.script = ["404", "410"]
    assert client.get(f"{server.uri}/a") is None
    assert client.get(f"{server.uri}/a") is None


def test_a_server_in_trouble_is_asked_again(server: Server, client: Client) -> None:
    server.script = ["503", "500", "429"]
    assert client.get(f"{server.uri}/a") == BODY
    assert client.pauses == [0.5, 1.0, 2.0]


def test_after_the_last_attempt_the_address_and_the_setting_are_named(server: Server, client: Client) -> None:
    server.script = ["503"] * 4
    with pytest.raises(ServiceUnreachable, match="503") as caught:
        client.get(f"{server.uri}/a")
    assert "LOCKAGE_DEBIAN_MIRROR" in caught.value.hint
    assert caught.value.details["url"] == f"{server.uri}/a"
    assert len(server.asked) == 4


def test_a_refusal_is_not_asked_again(server: Server, client: Client) -> None:
    server.script = ["403"]
    with pytest.raises(ServiceUnreachable, match="403"):
        client.get(f"{server.uri}/a")
    assert len(server.asked) == 1


def test_a_download_that_was_cut_is_resumed(server: Server, client: Client) -> None:
    server.script = ["cut"]
    assert client.get(f"{server.uri}/a") == BODY
    assert server.asked[1][1]["range"] == "bytes=4000-"


def test_a_server_that_cannot_resume_sends_all_again(server: Server, client: Client) -> None:
    server.script = ["cut", "from the beginning"]
    assert client.get(f"{server.uri}/a") == BODY


def test_no_more_is_read_than_shows_that_it_is_too_long(server: Server, client: Client) -> None:
    found = client.get(f"{server.uri}/a", limit=100)
    assert found == BODY[:101]


def test_redirects_are_followed_but_not_for_ever_nor_to_files(server: Server, client: Client) -> None:
    server.script = ["/b", f"{server.uri}/c"]
    assert client.get(f"{server.uri}/a") == BODY
    assert [path for path, _ in server.asked] == ["/a", "/b", "/c"]
    server.script = ["/b"] * 20
    with pytest.raises(ServiceUnreachable, match="redirects"):
        client.get(f"{server.uri}/a")
    server.script = ["file:///etc/passwd"]
    with pytest.raises(ServiceUnreachable):
        client.get(f"{server.uri}/a")


def test_a_password_is_sent_to_its_host_and_never_shown(server: Server, client: Client) -> None:
    address = server.uri.replace("//", "//me:secret@")
    server.script = ["/b", "403"]
    with pytest.raises(ServiceUnreachable) as caught:
        client.get(f"{address}/a")
    assert "secret" not in str(caught.value)
    assert "authorization" in server.asked[0][1]
    assert server.asked[0][1]["authorization"] == "Basic bWU6c2VjcmV0"


def test_a_proxy_is_asked_for_the_whole_address(server: Server) -> None:
    client = Client(http=server.uri.replace("//", "//me:secret@"), no="direct.invalid, .local")
    assert client.get("http://mirror.invalid/a") == BODY
    client.transport.close()
    path, headers = server.asked[0]
    assert (path, headers["host"], headers["proxy-authorization"]) == ("http://mirror.invalid/a", "mirror.invalid", "Basic bWU6c2VjcmV0")


@pytest.mark.parametrize("no", ["127.0.0.1", "x, 127.0.0.1", "*", ".0.0.1"])
def test_hosts_that_are_to_be_asked_directly(server: Server, no: str) -> None:
    client = Client(http="http://127.0.0.1:9", no=no)
    assert client.get(f"{server.uri}/a") == BODY
    client.transport.close()


def test_nobody_answers(client: Client) -> None:
    with pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:9/a cannot be fetched"):
        client.get("http://127.0.0.1:9/a")
    assert len(client.pauses) == 3


def test_a_stopped_transport_gives_up_soon(server: Server, client: Client) -> None:
    client.transport.stop()
    with pytest.raises(ServiceUnreachable, match="interrupted"):
        client.get(f"{server.uri}/a")
    assert client.pauses == []


def test_a_redirect_to_the_same_host_keeps_the_password_another_host_does_not_get_it(server: Server, client: Client) -> None:
    address = server.uri.replace("//", "//me:secret@")
    server.script = [f"{server.uri}/b", f"http://localhost:{server.server_port}/c"]
    assert client.get(f"{address}/a") == BODY
    assert ["authorization" in headers for _, headers in server.asked] == [True, True, False]


def test_a_redirect_with_letters_that_an_address_cannot_hold_is_followed(server: Server, client: Client) -> None:
    server.script = ["/b c/\u00e9"]
    assert client.get(f"{server.uri}/a") == BODY
    assert server.asked[1][0] == "/b%20c/%E9"


def test_a_redirect_that_is_no_address_is_a_failure(server: Server, client: Client) -> None:
    server.script = ["http://[/b"]
    with pytest.raises(ServiceUnreachable, match="no address"):
        client.get(f"{server.uri}/a")
    assert len(server.asked) == 1


def test_https_does_not_lead_to_http_where_that_is_not_wanted() -> None:
    strict = Connections(proxies={}, ca_file=None, timeout=1)
    strict.downgrade = False
    with pytest.raises(Failed, match="from https to http"):
        strict._redirected("https://a.example/x", "http://a.example/x")
    assert strict._redirected("http://a.example/x", "https://a.example/y") == "https://a.example/y"
    lenient = Connections(proxies={}, ca_file=None, timeout=1)
    assert lenient._redirected("https://a.example/x", "http://a.example/x") == "http://a.example/x"


def test_files_are_copied_up_to_the_limit(tmp_path: Path, client: Client) -> None:
    (tmp_path / "a b").write_bytes(BODY)
    address = (tmp_path / "a b").as_uri()
    assert client.get(address) == BODY
    assert client.get(address, limit=100) == BODY[:101]
    assert client.get((tmp_path / "none").as_uri()) is None
    with pytest.raises(ServiceUnreachable, match="cannot be read"):
        client.get(tmp_path.as_uri())
