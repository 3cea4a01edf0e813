"""Which package is suggested for what a build did not find; the lines are those of a real suite."""

from collections.abc import Sequence

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef
from lockage.environment.base import OsBase
from lockage.environment.debian import PackagedFile, Stanza
from lockage.environment.declaration import Declaration
from lockage.ports import ServiceUnreachable, UntrustedRelease
from lockage.work.diagnose import Lack, Missing
from lockage.work.lock import lock_environment
from lockage.work.suggest import Suggestions, suggest

CONTENTS = b"""\
usr/bin/cargo                                           devel/cargo-web,rust/cargo
usr/bin/curl-config                 libdevel/libcurl4-gnutls-dev,libdevel/libcurl4-nss-dev,libdevel/libcurl4-openssl-dev
usr/bin/pg_config                                       libdevel/libpq-dev,database/postgresql-common
usr/include/GL/gl.h                                     libdevel/libgl-dev
usr/include/iodbc/sql.h                                 libdevel/libiodbc2-dev
usr/include/libxml2/libxml/xmlversion.h                 libdevel/libxml2-dev
usr/include/sql.h                                       devel/unixodbc-dev
usr/include/wine/wine/windows/sql.h                     libdevel/libwine-dev
usr/include/x86_64-linux-gnu/ffi.h                      libdevel/libffi-dev
usr/lib/cmake/ITK-5.2/Modules/Eigen3Config.cmake        libdevel/libinsighttoolkit5-dev
usr/lib/x86_64-linux-gnu/cmake/Foo/FooConfig.cmake      libdevel/libfoo-dev
usr/lib/x86_64-linux-gnu/darktable/plugins/libjpeg.so   graphics/darktable
usr/lib/x86_64-linux-gnu/hdf5/mpich/libhdf5.so          libdevel/libhdf5-mpich-dev
usr/lib/x86_64-linux-gnu/hdf5/serial/libhdf5.so         libdevel/libhdf5-dev
usr/lib/x86_64-linux-gnu/libjpeg.so                     libdevel/libjpeg62-turbo-dev
usr/lib/x86_64-linux-gnu/libmariadb.so                  libdevel/libmariadb-dev
usr/lib/x86_64-linux-gnu/libxml2.so                     libdevel/libxml2-dev
usr/lib/x86_64-linux-gnu/pkgconfig/mariadb.pc           libdevel/libmariadb-dev
usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc              libdevel/zlib1g-dev
usr/sbin/tool                                           admin/tool
"""
FOR_ALL = b"""\
usr/include/sql.h                                       libdevel/never-asked-for-this-dev
usr/share/eigen3/cmake/Eigen3Config.cmake               libdevel/libeigen3-dev
"""
BASE = OsBase.parse("debian:bookworm")


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    services.os_packages.contents = {"amd64": CONTENTS, "all": FOR_ALL}
    release, stanzas = services.os_packages.suites["bookworm", "amd64"]
    for number, depends in enumerate(["libcurl4-openssl-dev (>= 7), zlib1g-dev", "a | libcurl4-openssl-dev", "libhdf5-dev", "cargo"]):
        stanzas.append(Stanza(f"user{number}", "1", "amd64", f"pool/u{number}", 1, BlobRef.of(b"u").digest, depends=depends))
    services.os_packages.suites["bookworm", "amd64"] = release, stanzas
    return services


