"""What scripts say to update-alternatives, read and not run; and what a root has of it."""

import random

import pytest

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root import Kind, Member, Package, assemble, complete
from lockage.environment.root.alternatives import Alternative, alternatives_of

OPENBLAS = """#!/bin/sh
set -e
update-alternatives --install /usr/lib/libblas.so \\
                    libblas.so \\
                    /usr/lib/openblas/libblas.so \\
                    100 \\
                    --slave /usr/include/cblas.h cblas.h \\
                    /usr/include/openblas/cblas.h \\
                    --slave /usr/lib/pkgconfig/blas.pc blas.pc /usr/lib/openblas/blas.pc
exit 0
"""
LOOP = """
multiarch=x86_64
priority=1711
basedir="/usr/lib/jvm/java-17"
tools='java keytool'
case "$1" in
configure)
    for i in $tools; do
        slave=$(something)
        update-alternatives --install /usr/bin/$i $i ${basedir}/bin/$i $priority $slave
    done # tools
esac
"""


def test_a_call_over_several_lines_with_what_goes_along() -> None:
    assert alternatives_of(OPENBLAS) == (
        Alternative(
            name="libblas.so",
            link="/usr/lib/libblas.so",
            path="/usr/lib/openblas/libblas.so",
            priority=100,
            slaves=(("/usr/include/cblas.h", "/usr/include/openblas/cblas.h"), ("/usr/lib/pkgconfig/blas.pc", "/usr/lib/openblas/blas.pc")),
        ),
    )


def test_a_loop_over_words_with_variables() -> None:
    assert [(one.link, one.path, one.priority, one.slaves) for one in alternatives_of(LOOP)] == [
        ("/usr/bin/java", "/usr/lib/jvm/java-17/bin/java", 1711, ()),
        ("/usr/bin/keytool", "/usr/lib/jvm/java-17/bin/keytool", 1711, ()),
    ]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("update-alternatives --install /a a /b 1", 1),
        ("  /usr/sbin/update-alternatives --quiet --install '/a' \"a\" /b 1 || true", 1),
        ('if [ "$1" = configure ]; then update-alternatives --install /a a /b 1; fi', 1),
        ("update-alternatives --install /a a /b 1 # as before", 1),
        ("update-alternatives --install /a a /b -5 > /dev/null", 1),
        ("# update-alternatives --install /a a /b 1", 0),
        ("echo update-alternatives --install /a a /b 1", 0),
        ("update-alternatives --install /a a /$flavour/b 1", 0),
        ("update-alternatives --install /a a `which b` 1", 0),
        ("update-alternatives --install /a a $(which b) 1", 0),
        ("update-alternatives --install a a /b 1", 0),
        ("update-alternatives --install /a a /b high", 0),
        ("update-alternatives --remove a /b", 0),
        ("update-alternatives --install /a a", 0),
        ("update-alternatives --install /a a '/b 1", 0),
        ("", 0),
        ("for x in $unknown; do\nupdate-alternatives --install /$x x /b 1\ndone", 0),
        ("x=$(date)\nupdate-alternatives --install /$x x /b 1", 0),
        ("x=1\nx=$2\nupdate-alternatives --install /$x x /b 1", 0),
        ("done", 0),
        ("; ;", 0),
    ],
)
def test_only_what_is_certain_counts(line: str, count: int) -> None:
    assert len(alternatives_of(f"#!/bin/sh\n{line}\n")) == count


def test_a_slave_that_is_not_understood_is_left_out() -> None:
    (found,) = alternatives_of("update-alternatives --install /a a /b 1 --slave /c c $x/d --slave /e e /f")
    assert found.slaves == (("/e", "/f"),)


def test_a_script_cannot_go_on_for_ever() -> None:
    assert len(alternatives_of("update-alternatives --install /a a /b 1\n" * 3000)) == 2000


def package(name: str, script: str, *paths: str) -> Package:
    members = tuple(Member(path=RelPath(path), kind=Kind.FILE, mode=0o644, sha256=Digest.of(b"")) for path in paths)
    return Package(name=name, members=members, control=f"Package: {name}\n", script=script)


def links(packages: list[Package], realiser: int = 2) -> dict[str, str]:
    entries = assemble(packages)
    complete(entries, packages, lambda _: b"", realiser)
    shipped = {member.path for one in packages for member in one.members}
    return {str(path): entry.target for path, entry in entries.items() if entry.kind is Kind.LINK and path not in shipped}


def call(link: str, path: str, priority: int, *slaves: str) -> str:
    return f"update-alternatives --install {link} tool {path} {priority} {' '.join(f'--slave {slave}' for slave in slaves)}\n"


LOW = package(
    "low", call("/usr/bin/tool", "/usr/bin/tool-low", 10, "/usr/share/x x /usr/share/x-low"), "usr/bin/tool-low", "usr/share/x-low"
)
HIGH = package("high", call("/usr/bin/tool", "/opt/high/tool", 20, "/usr/share/x x /nowhere"), "opt/high/tool")


def test_the_highest_priority_decides_and_its_slaves_go_along() -> None:
    assert links([LOW])["usr/bin/tool"] == "tool-low"
    assert links([LOW])["usr/share/x"] == "x-low"
    found = links([LOW, HIGH])
    assert found["usr/bin/tool"] == "/opt/high/tool"
    assert "usr/share/x" not in found, "the chosen one has none"


def test_equal_priorities_do_not_depend_on_the_order_of_packages() -> None:
    packages = [package(name, call("/usr/bin/tool", f"/usr/bin/{name}", 5), f"usr/bin/{name}") for name in ("c", "a", "b")]
    dice = random.Random(1)
    assert {links(dice.sample(packages, 3))["usr/bin/tool"] for _ in range(9)} == {"a"}


def test_a_candidate_that_the_root_has_not_does_not_count() -> None:
    absent = package("absent", call("/usr/bin/tool", "/usr/bin/gone", 99))
    assert links([LOW, absent])["usr/bin/tool"] == "tool-low"


def test_paths_below_aliases_are_where_the_alias_leads() -> None:
    assert links([package("p", call("/bin/tool", "/bin/t", 1), "bin/t")])["usr/bin/tool"] == "t"


@pytest.mark.parametrize("shipped", ["usr/bin/tool", "usr/bin/tool/below", "usr/bin"])
def test_what_a_package_ships_is_never_replaced(shipped: str) -> None:
    own = package("own", "", shipped)
    other = package("p", call("/usr/bin/tool" if shipped != "usr/bin" else "/usr/bin/x/tool", "/opt/t", 1), "opt/t")
    assert {path: target for path, target in links([own, other]).items() if "tool" in path} == {}


@pytest.mark.parametrize("link", ["/usr/../etc/x", "//x", "/"])
def test_a_link_that_leads_nowhere_is_passed_over(link: str) -> None:
    assert set(links([package("p", call(link, "/opt/t", 1), "opt/t")])) == set(links([package("p", "", "opt/t")]))


def test_the_first_realiser_does_not_look_at_scripts() -> None:
    assert "usr/bin/tool" not in links([LOW, HIGH], realiser=1)


def test_certificates_are_where_openssl_looks() -> None:
    authority = package("ca-certificates", "", "usr/share/ca-certificates/a.crt", "usr/lib/ssl/openssl.cnf")
    assert links([authority])["usr/lib/ssl/cert.pem"] == "/etc/ssl/certs/ca-certificates.crt"
    assert "usr/lib/ssl/cert.pem" not in links([authority], realiser=1)
