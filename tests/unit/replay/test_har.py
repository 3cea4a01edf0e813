"""HAR files: what is read of them, and what is said of those that are none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.recipe.service import Form
from lockage.replay import InvalidRecording, Recording, Response, private_headers, read_recording


def entry(
    method: str = "GET", url: str = "https://api.example.org/a", *, request: Any = None, response: Any = None, content: Any = None
) -> dict[str, Any]:
    """An entry as browsers write it, with much that says nothing."""
    return {
        "startedDateTime": "2026-01-02T03:04:05.678Z",
        "time": 12.5,
        "request": {"method": method, "url": url, "httpVersion": "http/2.0", "headers": [], "cookies": [], **(request or {})},
        "response": {
            "status": 200,
            "statusText": "OK",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "content": {"size": 2, "mimeType": "application/json", "text": "{}"} if content is None else content,
            **(response or {}),
        },
        "timings": {"wait": 1.25},
    }


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": list(entries)}}).encode()


def read(data: bytes, *hosts: str) -> Recording:
    blobs = MemoryBlobs()
    return read_recording(Form.HAR, blobs.put(data), blobs.get, file="tests/a.har", hosts=hosts)


def test_an_entry_is_what_was_asked_and_answered() -> None:
    posted = {"postData": {"mimeType": "application/json", "text": '{"id": 1}'}, "headers": [{"name": "Accept", "value": "*/*"}]}
    (one,) = read(har(entry("POST", "https://API.example.org:8443/a%7Eb?z=1&a=%20x", request=posted, response={"status": 201}))).exchanges
    assert (one.request.method, one.request.host, one.request.path) == ("POST", "api.example.org", "/a~b")
    assert one.request.query == (("a", " x"), ("z", "1"))
    assert (one.request.body, one.request.header("accept"), one.request.header("content-type")) == (b'{"id": 1}', "*/*", "application/json")
    assert one.response == Response(status=201, reason="OK", headers=(("Content-Type", "application/json"),), body=b"{}")


def test_bodies_are_as_a_browser_decoded_them() -> None:
    headers = [
        {"name": name, "value": "x"}
        for name in ("Content-Encoding", "content-length", "Transfer-Encoding", "Connection", ":status", "ETag")
    ]
    content = {"size": 3, "text": base64.b64encode(b"\0\xff\1").decode(), "encoding": "base64", "mimeType": "image/png"}
    (one,) = read(har(entry(response={"headers": headers}, content=content))).exchanges
    assert one.response.body == b"\0\xff\1"
    assert one.response.headers == (("ETag", "x"), ("Content-Type", "image/png"))


def test_a_kind_that_no_header_can_hold_is_left_out() -> None:
    (one,) = read(har(entry(response={"headers": []}, content={"text": "x", "mimeType": "text/plain\r\nX: y"}))).exchanges
    assert one.response.headers == ()


def test_fields_of_a_form_are_its_body() -> None:
    posted = {"postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "ü&"}, {"name": "c"}]}}
    (one,) = read(har(entry("POST", request=posted))).exchanges
    assert one.request.body == b"a%20b=%C3%BC%26&c="


def test_of_several_hosts_those_that_are_asked_for_are_taken() -> None:
    data = har(entry(url="https://one.example/x"), entry(url="https://two.example/y"), entry(url="https://one.example/z"))
    assert [one.request.path for one in read(data, "one.example").exchanges] == ["/x", "/z"]
    assert [one.place for one in read(data, "one.example").exchanges] == ["entry 0", "entry 2"]
    with pytest.raises(InvalidRecording, match=r"no response of three\.example"):
        read(data, "three.example")


def test_who_somebody_is_is_noticed() -> None:
    plain = read(har(entry()))
    assert private_headers(plain) == ()
    secret = read(
        har(
            entry(
                request={"headers": [{"name": "Authorization", "value": "token x"}]},
                response={"headers": [{"name": "Set-Cookie", "value": "a=b"}]},
            )
        )
    )
    assert private_headers(secret) == ("authorization", "set-cookie")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"log":\n  {"entries": [}', "tests/a.har:2: not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "tests/a.har"),
        (b"[]", "the document: expected an object"),
        (b"{}", "the document.log: missing"),
        (b'{"log": {"entries": {}}}', "log.entries: not what HAR 1.2 has there"),
        (har(), "no response is recorded"),
        (har({"request": {}}), r"log.entries[0].response: missing"),
        (har(entry(), entry(method="NO METHOD")), "log.entries[1].request.method: not a method"),
        (har(entry(url="data:text/plain,x")), "log.entries[0].request.url: not an address"),
        (har(entry(response={"status": 0})), "log.entries[0].response.status: no response was recorded (status 0)"),
        (har(entry(response={"status": True})), "log.entries[0].response.status: not what HAR 1.2 has there"),
        (har(entry(content={"size": 7})), "log.entries[0].response.content.text: the body of 7 bytes was not recorded"),
        (har(entry(content={"text": "%%%", "encoding": "base64"})), "not base64"),
        (har(entry(content={"text": "x", "encoding": "gzip"})), "expected \"base64\", found 'gzip'"),
        (har(entry(content={"text": "\ud800"})), "a lone surrogate"),
        (har(entry(response={"headers": [{"name": "a b", "value": "x"}]})), "headers[0].name: not the name of a header"),
        (har(entry(response={"headers": [{"name": "a", "value": "x\0y"}]})), "headers[0].value: not what a header can hold"),
        (har(entry(request={"postData": []})), "log.entries[0].request.postData: expected an object"),
    ],
)
def test_what_is_no_recording_is_named_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(InvalidRecording) as caught:
        read(data)
    assert said in caught.value.message
    assert caught.value.message.startswith("tests/a.har")
    assert caught.value.details["file"] == "tests/a.har"
