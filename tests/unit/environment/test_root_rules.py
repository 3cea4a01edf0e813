"""Packages become a root: aliases, collisions, and what maintainer scripts would have done."""

import pytest

from lockage.adapters.sandbox_bwrap.contents import etc_files
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root import (
    Entry,
    InvalidPackage,
    Kind,
    Member,
    Package,
    PackagesCollide,
    UnsupportedPackage,
    assemble,
    complete,
    normal_mode,
    python_of,
    refuse_escaping_link,
    with_aliases,
    with_parents,
)
from lockage.environment.root.assembling import aliased
from lockage.environment.root.rules import ALIASES, ALTERNATIVES, COMPILER_SPECS, FILES, FOLDERS, LINKS
from lockage.variation import CONTRACT


def file(path: str, content: str = "x", mode: int = 0o644) -> Member:
    data = content.encode()
    return Member(path=RelPath(path), kind=Kind.FILE, mode=mode, size=len(data), sha256=Digest.of(data), source=content)


def folder(path: str, mode: int = 0o755) -> Member:
    return Member(path=RelPath(path), kind=Kind.DIRECTORY, mode=mode)


def symlink(path: str, target: str) -> Member:
    return Member(path=RelPath(path), kind=Kind.LINK, mode=0o777, target=target)


def package(name: str, *members: Member, replaces: str = "", control: str = "") -> Package:
    return Package(name=name, members=members, replaces=frozenset(replaces.split()), control=control)


def finished(*packages: Package) -> tuple[dict[RelPath, Entry], dict[RelPath, bytes]]:
    entries = assemble(packages)
    return entries, complete(entries, packages, lambda entry: entry.source.encode(), 1)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("bin/sh", "usr/bin/sh"),
        ("lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("lib64/ld.so", "usr/lib64/ld.so"),
        ("var/run/lock/x", "run/lock/x"),
        ("var/lock/x", "run/lock/x"),
        ("bin", "bin"),
        ("var/run", "var/run"),
        ("var/runner/x", "var/runner/x"),
        ("binary/x", "binary/x"),
        ("usr/bin/sh", "usr/bin/sh"),
        ("etc", "etc"),
    ],
)
def test_paths_below_an_alias_move(there: str, here: str) -> None:
    assert aliased(RelPath(there)) == here


def test_aliases_are_links_and_only_those_that_are_used() -> None:
    entries = with_parents(with_aliases(assemble([package("a", folder("bin"), file("bin/sh"), symlink("lib", "usr/lib"))])))
    assert {path: entry.target for path, entry in entries.items() if entry.kind is Kind.LINK} == {
        "bin": "usr/bin",
        "sbin": "usr/sbin",
        "lib": "usr/lib",
        "var/lock": "/run/lock",
        "var/run": "/run",
    }
    assert entries[RelPath("usr/bin/sh")].kind is Kind.FILE
    assert "lib64" in with_aliases(assemble([package("a", file("lib64/ld.so"))]))


def test_hardlinks_share_the_file_below_its_new_path() -> None:
    hardlink = Member(path=RelPath("bin/uncompress"), kind=Kind.HARDLINK, mode=0o755, target="bin/gunzip")
    entries = assemble([package("gzip", file("bin/gunzip"), hardlink)])
    assert entries[RelPath("usr/bin/uncompress")].source == entries[RelPath("usr/bin/gunzip")].source


def test_a_collision_names_both_packages_and_the_path() -> None:
    with pytest.raises(PackagesCollide) as caught:
        assemble([package("one", file("etc/x", "1")), package("two", file("etc/x", "2"))])
    assert caught.value.details == {"path": "etc/x", "packages": ("one", "two")}


@pytest.mark.parametrize(("one", "two", "stays"), [("two", "", "1"), ("", "one", "2")])
def test_the_package_that_replaces_the_other_wins(one: str, two: str, stays: str) -> None:
    pair = [package("one", file("etc/x", "1"), replaces=one), package("two", file("etc/x", "2"), replaces=two)]
    assert assemble(pair)[RelPath("etc/x")].source == stays
    assert assemble(pair[::-1]) == assemble(pair)


def test_equal_files_of_two_packages_are_one() -> None:
    assert assemble([package("b", file("etc/x")), package("a", file("etc/x"))])[RelPath("etc/x")].package == "a"


def test_base_files_says_how_its_folders_are() -> None:
    entries = assemble([package("aaa", folder("tmp")), package("base-files", folder("tmp", 0o1777))])
    assert entries[RelPath("tmp")].mode == 0o1777


def test_nothing_lies_below_a_link() -> None:
    with pytest.raises(PackagesCollide, match="usr/share/doc"):
        assemble([package("a", symlink("usr/share/doc/x", "y")), package("b", file("usr/share/doc/x/f"))])


@pytest.mark.parametrize(("path", "target"), [("a", ".."), ("a/b", "../../c"), ("a", "b/../../c"), ("a", ""), ("a/b", "../b/../../x")])
def test_links_out_of_the_root_are_refused(path: str, target: str) -> None:
    with pytest.raises(InvalidPackage):
        refuse_escaping_link(RelPath(path), target, "p")


@pytest.mark.parametrize(("path", "target"), [("a/b", "../c"), ("a", "/etc/x"), ("a", "b/../c"), ("a/b/c", "../../d")])
def test_links_within_the_root_are_kept(path: str, target: str) -> None:
    refuse_escaping_link(RelPath(path), target, "p")


