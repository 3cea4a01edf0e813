"""A company's Debian mirror: credentials, its own CA, a proxy, and archives for packages that mirrors have removed."""

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lockage.adapters.debian_mirror import DebianMirror
from lockage.adapters.debian_mirror.discovery import discover_ca, discover_mirrors, discover_proxies, discover_snapshots
from lockage.adapters.memory import FixedClock, MemoryBlobs, MemoryMemo
from lockage.adapters.memory.signed_archive import SignedArchive, SigningKey
from lockage.adapters.openpgp import Keyring
from lockage.base.errors import LockageError
from lockage.base.instant import Instant
from lockage.environment.base import OsBase
from lockage.environment.debian import Index, resolve
from lockage.environment.lock import LockedPackage
from lockage.ports import MirrorUnconfigured, PackageVanished, ServiceUnreachable
from lockage.transfer.credentials import discover_logins

T0 = Instant.parse("2026-01-01T00:00:00Z")
BASE = OsBase.parse("debian:bookworm")
USER, PASSWORD = "builder", "s3cret/wörd"


class Company:
    """A machine with apt's folder, a home and variables; and a signed archive that a server of the company serves."""

    def __init__(self, folder: Path, loopback: ModuleType, stack: ExitStack) -> None:
        self.folder = folder
        self.loopback = loopback
        self.stack = stack
        self.key = SigningKey(created=T0)
        self.archive = SignedArchive(folder / "mirror" / "debian", self.key)
        self.archive.add("a", "1.0", Depends="b")
        self.archive.add("b", "2.0")
        self.archive.publish("bookworm", T0)
        self.apt, self.home = folder / "apt", folder / "home"
        (self.apt / "auth.conf.d").mkdir(parents=True)
        (self.apt / "apt.conf.d").mkdir()
        self.home.mkdir()
        self.environ: dict[str, str] = {}
        self.blobs = MemoryBlobs()

    def site(
        self, *, open_to_all: bool = False, folder: Path | None = None, **options: Any
    ) -> Any:  # Any: the module has no name to import
        who = {} if open_to_all else {"user": USER, "password": PASSWORD}
        return self.stack.enter_context(self.loopback.Site(folder or self.folder / "mirror", **who, **options))

    def mirror(self) -> DebianMirror:
        return DebianMirror(
            self.blobs,
            MemoryMemo(),
            FixedClock(),
            self.folder / "cache",
            mirrors=lambda _: discover_mirrors(self.apt, self.environ.get("LOCKAGE_DEBIAN_MIRROR")),
            verify=Keyring([self.key.public]).verify,
            verify_alone=Keyring().verify,
            proxies=discover_proxies(self.apt, self.environ),
            ca_file=discover_ca(self.apt, self.environ),
            snapshots=lambda: discover_snapshots(self.environ.get("LOCKAGE_DEBIAN_SNAPSHOT")),
            logins=discover_logins(self.apt, self.environ, self.home),
            pause=lambda _: None,
        )

    def lock(self) -> tuple[LockedPackage, ...]:
        return resolve(Index(self.mirror().index(BASE, "amd64")[1]), ["a"], "amd64")

    def use(self) -> None:
        packages = self.lock()
        self.mirror().fetch(BASE, packages)
        assert all(self.blobs.has(package.ref) for package in packages)
        assert self.loopback.leaks(PASSWORD, self.folder / "cache") == []
        assert not any(form in repr(packages).encode() for form in self.loopback.forms(PASSWORD))
        self.blobs.data.clear()

    def fails(self, kind: type[LockageError] = ServiceUnreachable) -> LockageError:
        with pytest.raises(kind) as caught:
            self.lock()
        told = f"{caught.value.message} {caught.value.hint} {caught.value.details}".encode()
        assert not any(form in told for form in self.loopback.forms(PASSWORD))
        return caught.value


@pytest.fixture
def company(tmp_path: Path, loopback: ModuleType) -> Iterator[Company]:
    with ExitStack() as stack:
        yield Company(tmp_path, loopback, stack)


# Credentials


def _sources(company: Company, site: Any) -> None:
    address = site.address("/debian", user=USER, password=PASSWORD)
    (company.apt / "sources.list").write_text(f"deb {address} bookworm main\n")


def _setting(company: Company, site: Any) -> None:
    company.environ["LOCKAGE_DEBIAN_MIRROR"] = site.address("/debian", user=USER, password=PASSWORD)


