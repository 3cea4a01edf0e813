"""Resources as columns, also those that are measured one day."""

from lockage.cli.usage_text import usage_columns
from lockage.record.result import Usage


class More(Usage, frozen=True, kw_only=True):
    """What another lockage measures as well."""

    written_bytes: int = 0
    peak_charged: int = 0
    peak_processes: int = 0
    never_ms: int = 0


def test_every_resource_that_was_measured_has_a_column_in_its_unit() -> None:
    headings, rows = usage_columns(
        [More(wall_ms=1500, peak_memory=3 << 20, written_bytes=2048, peak_charged=4 << 20, peak_processes=7), Usage(wall_ms=20), None]
    )
    assert headings == ["wall", "memory", "charged", "written", "at once"]
    assert rows == [["1.5 s", "3.0 MiB", "4.0 MiB", "2.0 KiB", "7"], ["0.0 s", "", "", "", ""], ["", "", "", "", ""]]


def test_nothing_measured_is_no_column() -> None:
    assert usage_columns([Usage(), None]) == ([], [[], []])
