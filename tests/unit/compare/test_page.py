"""The page: whole in itself, well formed, and nothing of a file gets out of its text."""

from __future__ import annotations

import io
import zipfile
from html.parser import HTMLParser

import pytest

from lockage.compare.files import compare_files
from lockage.compare.page import render_page
from lockage.compare.render import Role, lines_of

VOID = {"meta", "br"}
EVIL = "<script>alert(1)</script>\x1b[31m\u202e\"'&"


class Reader(HTMLParser):
    """Checks that every element is closed in order; keeps their names, attributes and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def page(a: dict[str, bytes], b: dict[str, bytes], *, limit: int = 40) -> tuple[str, Reader]:
    text = render_page(compare_files("x.zip", packed(a), packed(b), depth=8), "one/x.zip", "two/x.zip", limit=limit)
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return text, reader


def test_what_differs_is_there_nested() -> None:
    inner_a, inner_b = packed({"deep.txt": b"one\n"}), packed({"deep.txt": b"two\n"})
    _, reader = page({"in.zip": inner_a, "gone": b"1"}, {"in.zip": inner_b, "come": b"2"})
    for word in ("in.zip", "deep.txt", "-one", "+two", "only in a (1 bytes)", "only in b (1 bytes)", "one/x.zip"):
        assert word in reader.text


def test_nothing_is_loaded_or_run() -> None:
    text, reader = page({"a.bin": b"\0" * 40}, {"a.bin": b"\0" * 39 + b"\1"})
    assert not reader.tags & {"script", "img", "link", "iframe", "object", "form", "a"}
    assert not any(name.startswith("on") or name in ("src", "href", "style") for name, _ in reader.attributes)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert '<html lang="en">' in text


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({f"{EVIL}.txt": b"1"}, {f"{EVIL}.txt": b"2"}),
        ({f"{EVIL}": b"same"}, {f"{EVIL}2": b"same"}),
        ({"x.txt": EVIL.encode()}, {"x.txt": f"{EVIL}{EVIL}".encode()}),
        ({"x.json": b'{"k": 1}'}, {"x.json": b'{"<img src=x onerror=alert(1)>": 1}'}),
        ({"METADATA": f"Name: {EVIL[:25]}\n\n".encode()}, {"METADATA": b"Name: b\n\n"}),
    ],
)
def test_nothing_of_a_file_is_markup(a: dict[str, bytes], b: dict[str, bytes]) -> None:
    text, reader = page(a, b)
    assert not reader.tags & {"script", "img"}
    assert all(char.isprintable() or char == "\n" for char in text)


def test_the_limit_holds_and_says_so() -> None:
    a, b = ({f"{number:03}.txt": value for number in range(50)} for value in (b"1", b"2"))
    text, _ = page(a, b, limit=10)
    assert text.count("<summary>") == 10
    assert "… and 40 more" in text


def test_lines_say_what_they_are() -> None:
    found = compare_files("x.txt", b"one\ntwo\n", b"one\nthree\n")
    roles = [line.role for line in lines_of(found, limit=40)]
    assert roles == [Role.TITLE, Role.MEMBER, Role.NOTE, Role.PLAIN, Role.A, Role.B]
    assert lines_of(found, limit=2).__next__().text == "x.txt: different"
    assert [line.text for line in lines_of(found, limit=2)][-1] == "… and 2 more lines"