def _auth_conf(company: Company, site: Any) -> None:
    (company.apt / "sources.list").write_text(f"deb {site.address('/debian')} bookworm main\n")
    (company.apt / "auth.conf").write_text(
        f"machine elsewhere.invalid login x password y\nmachine {site.address()} login {USER}\npassword {PASSWORD}\n"
    )


def _auth_conf_part(company: Company, site: Any) -> None:
    (company.apt / "sources.list").write_text(f"deb {site.address('/debian')} bookworm main\n")
    part = company.apt / "auth.conf.d" / "company.conf"
    part.write_text(f"# ours\nmachine http://127.0.0.1:{site.server_port}/debian login {USER} password {PASSWORD}\n")


def _netrc(company: Company, site: Any) -> None:
    company.environ["LOCKAGE_DEBIAN_MIRROR"] = site.address("/debian")
    (company.home / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")


def _netrc_elsewhere(company: Company, site: Any) -> None:
    company.environ |= {"LOCKAGE_DEBIAN_MIRROR": site.address("/debian"), "NETRC": str(company.folder / "netrc")}
    (company.folder / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")


WAYS = (_sources, _setting, _auth_conf, _auth_conf_part, _netrc, _netrc_elsewhere)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_credentials_are_taken_from_where_they_are(company: Company, way: Callable[[Company, Any], None]) -> None:
    site = company.site()
    way(company, site)
    company.use()
    assert {shown for _, shown in site.asked} == {site.token}


@pytest.mark.parametrize(
    "text",
    [
        "machine {host} login {user} password {password}",  # without a scheme: https only
        "machine http://{host}/other login {user} password {password}",
        "default login {user} password {password}",
        "machine {host} password",
    ],
)
def test_apts_credentials_are_not_for_other_places(company: Company, text: str) -> None:
    site = company.site()
    company.environ["LOCKAGE_DEBIAN_MIRROR"] = site.address("/debian")
    text = text.format(host=f"127.0.0.1:{site.server_port}", user=USER, password=PASSWORD)
    (company.apt / "auth.conf").write_text(text + "\n")
    error = company.fails()
    assert "401" in error.message
    assert "netrc" in error.hint
    assert {shown for _, shown in site.asked} == {None}


def test_a_wrong_setting_with_a_password_is_shown_without_it(company: Company) -> None:
    company.environ["LOCKAGE_DEBIAN_MIRROR"] = f"ftp://{USER}:{PASSWORD}@mirror.example.org/debian".replace("/w", "%2Fw").replace(
        "ö", "%C3%B6"
    )
    error = company.fails(MirrorUnconfigured)
    assert "mirror.example.org" in error.message
    assert "s3cret" not in f"{error.message}{error.details}"


# Its own CA, and a proxy


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "apt"])
def test_a_ca_of_the_companys_own(company: Company, name: str) -> None:
    authority = company.loopback.Authority(company.folder / "ca")
    site = company.site(authority=authority)
    _setting(company, site)
    error = company.fails()
    assert "CERTIFICATE_VERIFY_FAILED" in error.message
    assert "SSL_CERT_FILE" in error.hint
    if name == "apt":
        (company.apt / "apt.conf.d" / "90company").write_text(f'Acquire::https::CaInfo "{authority.file}";\n')
    else:
        company.environ[name] = str(authority.file)
    company.use()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("where", ["lower", "upper", "all", "apt"])
def test_everything_goes_through_a_proxy_that_wants_a_password(company: Company, secure: bool, where: str) -> None:
    authority = company.loopback.Authority(company.folder / "ca") if secure else None
    site = company.site(authority=authority)
    proxy = company.stack.enter_context(company.loopback.Proxy(user="me", password=PASSWORD))
    company.environ["LOCKAGE_DEBIAN_MIRROR"] = site.address("/debian", user=USER, password=PASSWORD, host="localhost")
    if authority is not None:
        company.environ["SSL_CERT_FILE"] = str(authority.file)
    if where == "apt":
        (company.apt / "apt.conf").write_text(f'Acquire::http::Proxy "{proxy.address}";\n')
    else:
        names = {"lower": ("http_proxy", "https_proxy"), "upper": ("HTTP_PROXY", "HTTPS_PROXY"), "all": ("ALL_PROXY",)}[where]
        company.environ |= dict.fromkeys(names, proxy.address)
    company.use()
    assert proxy.asked
    assert all(f"localhost:{site.server_port}" in asked for asked in proxy.asked)
    used = len(proxy.asked)
    if where == "apt":
        (company.apt / "apt.conf.d" / "direct").write_text('Acquire::http::Proxy::localhost "DIRECT";\n')
    else:
        company.environ["no_proxy"] = "localhost"
    company.use()
    assert len(proxy.asked) == used


@pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning"
)  # http.client of Python 3.11 does not close a refused tunnel's answer
def test_a_proxy_that_refuses_is_named(company: Company) -> None:
    authority = company.loopback.Authority(company.folder / "ca")
    proxy = company.stack.enter_context(company.loopback.Proxy(user="me", password=PASSWORD))
    company.environ |= {"SSL_CERT_FILE": str(authority.file)}
    for options in ({}, {"authority": authority}):
        site = company.site(**options)
        company.environ["LOCKAGE_DEBIAN_MIRROR"] = site.address("/debian")
        company.environ |= dict.fromkeys(("http_proxy", "https_proxy"), proxy.address.replace("//me", "//you"))
        error = company.fails()
        assert "407" in error.message
        assert "proxy" in error.hint
        del error
        gc.collect()  # so that it warns here


def test_a_header_of_a_cgi_program_is_no_proxy(tmp_path: Path) -> None:
    assert discover_proxies(tmp_path, {"HTTP_PROXY": "http://stranger.invalid", "REQUEST_METHOD": "GET"}) == {"no": ""}


# Packages that mirrors have removed


def _keep_old_packages(company: Company, moment: str) -> tuple[Any, Any, tuple[LockedPackage, ...]]:
    """A mirror that has removed ``b``, and an archive of old packages that shows it at one moment."""
    site = company.site(open_to_all=True)
    company.environ["LOCKAGE_DEBIAN_MIRROR"] = site.address("/debian")
    packages = company.lock()
    (removed,) = (package for package in packages if package.name == "b")
    old = company.folder / "archive" / moment / removed.path
    old.parent.mkdir(parents=True)
    (company.archive.folder / removed.path).rename(old)
    return site, company.site(open_to_all=True, folder=company.folder / "archive"), packages


@pytest.mark.parametrize("moment", ["20260101T060000Z", "20260102T000000Z", "20260101T000000Z"])
def test_a_package_that_every_mirror_has_removed_comes_from_an_archive(company: Company, moment: str) -> None:
    _, archive, packages = _keep_old_packages(company, moment)
    with pytest.raises(PackageVanished) as caught:
        company.mirror().fetch(BASE, packages, as_of=str(T0))
    assert "LOCKAGE_DEBIAN_SNAPSHOT" in caught.value.hint
    assert caught.value.details["package"] == "b"
    company.environ["LOCKAGE_DEBIAN_SNAPSHOT"] = archive.address("/{date}")
    company.mirror().fetch(BASE, packages, as_of=str(T0))
    assert all(company.blobs.has(package.ref) for package in packages)
    assert {path.partition("/pool/")[2] for path, _ in archive.asked} == {"main/b/b/b_2.0_amd64.deb"}, "only the one that is gone"


def test_an_archive_without_dates_serves_as_well_and_is_not_believed(company: Company) -> None:
    _, archive, packages = _keep_old_packages(company, "all")
    company.environ["LOCKAGE_DEBIAN_SNAPSHOT"] = archive.address("/all")
    (old,) = (company.folder / "archive").rglob("*.deb")
    good = old.read_bytes()
    old.write_bytes(good[:-1] + b"!")
    with pytest.raises(LockageError) as caught:
        company.mirror().fetch(BASE, packages, as_of="long ago")
    assert caught.value.code == "package-changed"
    old.write_bytes(good)
    company.mirror().fetch(BASE, packages, as_of="long ago")


def test_an_archive_is_not_asked_where_no_mirror_answers_nor_for_a_suite(company: Company) -> None:
    site, archive, packages = _keep_old_packages(company, "all")
    company.environ["LOCKAGE_DEBIAN_SNAPSHOT"] = archive.address("/all")
    site.shutdown()
    site.server_close()
    with pytest.raises(ServiceUnreachable):
        company.mirror().fetch(BASE, packages)
    company.fails()
    assert archive.asked == []


def test_an_archive_that_has_not_got_it_either_is_said(company: Company) -> None:
    _, archive, packages = _keep_old_packages(company, "all")
    company.environ["LOCKAGE_DEBIAN_SNAPSHOT"] = archive.address("/nothing-here")
    with pytest.raises(PackageVanished) as caught:
        company.mirror().fetch(BASE, packages)
    assert "Add an archive" in caught.value.hint
    company.environ["LOCKAGE_DEBIAN_SNAPSHOT"] = "snapshot.example.org"
    with pytest.raises(MirrorUnconfigured, match="LOCKAGE_DEBIAN_SNAPSHOT"):
        company.mirror().fetch(BASE, packages)
