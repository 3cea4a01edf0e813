"""Tables that fit: at 40, 80 and 120 columns, and in full where no width is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.cli.columns import cells, cut, fitted, prose
from lockage.wiring.terminal import Terminal

ROWS = [
    ("dev", "shop@1.2.1-1", "generation 2", "2026-11-23T21:27:49Z", ""),
    ("staging", "shop@1.2.1-1", "generation 2", "2026-11-23T21:27:49Z", ""),
    ("prod", "shop@1.2.0-1", "generation 3", "2026-11-23T21:27:50Z", "held: receipts look odd since the change of the printer"),
]
FULL = """\
  dev      shop@1.2.1-1  generation 2  2026-11-23T21:27:49Z
  staging  shop@1.2.1-1  generation 2  2026-11-23T21:27:49Z
  prod     shop@1.2.0-1  generation 3  2026-11-23T21:27:50Z  held: receipts look odd since the change of the printer"""
GOLDEN = {
    None: FULL,
    120: FULL,
    80: """\
  dev      shop@1.2.1-1  generation 2  2026-11-23T21:27:49Z
  staging  shop@1.2.1-1  generation 2  2026-11-23T21:27:49Z
  prod     shop@1.2.0-1  generation 3  2026-11-23T21:27:50Z  held: receipts loo…""",
    40: """\
  dev      shop@1.…  generat…  2026-11…
  staging  shop@1.…  generat…  2026-11…
  prod     shop@1.…  generat…  2026-11…""",
}


@pytest.mark.parametrize("width", GOLDEN)
def test_a_table(width: int | None) -> None:
    assert "\n".join(fitted(ROWS, Terminal(width=width), indent=2)) == GOLDEN[width]


def test_ascii_where_the_locale_has_no_more() -> None:
    assert list(fitted([("a", "b" * 30)], Terminal(width=20, unicode=False))) == ["a  " + "b" * 14 + "..."]


def test_the_least_important_column_goes_first() -> None:
    rows = [("0123456789ab", "10.9 KiB", "dist/six-1.17.0-py2.py3-none-any.whl")]
    assert list(fitted(rows, Terminal(width=56), least=(0, 1))) == ["0123456…  10.9 KiB  dist/six-1.17.0-py2.py3-none-any.whl"]


def test_nothing_is_a_table_too() -> None:
    assert list(fitted([], Terminal(width=40))) == []


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abcd", 1, "…"), ("abcd", 0, ""), ("日本語", 5, "日本…"), ("日本語", 4, "日…")],
)
def test_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert cells(shown) <= max(width, 0)


def test_marks_that_combine_take_no_column() -> None:
    assert cells("e\u0301") == 1


@given(
    st.lists(st.tuples(st.text("aβ日 ", max_size=30), st.text(max_size=30), st.text("x", max_size=90)), max_size=5),
    st.integers(20, 130),
    st.booleans(),
)
def test_no_line_is_ever_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int, unicode: bool) -> None:
    for line in fitted(rows, Terminal(width=width, unicode=unicode)):
        assert cells(line) <= width


def test_words_stay_whole_and_commands_in_one_piece() -> None:
    text = "  hint: Meet the conditions listed, then promote again; `lockage why-not shop prod` judges without asking."
    assert prose(text, Terminal()) == [text]
    assert prose(text, Terminal(width=40)) == [
        "  hint: Meet the conditions listed, then",
        "    promote again;",
        "    `lockage why-not shop prod` judges",
        "    without asking.",
    ]
    assert prose("x" * 50, Terminal(width=40)) == ["x" * 50], "what has no words is left to the terminal"
