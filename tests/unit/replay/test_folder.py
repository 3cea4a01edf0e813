"""Folders of responses."""

from __future__ import annotations

import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, LinkNode, Node, Tree
from lockage.recipe.service import Form, Matching
from lockage.replay import InvalidRecording, Recording, Replay, Request, Response, read_recording


def read(files: dict[str, bytes], *links: str) -> Recording:
    blobs = MemoryBlobs()
    nodes: list[Node] = [FileNode(RelPath(path), blobs.put(data)) for path, data in files.items()]
    ref, directories = Tree.of([*nodes, *(LinkNode(RelPath(path), "x") for path in links)]).encode()
    blobs.put_many(directories.values())
    return read_recording(Form.FOLDER, ref, blobs.get, file="tests/api", hosts=())


def answered(recording: Recording, method: str, target: str) -> Response | None:
    found = Replay(recording, Matching(repeat=True)).answer(Request.of(method, target, body=b"whatever"))
    return found if isinstance(found, Response) else None


FILES = {
    "GET/index.html": b"<p>",
    "GET/users/index.json": b"[1]",
    "GET/users/1.json": b"{}",
    "GET/users/index.json?page=2&sort=name": b"[2]",
    "GET/a b": b"raw",
    "POST/users/index.json": b'{"id": 2}',
    "POST/users/index.json.headers": b"HTTP/1.1 201 Created\nLocation: /users/2\nContent-Type: application/hal+json\n\n",
    "DELETE/users/1.json": b"",
    "DELETE/users/1.json.headers": b"204\n",
}


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/", b"<p>"),
        ("GET", "/users", b"[1]"),
        ("GET", "/users/", b"[1]"),
        ("GET", "/users?sort=name&page=2", b"[2]"),
        ("GET", "/users/1.json", b"{}"),
        ("GET", "/a%20b", b"raw"),
        ("HEAD", "/users", b"[1]"),
        ("DELETE", "/users/1.json", b""),
        ("GET", "/users/index.json", None),
        ("GET", "/users?page=3", None),
        ("PUT", "/users", None),
    ],
)
def test_a_file_answers_its_own_path(method: str, target: str, body: bytes | None) -> None:
    found = answered(read(FILES), method, target)
    assert (None if found is None else found.body) == body


def test_headers_lie_beside_and_kinds_follow_the_name() -> None:
    recording = read(FILES)
    made = answered(recording, "POST", "/users")
    assert made == Response(
        status=201, reason="Created", headers=(("Location", "/users/2"), ("Content-Type", "application/hal+json")), body=b'{"id": 2}'
    )
    kinds = [answered(recording, "GET", target) for target in ("/", "/users", "/a%20b")]
    assert [found and found.headers for found in kinds] == [
        (("Content-Type", "text/html; charset=utf-8"),),
        (("Content-Type", "application/json"),),
        (("Content-Type", "application/octet-stream"),),
    ]
    gone = answered(recording, "DELETE", "/users/1.json")
    assert gone is not None
    assert (gone.status, gone.reason) == (204, "")


def test_one_of_the_paths_of_a_file_is_enough_to_have_used_it() -> None:
    replay = Replay(read({"GET/users/index.json": b"[1]"}), Matching(repeat=True, must_use_all=True))
    assert [one.place for one in replay.unused()] == ["GET/users/index.json"]
    replay.answer(Request.of("GET", "/users/"))
    assert replay.unused() == ()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"index.html": b""}, "tests/api/index.html: expected METHOD/PATH"),
        ({"get/x": b""}, "tests/api/get/x: expected METHOD/PATH"),
        ({"GET/x.headers": b""}, "tests/api/GET/x.headers: there is no response beside it"),
        ({"GET/x": b"", "GET/x.headers": b"200 OK\nno header"}, "tests/api/GET/x.headers:2: expected NAME: VALUE"),
        ({"GET/x": b"", "GET/x.headers": b"999\n"}, "tests/api/GET/x.headers:1"),
        ({"GET/x/index.html": b"", "GET/x/index.json": b""}, "answers GET /x as GET/x/index.html does"),
    ],
)
def test_what_is_no_response_is_named(files: dict[str, bytes], said: str) -> None:
    with pytest.raises(InvalidRecording) as caught:
        read(files)
    assert said in caught.value.message


def test_links_are_not_followed() -> None:
    with pytest.raises(InvalidRecording, match="tests/api/GET/y: a symbolic link"):
        read({"GET/x": b""}, "GET/y")
