"""Fetch inputs with the real sandbox: got once, seen by the step, verified, named in provenance, and needed from nobody afterwards."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.test_main_job import UNPLUGGED, forget_results
from tests.stored import lose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

DATA = b"the model, third edition\n"
TOOL = b"#!/bin/sh\ncat vendor/model.bin\n"


class Server(ThreadingHTTPServer):
    """Serves ``files`` to whoever has the password."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/model-3.bin": DATA, "/tool": TOOL}
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        allowed = self.headers.get("Authorization") == f"Basic {base64.b64encode(b'me:s3cret').decode()}"
        data = self.server.files.get(self.path, b"")
        self.send_response(403 if not allowed else 200 if data else 404)
        self.send_header("Content-Length", str(len(data) if allowed else 0))
        self.end_headers()
        self.wfile.write(data if allowed else b"")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def steps(port: int, model: bytes = DATA) -> str:
    return f"""
[fetch.model]
url = ["http://127.0.0.1:{port}/gone", "http://127.0.0.1:{port}/model-3.bin"]
sha256 = "{sha256(model).hexdigest()}"
path = "vendor/model.bin"
[fetch.tool]
url = "http://127.0.0.1:{port}/tool"
sha256 = "{sha256(TOOL).hexdigest()}"
executable = true
[step.pack]
environment = "build"
inputs = ["README.md"]
fetch = ["model", "tool"]
run = "./tool > packed.txt"
outputs = ["packed.txt"]
artifacts = ["packed.txt"]
"""


def fetched_in_provenance(store: Store) -> list[dict[str, Any]]:  # Any: what in-toto puts into a descriptor
    """The fetch inputs of the newest provenance, read past lockage."""
    found = []
    for path in (store.home / "blobs" / "sha256").glob("*/*"):
        data = path.read_bytes()
        if data.startswith(b'{"dsseEnvelope"'):
            statement = json.loads(base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"]))
            definition = statement["predicate"].get("buildDefinition", {})
            found += [item for item in definition.get("resolvedDependencies", ()) if item["name"].startswith("fetch/")]
    return found


def test_a_step_with_fetch_inputs_from_the_first_download_to_an_unplugged_build(shop: Store, server: Server, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    shop = dataclasses.replace(shop, settings={"NETRC": str(tmp_path / "netrc")})
    shop.recipe(steps(server.server_port))
    built = shop("build", "--out", tmp_path / "one", "--json", expect=0)
    assert (tmp_path / "one" / "packed.txt").read_bytes() == DATA
    assert server.asked.count("/model-3.bin") == 1
    url = f"http://127.0.0.1:{server.server_port}"
    assert sorted((item["name"], item["uri"], item["digest"]["sha256"]) for item in fetched_in_provenance(shop)) == [
        ("fetch/model", f"{url}/gone", sha256(DATA).hexdigest()),
        ("fetch/tool", f"{url}/tool", sha256(TOOL).hexdigest()),
    ]
    assert "s3cret" not in built.stdout + built.stderr
    assert not any(b"s3cret" in path.read_bytes() for path in shop.home.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20)

    asked = len(server.asked)
    assert shop("verify", "--axes", "umask", "--json", expect=0).json["axes"] == ["umask"]
    assert len(server.asked) == asked

    # As on another machine: its store lacks them, they are laid in, and then nobody is asked any more.
    digest = sha256(DATA).hexdigest()
    lose(shop.home / "blobs", digest)
    (fetched,) = (item for item in shop("env", "fetch", "--json", expect=0).json["fetched"] if item["name"] == "fetch inputs")
    assert (fetched["count"], fetched["fetched"], fetched["fetched_size"]) == (2, 1, len(DATA))
    server.shutdown()
    server.server_close()
    forget_results(shop)
    unplugged = dataclasses.replace(shop, settings=UNPLUGGED)
    again = unplugged("build", "--out", tmp_path / "two", "--json", expect=0).json
    assert [step["cached"] for step in again["steps"]] == [False]
    assert again["artifacts"] == built.json["artifacts"]


def test_what_cannot_be_had_is_told_apart_and_nothing_is_kept(shop: Store, server: Server, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    shop = dataclasses.replace(shop, settings={"NETRC": str(tmp_path / "netrc")})
    shop.recipe(steps(server.server_port, b"what the recipe pins"))
    changed = shop("build", "--json", expect=3).error
    assert changed["code"] == "input-changed"
    assert sha256(DATA).hexdigest() in changed["message"]
    assert sha256(b"what the recipe pins").hexdigest() in changed["message"]
    del server.files["/model-3.bin"]
    assert shop("build", "--json", expect=3).error["code"] == "input-vanished"
    stranger = shop("build", "--json", NETRC="/dev/null", expect=10)
    assert stranger.error["code"] == "service-unreachable"
    assert "netrc" in stranger.error["hint"]
    assert sha256(DATA).hexdigest() not in shop.whole_blobs()
    assert not (shop.work / "dist").exists()
    assert list((shop.home / "cache" / "fetch").iterdir()) == []


def test_a_byte_that_turned_in_the_store_is_found_named_and_made_again(shop: Store) -> None:
    artifact = shop("build", "--json", expect=0).json["artifacts"][0]
    path = shop.home / "blobs" / "sha256" / artifact["sha256"][:2] / artifact["sha256"][2:]
    shop.damage(path)
    found = shop("store", "check", "--json", expect=6).json
    (broken,) = found["broken"]
    assert broken["name"] == artifact["sha256"]
    assert any(artifact["filename"] in use for use in broken["used"])
    assert "lockage build" in broken["remedy"]
    assert not path.exists()
    assert found["checked"]["root"]["count"] >= 2
    shop("build", "--json", expect=0)
    assert path.exists()
    assert {kind["kind"]: kind["count"] for kind in shop("store", "--json", expect=0).json["kinds"]}["damaged"] == 1


def test_an_environment_is_shown_with_what_it_is_made_of(shop: Store) -> None:
    document = shop("env", "show", "build", "--json", expect=0).json["environments"]["build"]
    assert document["size"] == sum(item["ref"]["size"] for item in document["items"])
    assert {item["kind"] for item in document["items"]} == {"package", "wheel", "instrument"}
    assert all(item["kept"] for item in document["items"])
    lines = shop("env", "show", expect=0).stdout.splitlines()
    assert any(line.split()[:2] == ["package", "gcc"] for line in lines)
    assert shop("env", "show", "nothing", "--json").error["code"] == "no-such-environment"
