import pytest

from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.environment.debian import (
    Relation,
    fields,
    parse_field,
    parse_packages,
    parse_release,
    parse_term,
    stanzas_from_memo,
    stanzas_to_memo,
)
from lockage.environment.errors import InvalidIndex, InvalidRelation

PACKAGES = b"""\
Package: dash
Version: 0.5.12-2
Essential: yes
Architecture: amd64
Multi-Arch: allowed
Depends: debianutils (>= 5.6-0.1),
 dpkg (>= 1.19.1)
Pre-Depends: libc6 (>= 2.36)
Description: a shell
 Depends: not a field
Priority: required
Filename: pool/main/d/dash/dash_0.5.12-2_amd64.deb
Size: 97024
SHA256: 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f


Package: last
Version: 1
Architecture: all
Filename: pool/l.deb
Size: 1
SHA256: 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f"""

RELEASE = """\
Origin: Debian
Suite: oldstable
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
MD5Sum:
 0123 12 main/ignored
SHA256:
 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f     1484 main/binary-amd64/Packages.xz
"""
DIGEST = Digest("0" * 64)


def test_a_stanza_has_its_fields_and_continuation_lines_are_joined() -> None:
    dash, last = parse_packages([PACKAGES])
    assert (dash.name, dash.version, dash.size, dash.essential, dash.multi_arch) == ("dash", "0.5.12-2", 97024, True, "allowed")
    assert dash.depends == "debianutils (>= 5.6-0.1), dpkg (>= 1.19.1)"
    assert dash.pre_depends == "libc6 (>= 2.36)"
    assert (last.name, last.essential, last.depends) == ("last", False, "")


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_it_does_not_matter_in_which_pieces_an_index_comes(size: int) -> None:
    pieces = [PACKAGES[at : at + size] for at in range(0, len(PACKAGES), size)]
    assert parse_packages(pieces) == parse_packages([PACKAGES])


@pytest.mark.parametrize("field", [b"Version", b"Filename", b"Size", b"SHA256", b"Package"])
def test_a_stanza_without_an_obligatory_field_is_refused(field: bytes) -> None:
    with pytest.raises(InvalidIndex, match="lacks"):
        parse_packages([PACKAGES.replace(field + b":", b"X-" + field + b":")])


def test_stanzas_survive_the_memo_and_a_damaged_memo_counts_as_none() -> None:
    stanzas = parse_packages([PACKAGES])
    memo = stanzas_to_memo(stanzas)
    assert stanzas_from_memo(memo) == stanzas
    assert stanzas_from_memo(memo[:-1] + b"x") is None
    assert stanzas_from_memo(b"") is None


def test_a_release_file() -> None:
    release = parse_release(RELEASE, DIGEST)
    assert (release.suite, release.codename, release.origin, release.acquire_by_hash) == ("oldstable", "bookworm", "Debian", True)
    assert (release.date, release.valid_until) == (Instant.parse("2026-07-11T10:16:37Z"), Instant.parse("2026-07-18T10:16:37Z"))
    assert release.files["main/binary-amd64/Packages.xz"].size == 1484
    assert "main/ignored" not in release.files


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Date: Sat, 11 Jul", "Date: Sat, 11 Juli"),
        ("Date:", "X-Date:"),
        ("     1484", ""),
        ("Suite: oldstable", "Suite: a\nSuite: b"),
        (" UTC", " CEST"),
    ],
    ids=["month", "no-date", "file-without-size", "field-twice", "time-zone"],
)
def test_a_malformed_release_file_is_refused(old: str, new: str) -> None:
    with pytest.raises(InvalidIndex, match="Release file"):
        parse_release(RELEASE.replace(old, new, 1), DIGEST)


def test_comments_and_continuations_in_a_paragraph() -> None:
    assert fields("# note\nA: 1\n 2\n# note\n\t3\nB:x") == {"a": "1\n2\n3", "b": "x"}
    with pytest.raises(ValueError, match="continuation"):
        fields(" lost\n")
    with pytest.raises(ValueError, match="not a field"):
        fields("A: 1\nlost\n")


def test_a_term_with_everything() -> None:
    (relation, other) = parse_term("python3-dev:any (>= 3.11) [amd64 arm64] | gcc")
    assert relation == Relation(name="python3-dev", operator=">=", version="3.11", qualifier="any", restrictions=("amd64", "arm64"))
    assert str(relation) == "python3-dev:any (>= 3.11)"
    assert other == Relation(name="gcc")


def test_obsolete_operators_mean_or_equal() -> None:
    assert [term[0].operator for term in parse_field("a (< 1), b (> 1)")] == ["<=", ">="]


@pytest.mark.parametrize(
    ("restriction", "applies"),
    [("[amd64]", True), ("[arm64]", False), ("[!amd64]", False), ("[!arm64 !i386]", True), ("[linux-any]", True), ("", True)],
)
def test_architecture_restrictions(restriction: str, applies: bool) -> None:
    assert parse_term(f"gcc {restriction}")[0].applies("amd64") is applies


@pytest.mark.parametrize(
    "text", ["", "a,b", "gcc >= 3", "gcc (3)", "gcc (>= )", "gcc (>= 1_2)", "gcc |", "-gcc", "gcc <!nocheck>", "gcc (== 3)", "gcc clang"]
)
def test_malformed_terms_are_refused(text: str) -> None:
    with pytest.raises(InvalidRelation):
        parse_term(text)