def test_no_mode_gains_privileges_or_hides_from_its_owner() -> None:
    assert normal_mode(0o6755, Kind.FILE) == 0o755
    assert normal_mode(0o000, Kind.FILE) == 0o400
    assert normal_mode(0o3777, Kind.DIRECTORY) == 0o1777
    assert normal_mode(0o000, Kind.DIRECTORY) == 0o700


def test_the_first_candidate_there_is_becomes_the_command() -> None:
    both, _ = finished(package("a", file("usr/bin/gawk"), file("usr/bin/mawk", "m")))
    assert both[RelPath("usr/bin/awk")].target == "gawk"
    one, _ = finished(package("a", file("usr/bin/mawk")))
    assert one[RelPath("usr/bin/awk")].target == "mawk"
    none, _ = finished(package("a"))
    assert "usr/bin/awk" not in none


def test_a_star_takes_the_last_match_and_other_folders_are_absolute() -> None:
    entries, _ = finished(
        package("a", file("usr/lib/jvm/java-17/bin/java"), file("usr/lib/jvm/java-21/bin/java", "n"), file("usr/bin/cpp"))
    )
    assert entries[RelPath("usr/bin/java")].target == "/usr/lib/jvm/java-21/bin/java"
    assert entries[RelPath("usr/lib/cpp")].target == "/usr/bin/cpp"


def test_what_a_package_ships_is_not_changed() -> None:
    shipped = (file("etc/passwd", "mine"), file("usr/bin/cc", "own"), file("usr/bin/gcc", "g"), symlink("etc/localtime", "x"))
    entries, added = finished(package("a", *shipped))
    assert entries[RelPath("etc/passwd")].source == "mine"
    assert entries[RelPath("usr/bin/cc")].source == "own"
    assert entries[RelPath("etc/localtime")].target == "x"
    assert "etc/passwd" not in added


def test_certificates_are_joined_in_the_order_of_the_bytes_of_their_names() -> None:
    names = ("\u0151.crt", "b.crt", "A.crt", "readme.txt")
    _, added = finished(package("ca-certificates", *(file(f"usr/share/ca-certificates/m/{name}", name) for name in names)))
    assert added[RelPath("etc/ssl/certs/ca-certificates.crt")].decode() == "A.crt\nb.crt\n\u0151.crt\n"
    assert added[RelPath("etc/ca-certificates.conf")].decode() == "m/A.crt\nm/b.crt\nm/\u0151.crt\n"


def test_dpkg_lists_what_is_there() -> None:
    _, added = finished(package("b", control="Package: b\nVersion: 2\n"), package("a", control="Package: a\nVersion: 1\n"))
    assert added[RelPath("var/lib/dpkg/status")].decode() == (
        "Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nVersion: 2\n"
    )


def test_the_python_of_a_root_has_a_place_for_wheels() -> None:
    entries, _ = finished(package("python3-minimal", symlink("usr/bin/python3", "python3.13")))
    assert python_of(entries) == "3.13"
    assert entries[RelPath("usr/local/lib/python3.13/dist-packages")].kind is Kind.DIRECTORY


def test_files_in_usr_local_are_refused() -> None:
    with pytest.raises(UnsupportedPackage, match="usr/local/bin/x"):
        finished(package("vendor", file("usr/local/bin/x")))


def test_every_parent_is_an_entry() -> None:
    entries, _ = finished(package("a", file("opt/a/b/c")))
    assert all(path.parent is None or entries[path.parent].kind is Kind.DIRECTORY for path in entries)


def test_the_tables_are_sorted_and_well_formed() -> None:
    names = [name for name, _ in ALTERNATIVES if "linux-gnu" not in name]
    assert [names, [name for name, _ in FOLDERS], list(FILES)] == [sorted(names), sorted(name for name, _ in FOLDERS), sorted(FILES)]
    for text in [*names, *FILES, *ALIASES, *(name for name, _ in FOLDERS), *(name for name, _ in LINKS)]:
        RelPath(text)


def test_who_and_where_a_step_is_needs_no_mount() -> None:
    """The sandbox shows its own files only where the root's are not the same bytes; in the contract's world they all are."""
    shown = {path.lstrip("/"): data for path, data in etc_files(CONTRACT).items()}
    assert {path: FILES[path].encode() for path in shown} == shown


def test_every_gcc_reads_where_the_build_path_is_mapped() -> None:
    entries, added = finished(
        package("cpp-12", file("usr/lib/gcc/x86_64-linux-gnu/12/cc1")),
        package("g++-15", file("usr/libexec/gcc/aarch64-linux-gnu/15/cc1plus"), file("usr/libexec/gcc/aarch64-linux-gnu/15/f951")),
        package("odd", file("usr/lib/gcc/x86_64-linux-gnu/9/cc1"), file("usr/lib/gcc/x86_64-linux-gnu/9/specs", "its own")),
    )
    ours = {path for path, data in added.items() if path.name == "specs" and b"@/etc/compiler-options" in data}
    assert ours == {RelPath("usr/lib/gcc/aarch64-linux-gnu/15/specs"), RelPath("usr/lib/gcc/x86_64-linux-gnu/12/specs")}
    assert entries[RelPath("usr/lib/gcc/aarch64-linux-gnu/15")].kind is Kind.DIRECTORY
    assert all(line.endswith(" ") for line in COMPILER_SPECS.splitlines() if line.startswith("+")), "what follows would be joined to it"


def test_a_root_without_gcc_has_no_specs() -> None:
    assert not [path for path in finished(package("a", file("usr/bin/a")))[1] if path.name == "specs"]
