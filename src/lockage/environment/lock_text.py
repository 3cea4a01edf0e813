"""How a lock is laid out as text: keys in declared order, environments and packages sorted, each package on a line of its own.

What is unset or usual is left out, so that a lock without a newer kind of thing has the bytes that it had before there was one.
"""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

import msgspec

__all__ = ["laid_out"]


def laid_out(document: dict[str, Any]) -> bytes:
    """The bytes of lockage.lock for a lock as plain values, which are used up. Source: docs/formats/lock.md."""
    _lined_environments(document["environments"])
    return (_text(document, 0) + "\n").encode()


class _Line(msgspec.Struct):
    """A value that stands on one line."""

    value: object


def _lined_environments(environments: dict[str, Any]) -> None:
    """Sort the environments and their packages, and put each package on a line of its own."""
    for name in sorted(environments):
        environment = environments.pop(name)
        for kind in ("packages", "python", "instruments", "sdists"):
            environment[kind] = [_Line(item) for item in sorted(environment[kind], key=itemgetter("name", "version", "sha256"))]
        for kind in ("os", "host", "root"):
            if kind in environment:
                environment[kind] = _Line(environment[kind])
        if "image" in environment:
            environment["image"] = _lined_image(environment["image"])
        environment["suites"] = [_Line(suite) for suite in environment["suites"]]
        if environment["added"]:
            environment["added"] = _Line(environment["added"])
        if "host" in environment:  # nothing of it is pinned
            for kind in ("root", "packages", "python", "instruments"):
                del environment[kind]
        _lined_environments(environment["builders"])
        usual = [kind for kind in ("added", "suites", "sdists", "builders") if not environment[kind]]
        for kind in (*usual, *(["realiser"] if environment["realiser"] == 1 else ())):
            del environment[kind]  # as every lock was written before there was such a thing
        environments[name] = environment


def _lined_image(image: dict[str, Any]) -> dict[str, Any]:
    """An image: each of its layers, and of its variables, on a line of its own."""
    lines = {name: _Line(value) for name, value in image.items()}
    variables = dict(sorted(image["variables"].items()))
    return {**lines, "layers": [_Line(layer) for layer in image["layers"]], "variables": variables}


def _text(value: object, depth: int) -> str:
    """JSON, indented by one space a level."""
    match value:
        case _Line(value=inner):
            return json.dumps(inner, ensure_ascii=False)
        case dict() if value:
            parts = [f"{json.dumps(key, ensure_ascii=False)}: {_text(item, depth + 1)}" for key, item in value.items()]
        case list() if value:
            parts = [_text(item, depth + 1) for item in value]
        case _:
            return json.dumps(value, ensure_ascii=False)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inside = ",\n".join(" " * (depth + 1) + part for part in parts)
    return f"{opening}\n{inside}\n{' ' * depth}{closing}"
