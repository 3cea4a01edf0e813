"""As much of JSON Schema (draft 2020-12) as the published schemas use; what it does not know it refuses."""

import re
from collections.abc import Callable, Iterator
from typing import Any

_KINDS: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
_NOTES = {"$schema", "$defs", "title", "description", "default"}

Rule = Callable[[Any, Any, Any, str], Iterator[str]]


def faults(value: Any, schema: Any, root: Any = None, at: str = "$") -> Iterator[str]:
    """What of a value is not as its schema says."""
    for word, rule in schema.items():
        if word not in _NOTES:
            yield from _RULES[word](value, rule, schema if root is None else root, at)


def _ref(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    return faults(value, root["$defs"][rule.removeprefix("#/$defs/")], root, at)


def _any_of(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    found = [list(faults(value, one, root, at)) for one in rule]
    if all(found):
        yield f"{at}: none of {len(rule)} fits, the nearest: {min(found, key=len)}"


def _type(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    if not isinstance(value, _KINDS[rule]) or (rule == "integer" and isinstance(value, bool)):
        yield f"{at}: not {rule}: {value!r}"


def _enum(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    if value not in rule:
        yield f"{at}: {value!r} is none of {rule}"


def _pattern(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(rule, value):
        yield f"{at}: {value!r} is not like {rule}"


def _minimum(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, int) and value < rule:
        yield f"{at}: {value} is less than {rule}"


def _required(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    yield from (f"{at}: {name} is missing" for name in rule if isinstance(value, dict) and name not in value)


def _properties(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    for name, inner in rule.items():
        if isinstance(value, dict) and name in value:
            yield from faults(value[name], inner, root, f"{at}.{name}")


def _additional(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    assert isinstance(rule, dict), "only where an object is a map"
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield from faults(inner, rule, root, f"{at}.{name}")


def _items(value: Any, rule: Any, root: Any, at: str) -> Iterator[str]:
    for number, item in enumerate(value if isinstance(value, list) else ()):
        yield from faults(item, rule, root, f"{at}[{number}]")


_RULES: dict[str, Rule] = {
    "$ref": _ref,
    "anyOf": _any_of,
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _minimum,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
}
