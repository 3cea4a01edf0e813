"""The server of services, spoken to over this machine's loopback: what HTTP allows a client, and what it does not."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.sandbox_bwrap.services.answering import Desk
from lockage.adapters.sandbox_bwrap.services.standing import Standing, _served
from lockage.recipe.service import Matching
from lockage.replay import Exchange, Recording, Replay, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = os.urandom(3 << 20)


def exchange(method: str, target: str, response: Response, body: bytes = b"") -> Exchange:
    return Exchange(place=f"{method} {target}", request=Request.of(method, target, body=body), response=response)


EXCHANGES = (
    exchange(
        "GET", "/a", Response(status=200, reason="Fine", headers=(("X", "ü"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")), body=b"text")
    ),
    exchange("HEAD", "/a", Response(status=200, body=b"text")),
    exchange("GET", "/big", Response(status=200, body=BIG)),
    exchange("POST", "/big", Response(status=204, body=b"never sent"), BIG),
    exchange("PROPFIND", "/a", Response(status=207)),
    exchange("GET", "/none", Response(status=304, headers=(("ETag", "1"),))),
)


class Server:
    def __init__(self, desk: Desk, port: int) -> None:
        self.desk = desk
        self.port = port

    def client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            found = b""
            while piece := connection.recv(1 << 16):
                found += piece
        return found


@contextlib.contextmanager
def serving(*exchanges: Exchange, repeat: bool = True) -> Iterator[Server]:
    desk = Desk("shop", Replay(Recording(exchanges=exchanges or EXCHANGES), Matching(repeat=repeat)))
    listening = socket.create_server(("127.0.0.1", 0))
    with _served(listening, desk):
        yield Server(desk, listening.getsockname()[1])


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def test_an_answer_is_what_was_recorded_and_nothing_of_this_process(server: Server) -> None:
    found = server.raw(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert found == "HTTP/1.1 200 Fine\r\nX: ü\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 4\r\n\r\ntext".encode("latin-1")


def test_one_connection_serves_many_requests_also_those_sent_at_once(server: Server) -> None:
    found = server.raw(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
    assert found.count(b"HTTP/1.1 200 Fine") == 5
    client = server.client()
    for _ in range(3):
        client.request("GET", "/a")
        assert client.getresponse().read() == b"text"
    client.close()


def test_bodies_of_any_size_go_both_ways_in_either_form(server: Server) -> None:
    client = server.client()
    client.request("GET", "/big")
    assert client.getresponse().read() == BIG
    client.request("POST", "/big", body=BIG)
    first = client.getresponse()
    assert (first.status, first.read()) == (204, b"")
    client.request("POST", "/big", body=iter([BIG[:1000], BIG[1000:]]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    answer = client.getresponse()
    assert (answer.status, answer.read(), answer.getheader("Content-Length")) == (204, b"", None)
    client.close()


def test_methods_of_all_kinds_and_answers_without_a_body(server: Server) -> None:
    client = server.client()
    for method, target, status in (("HEAD", "/a", 200), ("PROPFIND", "/a", 207), ("GET", "/none", 304)):
        client.request(method, target)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (status, b"")
    assert server.desk.replay.unexpected == []
    client.close()


def test_who_asks_whether_to_go_on_is_told_to(server: Server) -> None:
    head = b"POST /big HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BIG)
    assert server.raw(head + BIG) == b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 \r\n\r\n"


def test_what_is_not_recorded_is_explained_and_the_connection_stays(server: Server) -> None:
    client = server.client()
    client.request("GET", "/b")
    answer = client.getresponse()
    assert (answer.status, answer.reason) == (501, "Not Recorded")
    assert answer.read().startswith(b"lockage: service shop has not recorded GET /b\n  nearest is")
    client.request("GET", "/a")
    assert client.getresponse().read() == b"text"
    client.close()
    fault = Standing([(server.desk, True)]).fault(succeeded=True)
    assert fault is not None
    assert (fault.reason, len(server.desk.replay.unexpected)) == ("service-mismatch", 1)
    assert "GET /b" in fault.message


@pytest.mark.parametrize(
    "data",
    [
        b"no request at all\r\n\r\n",
        b"GET /a HTTP/7.7.7\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    ],
)
def test_what_is_no_request_is_a_fault_and_ends_its_connection(server: Server, data: bytes) -> None:
    server.raw(data)
    assert len(server.desk.faults) == 1
    fault = Standing([(server.desk, False)]).fault(succeeded=True)
    assert fault is not None
    assert fault.reason == "service-mismatch"
    assert "no request" in fault.message


def test_a_connection_without_a_request_is_no_fault(server: Server) -> None:
    assert server.raw(b"") == b""
    assert server.desk.faults == []


def test_many_ask_at_a_time_and_each_recorded_response_is_given_once() -> None:
    wanted = 64
    exchanges = [exchange("GET", "/a", Response(status=200, body=str(number).encode())) for number in range(wanted)]
    found: list[bytes] = []
    with serving(*exchanges, repeat=False) as server:

        def ask() -> None:
            client = server.client()
            client.request("GET", "/a")
            found.append(client.getresponse().read())
            client.close()

        threads = [threading.Thread(target=ask) for _ in range(wanted)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(map(int, found)) == list(range(wanted))
    assert server.desk.replay.unexpected == []


def test_what_was_asked_before_the_end_is_judged_though_nobody_waits_for_the_answer() -> None:
    with serving() as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"GET /never-recorded HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.close()
    assert [str(one.request) for one in server.desk.replay.unexpected] == ["GET /never-recorded"]
