"""Spans on their way to a collector that stands on the loopback; one that does not answer costs a warning and no more than its time."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lockage.cli.app import run
from lockage.wiring.observed import Collector, observed_of


class CollectorServer(http.server.ThreadingHTTPServer):
    """What was posted: path, headers and document; ``status`` is its answer, ``silent`` holds it back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.silent = threading.Event()
        self.silent.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, CollectorServer)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append((self.path, dict(self.headers), json.loads(body)))
        server.silent.wait(10)
        self.send_response(server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        pass


@contextmanager
def serving() -> Iterator[CollectorServer]:
    server = CollectorServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.silent.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CollectorServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "TRACEPARENT", "OTEL_EXPORTER_OTLP_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "store"))
    with serving() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        yield server


def test_a_command_sends_its_spans(collector: CollectorServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=build%20farm, authorization=Bearer%20abc")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=ci-1")
    monkeypatch.setenv("TRACEPARENT", f"00-{'ab' * 16}-{'12' * 8}-01")
    assert run(["build", str(tmp_path / "absent")]) == 2
    ((path, headers, document),) = collector.got
    assert path == "/v1/traces"
    assert headers["Content-Type"] == "application/json"
    assert (headers["x-team"], headers["authorization"]) == ("build farm", "Bearer abc")
    (resource,) = document["resourceSpans"]
    told = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
    assert (told["service.name"], told["host.name"]) == ("nightly", "ci-1")
    (span,) = resource["scopeSpans"][0]["spans"]
    assert (span["name"], span["traceId"], span["parentSpanId"]) == ("lockage build", "ab" * 16, "12" * 8)
    assert span["status"] == {"code": 2, "message": "source-unusable"}
    assert abs(int(span["startTimeUnixNano"]) / 1e9 - time.time()) < 60


@pytest.mark.parametrize("status", [400, 404, 503])
def test_a_collector_that_refuses_is_a_warning(
    collector: CollectorServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, status: int
) -> None:
    collector.status = status
    assert run(["build", str(tmp_path / "absent")]) == 2
    assert len(collector.got) == 1
    assert "lockage: warning: no spans were sent to OpenTelemetry" in capsys.readouterr().err


def test_a_collector_that_does_not_answer_costs_its_time(
    collector: CollectorServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    collector.silent.clear()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
    assert run(["build", str(tmp_path / "absent")]) == 2
    assert "warning: no spans were sent" in capsys.readouterr().err


def test_nobody_there_and_an_address_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with serving() as server:
        gone = server.url
    for address in (gone, "no address", "http://[", "ftp://127.0.0.1"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        assert run(["build", str(tmp_path / "absent")]) == 2
        assert "warning: no spans were sent" in capsys.readouterr().err, address


def test_grpc_is_not_spoken(collector: CollectorServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    run(["build", "absent"])
    assert collector.got == []
    assert "the protocol 'grpc' is not spoken here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/base"}, "http://c:4318/base/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/here", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "http://t/here"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_the_standard_variables(environ: dict[str, str], url: str | None) -> None:
    found = observed_of(environ).collector
    assert (None if found is None else found.url) == url


@pytest.mark.parametrize("parent", ["", "00-abc-def-01", f"00-{'0' * 32}-{'12' * 8}-01", f"00-{'ab' * 16}-{'0' * 16}-01"])
def test_a_parent_that_is_none_is_passed_over(parent: str) -> None:
    found = observed_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "TRACEPARENT": parent}).collector
    assert isinstance(found, Collector)
    assert found.parent is None
