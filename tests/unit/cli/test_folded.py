"""Sections that CI services fold, and output that would like to be one of their commands."""

from lockage.cli.folded import folded
from lockage.wiring.terminal import Log


def test_a_group_of_github() -> None:
    text = folded(Log.GITHUB, "wheel", "wheel: done in 1.2 s", b"one\ntwo\n", secret="5ec7e7", began=1, ended=2)
    assert text == "::group::wheel: done in 1.2 s\n::stop-commands::5ec7e7\none\ntwo\n::5ec7e7::\n::endgroup::"


def test_commands_of_a_step_stand_where_commands_are_stopped() -> None:
    lines = folded(Log.GITHUB, "a", "a", b"::error::x\n::add-path::/evil", secret="5ec7e7", began=1, ended=2).split("\n")
    assert lines.index("::stop-commands::5ec7e7") < lines.index("::error::x") < lines.index("::add-path::/evil") < lines.index("::5ec7e7::")


def test_a_section_of_gitlab() -> None:
    text = folded(Log.GITLAB, "unit tests+", "unit: done in 1.2 s", b"one\r\ntwo\xff", secret="", began=1795738000, ended=1795738001)
    assert text == (
        "\x1b[0Ksection_start:1795738000:lockage_unit_tests_[collapsed=true]\r\x1b[0Kunit: done in 1.2 s\n"
        "one\ntwo\\xff\n\x1b[0Ksection_end:1795738001:lockage_unit_tests_\r\x1b[0K"
    )


def test_a_step_cannot_end_its_own_section() -> None:
    output = b"\x1b[0Ksection_end:1:lockage_a\r\x1b[0K\nhidden"
    text = folded(Log.GITLAB, "a", "a", output, secret="", began=1, ended=2)
    assert text.count("section_end:") == 1
    assert text.index("hidden") < text.index("section_end:")