@pytest.mark.parametrize(
    ("lack", "name", "package"),
    [
        (Lack.HEADER, "libxml/xmlversion.h", "libxml2-dev"),
        (Lack.HEADER, "sql.h", "unixodbc-dev"),
        (Lack.HEADER, "ffi.h", "libffi-dev"),
        (Lack.HEADER, "GL/gl.h", "libgl-dev"),
        (Lack.PROGRAM, "pg_config", "libpq-dev"),
        (Lack.PROGRAM, "curl-config", "libcurl4-openssl-dev"),
        (Lack.PROGRAM, "cargo", "cargo"),
        (Lack.PROGRAM, "tool", "tool"),
        (Lack.LIBRARY, "jpeg", "libjpeg62-turbo-dev"),
        (Lack.LIBRARY, "zlib", "zlib1g-dev"),
        (Lack.LIBRARY, "ZLIB", "zlib1g-dev"),
        (Lack.LIBRARY, "libxml2", "libxml2-dev"),
        (Lack.LIBRARY, "Foo", "libfoo-dev"),
        (Lack.LIBRARY, "HDF5", "libhdf5-dev"),
        (Lack.LIBRARY, "Eigen3", "libeigen3-dev"),
        (Lack.HEADER, "nosuch.h", None),
        (Lack.LIBRARY, "l.h", None),
        (Lack.MODULE, "numpy", None),
        (Lack.NETWORK, "", None),
    ],
)
def test_the_package_that_a_person_would_install(services: MemoryServices, lack: Lack, name: str, package: str | None) -> None:
    environment = lock_environment(services, "build", Declaration(os=BASE, packages=("dash",)))
    found = suggest(services, environment, [Missing(lack, name)])
    assert found.packages == ((package,) if package else ())
    assert found.failure is None


def test_one_package_serves_for_all_that_it_has(services: MemoryServices) -> None:
    environment = lock_environment(services, "build", Declaration(os=BASE, packages=("dash",)))
    lacks = [Missing(Lack.LIBRARY, "mariadb"), Missing(Lack.LIBRARY, "libmariadb")]
    found = suggest(services, environment, lacks)
    assert found.packages == ("libmariadb-dev",)
    assert str(found) == (
        "libmariadb-dev has /usr/lib/x86_64-linux-gnu/pkgconfig/mariadb.pc; libmariadb-dev has /usr/lib/x86_64-linux-gnu/libmariadb.so."
    )


def test_what_is_installed_is_not_suggested(services: MemoryServices) -> None:
    services.publish("zlib1g-dev", "1")
    environment = lock_environment(services, "build", Declaration(os=BASE, packages=("dash", "zlib1g-dev")))
    found = suggest(services, environment, [Missing(Lack.LIBRARY, "zlib")])
    assert found.packages == ()
    assert str(found) == "zlib1g-dev has /usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc, and is there: tell the build where to look."
    assert found.told == {Missing(Lack.LIBRARY, "zlib")}


def test_who_cannot_be_asked_suggests_nothing_and_says_why(services: MemoryServices, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = lock_environment(services, "build", Declaration(os=BASE, packages=("dash",)))

    def unplugged(*_: object) -> None:
        raise ServiceUnreachable("no answer")

    monkeypatch.setattr(services.os_packages, "files", unplugged)
    found = suggest(services, environment, [Missing(Lack.LIBRARY, "zlib")])
    assert found == Suggestions(failure="no answer")
    assert "no answer" in str(found)


def test_where_a_mirror_has_an_index_wrong_another_suite_tells_of_packages_that_both_have(services: MemoryServices) -> None:
    environment = lock_environment(services, "build", Declaration(os=BASE, packages=("dash",)))
    release, stanzas = services.os_packages.suites["bookworm", "amd64"]
    zlib = Stanza("zlib1g-dev", "2", "amd64", "pool/z", 1, BlobRef.of(b"z").digest)
    services.os_packages.suites["trixie", "amd64"] = release, [*stanzas, zlib]
    own, trixie = services.os_packages.files, msgspec.structs.replace(environment, os=OsBase.parse("debian:trixie"))

    def files(base: OsBase, architecture: str, endings: Sequence[str]) -> Sequence[PackagedFile]:
        if base == trixie.os:
            raise UntrustedRelease("other bytes than the Release names")
        return own(base, architecture, endings)

    services.os_packages.files = files  # type: ignore[method-assign]  # one index of the mirror is damaged
    found = suggest(services, trixie, [Missing(Lack.LIBRARY, "zlib"), Missing(Lack.HEADER, "sql.h")])
    assert found.packages == ("zlib1g-dev",), "trixie has no unixodbc-dev here"
    assert found.failure == "other bytes than the Release names"


def test_a_suite_that_nobody_has_suggests_nothing(services: MemoryServices) -> None:
    environment = lock_environment(services, "build", Declaration(os=BASE, packages=("dash",)))
    services.os_packages.suites.clear()
    found = suggest(services, environment, [Missing(Lack.LIBRARY, "zlib")])
    assert found.packages == ()
    assert found.failure
