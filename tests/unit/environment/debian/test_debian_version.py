"""Debian policy 5.6.12: how versions compare."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.environment.debian.version import satisfies, version_key

#: Each is older than the next one, as dpkg sorts them.
ASCENDING = [
    "0~~", "0~~a", "0~", "0", "0.0.0~rc1", "0.9", "0.10", "1~~~", "1~~", "1~~a", "1~", "1", "1-1~bpo12+1", "1-1",
    "1-1a", "1-1+b1", "1-1.1", "1-10", "1a", "1aa", "1a+", "1b", "1z", "1+b1", "1+dfsg-1", "1.2", "1.2.3-1",
    "1.2.3-1+deb12u1", "1.2.3-1+deb12u10", "2:0", "3:0.1", "10:0",
]  # fmt: skip


def test_every_version_sorts_before_the_next() -> None:
    for older, newer in pairwise(ASCENDING):
        assert version_key(older) < version_key(newer), (older, newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "0:1"), ("1", "1-0"), ("1", "1-"), ("1.0", "1."), ("1.01", "1.1"), ("0", "00"), ("a0", "a")],
    ids=["absent-epoch", "absent-revision", "empty-revision", "missing-number", "leading-zero", "zeros", "number-missing-at-the-end"],
)
def test_versions_that_are_equal_though_written_differently(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


def test_the_last_hyphen_begins_the_revision_and_the_first_colon_ends_the_epoch() -> None:
    assert version_key("1-2-3") == (0, version_key("1-2-3")[1], version_key("0-3")[2])
    assert version_key("1:2:3") > version_key("1:2")


def test_letters_sort_before_other_characters() -> None:
    assert version_key("1z") < version_key("1+")


@pytest.mark.parametrize("text", ["", "1 2", "a:1", "1_2", "ä", "1\n"])
def test_malformed_versions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Debian version"):
        version_key(text)


@pytest.mark.parametrize(
    ("version", "operator", "bound", "holds"),
    [
        ("2", ">=", "2", True), ("2", ">>", "2", False), ("2", "<<", "2", False), ("2", "<=", "2", True), ("2", "=", "0:2-0", True),
        ("2~rc1", ">=", "2", False), ("1:1", ">>", "2", True), ("2-1+b1", "=", "2-1", False),
    ],
)  # fmt: skip
def test_relations(version: str, operator: str, bound: str, holds: bool) -> None:
    assert satisfies(version, operator, bound) is holds


def test_an_unknown_relation_is_refused() -> None:
    with pytest.raises(ValueError, match="not a version relation"):
        satisfies("1", "==", "1")


_PARTS = st.text(alphabet="0123456789abz.+~", max_size=8)


@given(_PARTS, st.sampled_from(["~", "a", "+", "."]))
def test_a_tilde_sorts_before_the_end_of_a_part_and_all_else_after(prefix: str, char: str) -> None:
    base = "1" + prefix + "x"
    assert (version_key(base + char) < version_key(base)) is (char == "~")
