"""The line of every key, in every way that TOML can write one."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from lockage.recipe.lines import Key, nearest, places_of

DOCUMENT = '''# a comment with [brackets] and "quotes
top = 1
dotted . "quoted key".x = "# no comment"

[step.wheel] # a comment = [
run = """
[not.a.table]
key = "inside a text" \\""" still inside
"""
inputs = [
  "a, [b]", # first
  # nothing
  'c]',

  { x = 1, y = [2,
  3] },
]
literal = \'\'\'
[also not]
\'\'\'\'
after = 2020-01-01T00:00:00Z
[ step . "odd ] name" ]
inline = { cpus = "two", "memory" = { a = 1 } }
[[rules]]
a = 1
[rules.inner]
b = 2
[[rules]]
a = 2
[rules.inner]
b = 3
'''


def lines_of(text: str) -> dict[Key, int]:
    return {key: place.line for key, place in places_of(text).items()}


def test_every_form_of_key_is_found() -> None:
    lines = lines_of(DOCUMENT)
    expected: dict[Key, int] = {
        ("top",): 2,
        ("dotted", "quoted key", "x"): 3,
        ("step", "wheel"): 5,
        ("step", "wheel", "run"): 6,
        ("step", "wheel", "inputs"): 10,
        ("step", "wheel", "inputs", 0): 11,
        ("step", "wheel", "inputs", 1): 13,
        ("step", "wheel", "inputs", 2, "x"): 15,
        ("step", "wheel", "inputs", 2, "y", 1): 16,
        ("step", "wheel", "literal"): 18,
        ("step", "wheel", "after"): 21,
        ("step", "odd ] name", "inline", "cpus"): 23,
        ("step", "odd ] name", "inline", "memory", "a"): 23,
        ("rules", 0, "a"): 25,
        ("rules", 0, "inner", "b"): 27,
        ("rules", 1, "a"): 29,
        ("rules", 1, "inner", "b"): 31,
    }
    assert {key: lines.get(key) for key in expected} == expected
    assert lines == lines_of(DOCUMENT.replace("\n", "\r\n"))


def test_a_missing_key_is_on_the_line_of_what_it_is_missing_from() -> None:
    assert nearest(places_of(DOCUMENT), ("step", "wheel", "cpus")).line == 5
    assert nearest(places_of(DOCUMENT), ("rules", 1, "inner", "zzz")).line == 30
    assert nearest(places_of(DOCUMENT), ("nowhere", "at", "all")).line == 1


def keys_of(value: object, key: Key = ()) -> set[Key]:
    found: set[Key] = {key} if key else set()
    if isinstance(value, dict):
        for name, inner in value.items():
            found |= keys_of(inner, (*key, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found |= keys_of(inner, (*key, number))
    return found


def test_exactly_the_keys_that_tomllib_reads_are_found() -> None:
    assert lines_of(DOCUMENT).keys() == keys_of(tomllib.loads(DOCUMENT))


def written(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{written(name)} = {written(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[ # x ]\n" + ",\n".join(written(inner) for inner in value) + "\n]"
    if isinstance(value, str):
        return '"' + "".join(f"\\u{ord(char):04x}" if char in '"\\' or char < " " else char for char in value) + '"'
    return str(value).lower()


TEXTS = st.text("ab\"'\\#[]{}=,.\n ", max_size=6)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3), max_size=3))
def test_any_document_is_scanned_as_tomllib_reads_it(document: dict[str, dict[str, object]]) -> None:
    text = "".join(
        f"[{written(table)}]\n" + "".join(f"{written(name)} = {written(value)}\n" for name, value in values.items())
        for table, values in document.items()
    )
    assert lines_of(text).keys() == keys_of(tomllib.loads(text))
