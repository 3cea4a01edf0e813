"""Several suites as one index: whose packages are tried first, and what a term may say of it."""

from collections.abc import Sequence

import pytest

from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.environment.debian import Index, IndexedSuite, Release, Stanza, index_of, pin, resolve
from lockage.environment.errors import Unresolvable


def package(name: str, version: str, depends: str = "", **fields: object) -> Stanza:
    digest = Digest.of(f"{name} {version}".encode())
    return Stanza(name, version, "amd64", f"pool/{name}_{version}.deb", 1, digest, depends=depends, **fields)  # type: ignore[arg-type] # the fields of a stanza, by keyword


def suite(name: str, *stanzas: Stanza, alias: str = "", not_automatic: bool = False) -> IndexedSuite:
    release = Release(
        suite=alias,
        codename=name,
        origin="Debian",
        date=Instant(0),
        valid_until=None,
        acquire_by_hash=True,
        files={},
        sha256=Digest.of(name.encode()),
        not_automatic=not_automatic,
    )
    return IndexedSuite(name=name, release=release, stanzas=stanzas)


def chosen(index: Index, *terms: str) -> list[str]:
    return [f"{package.name} {package.version}" for package in resolve(index, terms, "amd64")]


def failure(index: Index, *terms: str) -> str:
    with pytest.raises(Unresolvable) as caught:
        resolve(index, terms, "amd64")
    return str(caught.value)


BASE = suite("bookworm", package("libc", "2.36"), package("tool", "1", "libc"), alias="oldstable")
UPDATES = suite("bookworm-updates", package("tool", "1.1", "libc"))
SECURITY = suite("bookworm-security", package("tool", "1.2", "libc"), alias="oldstable-security")
BACKPORTS = suite("bookworm-backports", package("tool", "3", "libc"), package("newcomer", "1"), not_automatic=True)
TRIXIE = suite("trixie", package("libc", "2.41"), package("tool", "4", "libc (>= 2.40)"))


def test_updates_count_as_one_with_their_suite_so_that_the_newest_is_taken() -> None:
    assert chosen(index_of([BASE, UPDATES]), "tool") == ["libc 2.36", "tool 1.1"]
    assert chosen(index_of([BASE, SECURITY, UPDATES]), "tool") == ["libc 2.36", "tool 1.2"]


def test_backports_are_taken_only_where_nothing_else_does() -> None:
    index = index_of([BASE, BACKPORTS])
    assert chosen(index, "tool") == ["libc 2.36", "tool 1"]
    assert chosen(index, "tool (>= 2)") == ["libc 2.36", "tool 3"]
    assert chosen(index, "newcomer") == ["newcomer 1"]


def test_a_later_suite_is_taken_only_where_an_earlier_one_has_nothing_that_fits() -> None:
    index = index_of([BASE, TRIXIE])
    assert chosen(index, "tool") == ["libc 2.36", "tool 1"]
    assert chosen(index, "tool (>= 4)") == ["libc 2.41", "tool 4"], "and brings what it needs"
    assert chosen(index_of([BASE, BACKPORTS, TRIXIE]), "tool (>> 1)") == ["libc 2.36", "tool 3"]
    assert chosen(index_of([BASE, TRIXIE, BACKPORTS]), "tool (>> 1)") == ["libc 2.41", "tool 4"]


def test_a_term_names_a_suite_by_any_of_its_names() -> None:
    index = index_of([BASE, UPDATES, BACKPORTS, TRIXIE])
    assert chosen(index, "tool/trixie") == ["libc 2.41", "tool 4"]
    assert chosen(index, "tool/bookworm") == chosen(index, "tool/oldstable") == ["libc 2.36", "tool 1"]
    assert chosen(index, "tool/bookworm (= 1) | tool/trixie") == ["libc 2.36", "tool 1"]


def test_pins_of_one_version() -> None:
    index = index_of([BASE, UPDATES, TRIXIE])
    assert [chosen(index, term)[-1] for term in ("tool (= 1)", "tool (<< 1.1)", "tool (>= 1.1)", "tool (= 4)")] == [
        "tool 1",
        "tool 1",
        "tool 1.1",
        "tool 4",
    ]


def test_a_suite_that_the_environment_has_not_is_named() -> None:
    said = failure(index_of([BASE, TRIXIE]), "tool/sid")
    assert "sid is none of the environment's suites, which are bookworm, trixie" in said


def test_a_suite_without_the_package_is_no_way_to_it() -> None:
    assert failure(index_of([BASE, TRIXIE, BACKPORTS]), "newcomer/trixie") == ("asked for is newcomer/trixie; the suites have newcomer 1")


def test_a_package_of_two_suites_is_one_and_belongs_to_the_first() -> None:
    same = package("tool", "4", "libc (>= 2.40)")
    index = index_of([BASE, BACKPORTS, suite("trixie", package("libc", "2.41"), same), suite("sid", same)])
    assert sum(stanza.sha256 == same.sha256 for stanza in index.stanzas) == 1
    assert (index.tier(same.sha256), index.within(same.sha256, "trixie"), index.within(same.sha256, "sid")) == (2, True, True)


def test_what_is_essential_is_for_the_first_suites_to_say() -> None:
    index = index_of([suite("bookworm", package("dash", "1", essential=True)), suite("trixie", package("init", "1", essential=True))])
    assert chosen(index, "dash") == ["dash 1"]


def test_what_is_locked_stays_whatever_its_suite() -> None:
    index = index_of([BASE, TRIXIE])
    staying = {stanza.sha256 for stanza in TRIXIE.stanzas}
    found = resolve(index, ["tool"], "amd64", preferred=staying)
    assert [one.version for one in found] == ["2.41", "4"]


def test_providers_of_earlier_suites_come_first() -> None:
    index = index_of(
        [suite("a", package("one", "1", provides="mta")), suite("b", package("zzz", "1", provides="mta", priority="required"))]
    )
    assert chosen(index, "mta") == ["one 1"]


@pytest.mark.parametrize("suites", [[BASE, TRIXIE], [BASE, SECURITY, UPDATES]])
def test_one_package_by_itself_is_that_of_the_first_suites(suites: Sequence[IndexedSuite]) -> None:
    found = pin(index_of(suites), "tool", "amd64")
    assert found is not None
    assert found.version == ("1" if TRIXIE in suites else "1.2")
