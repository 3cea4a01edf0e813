"""Times have one form."""

import pytest

from lockage.base.instant import ZIP_FLOOR, Instant


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]
)
def test_a_time_comes_back(text: str) -> None:
    assert str(Instant.parse(text)) == text


def test_seconds_of_the_epoch() -> None:
    assert Instant.parse("2001-09-09T01:46:40Z") == 1_000_000_000
    assert str(ZIP_FLOOR) == "1980-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-1-01T00:00:00Z",
        "2026-01-01T0:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00.5Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00Z\n",
        "0000-01-01T00:00:00Z",
        "\uff12026-01-01T00:00:00Z",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|range|day|month|hour|second|year"):
        Instant.parse(text)
