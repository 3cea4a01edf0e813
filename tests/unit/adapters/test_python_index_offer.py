"""Which versions of a project are offered for a build, by what an index says of its files."""

from pathlib import Path

import pytest

from lockage.adapters.python_index import IndexSettings
from lockage.adapters.python_index.download import Downloader
from lockage.adapters.python_index.offer import offer_of
from lockage.adapters.python_index.simple import IndexFile, project_files
from lockage.base.instant import Instant
from lockage.environment.stand_in import Offer
from lockage.ports import NoUploadTimes

YEAR = Instant.parse("2026-01-01T00:00:00Z")


def file(name: str, uploaded: str | None = None, requires_python: str | None = None, *, yanked: bool = False) -> IndexFile:
    address = f"https://index.example.org/files/{name}"
    return IndexFile(name=name, address=address, uploaded=uploaded, requires_python=requires_python, yanked=yanked)


def offered(*files: IndexFile, as_of: Instant | None = None, cooldown: str | None = None) -> Offer:
    return offer_of("a-b", files, as_of, cooldown)


def test_versions_are_in_order_and_names_count_in_their_normal_form() -> None:
    found = offered(file("a_b-10.0.tar.gz"), file("A.B-9.0.tar.gz", requires_python=">=3.9"), file("other-1.0.tar.gz"))
    assert [(one.version, one.file, one.requires_python) for one in found.stand_ins] == [
        ("9.0", "A.B-9.0.tar.gz", ">=3.9"),
        ("10.0", "a_b-10.0.tar.gz", None),
    ]


def test_a_tar_comes_before_a_zip_and_what_is_no_sdist_is_passed_over() -> None:
    for files in (("a_b-1.0.zip", "a_b-1.0.tar.gz"), ("a_b-1.0.tar.gz", "a_b-1.0.zip")):
        assert [one.file for one in offered(*map(file, files)).stand_ins] == ["a_b-1.0.tar.gz"]
    assert [one.file for one in offered(file("a_b-1.0.zip")).stand_ins] == ["a_b-1.0.zip"]
    assert offered(file("a_b-1.0.exe"), file("a_b-1.0.tar.bz2"), file("a_b-one.tar.gz"), file("a_b-1.0.tar.gz.asc")) == Offer(name="a-b")


def test_what_was_withdrawn_or_is_only_a_wheel_is_none_to_choose() -> None:
    found = offered(file("a_b-1.0.tar.gz", yanked=True), file("a_b-2.0-py3-none-any.whl"), file("a_b-3.0.tar.gz"))
    assert ([one.version for one in found.stand_ins], found.others) == (["3.0"], ("1.0", "2.0"))


def test_what_was_uploaded_later_does_not_count() -> None:
    files = (
        file("a_b-1.0.tar.gz", "2025-12-31T23:59:59.9Z"),
        file("a_b-2.0.tar.gz", "2026-01-01T00:00:00Z"),
        file("a_b-3.0.tar.gz"),
    )
    assert [one.version for one in offered(*files, as_of=YEAR).stand_ins] == ["1.0"]
    assert [one.version for one in offered(*files, cooldown="2026-01-01T00:00:00Z").stand_ins] == ["1.0"]
    assert [one.version for one in offered(*files, cooldown="2026-01-01").stand_ins] == ["1.0", "2.0"], "to the end of the day"


def test_an_index_that_dates_nothing_cannot_go_back() -> None:
    with pytest.raises(NoUploadTimes, match="a-b"):
        offered(file("a_b-1.0.tar.gz"), as_of=YEAR)
    assert offered(as_of=YEAR) == Offer(name="a-b")


def test_a_cooldown_that_is_no_date_is_refused() -> None:
    with pytest.raises(NoUploadTimes, match="7 days") as caught:
        offered(file("a_b-1.0.tar.gz", "2025-12-31T23:59:59Z"), cooldown="7 days")
    assert "--as-of" in caught.value.hint


def test_what_a_page_of_links_says_of_a_file_is_read(tmp_path: Path) -> None:
    page = tmp_path / "a-b"
    page.mkdir()
    (page / "index.html").write_text(
        '<a href="a_b-1.0.tar.gz" data-yanked="broken">1</a><a href="a_b-2.0.tar.gz" data-requires-python="&gt;=3.12">2</a>'
    )
    files = project_files(Downloader(IndexSettings()), tmp_path.as_uri(), "a-b")
    found = offer_of("a-b", files, None, None)
    assert [(one.version, one.requires_python) for one in found.stand_ins] == [("2.0", ">=3.12")]
    assert found.others == ("1.0",)
