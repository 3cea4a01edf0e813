"""A company's package index: credentials from every usual place, its own CA, a proxy; and no secret is written anywhere."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lockage.adapters.memory.store import MemoryBlobs, MemoryMemo
from lockage.adapters.python_index import UvIndex, discover_index
from lockage.environment.python import PythonTarget
from lockage.ports import ServiceUnreachable

_UV = Path(sys.executable).parent / "uv"
_TARGET = PythonTarget(version="3.11", full_version="3.11.2", glibc="2.36", architecture="amd64")
_USER, _PASSWORD = "reader", "s3cret/wörd of-the-index"


class Company:
    """A machine with a home, and the index of the company that it belongs to."""

    def __init__(self, folder: Path, loopback: ModuleType, stack: ExitStack) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.loopback = loopback
        self.stack = stack
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "UV_HTTP_RETRIES": "0"}
        self.blobs = MemoryBlobs()
        self.memo = MemoryMemo()

    def site(self, **options: Any) -> Any:  # Any: the loopback module is not importable by name
        site = self.stack.enter_context(self.loopback.Site(user=_USER, password=_PASSWORD, **options))
        site.serve_wheels(self.loopback.wheel("alpha", "1.0"), self.loopback.wheel("beta", "2.0"))
        return site

    def file(self, path: str, text: str, mode: int = 0o600) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def index(self) -> UvIndex:
        settings = discover_index(self.environ, self.home, root=self.folder)
        cache, python = self.folder / "cache", Path(sys.executable)
        return UvIndex(self.blobs, self.memo, uv=_UV, settings=settings, cache=cache, interpreter=python)

    def use(self) -> None:
        """Resolve, and fetch what was resolved with nothing kept."""
        wheels = self.index().resolve(["alpha", "beta"], _TARGET).wheels
        assert [wheel.name for wheel in wheels] == ["alpha", "beta"]
        self.blobs.data.clear()
        self.index().fetch(wheels)
        assert all(self.blobs.has(wheel.ref) for wheel in wheels)
        kept = repr(self.memo.values).encode() + repr(wheels).encode()
        assert not any(form in kept for form in self.loopback.forms(_PASSWORD))
        assert self.loopback.leaks(_PASSWORD, self.folder / "cache") == []

    def fails(self) -> ServiceUnreachable:
        with pytest.raises(ServiceUnreachable) as caught:
            self.index().resolve(["alpha"], _TARGET)
        told = f"{caught.value.message} {caught.value.hint} {caught.value.details}".encode()
        assert not any(form in told for form in self.loopback.forms(_PASSWORD))
        return caught.value


@pytest.fixture
def company(tmp_path: Path, loopback: ModuleType) -> Iterator[Company]:
    with ExitStack() as stack:
        yield Company(tmp_path, loopback, stack)


def _keyring(company: Company, *, user: str | None) -> None:
    """A keyring program that knows the company's index by its host, and writes down what it was asked."""
    answer = f'"{_PASSWORD}"' if user else f'"{_USER}" "{_PASSWORD}"'
    program = company.file(
        "bin/keyring",
        f'#!/bin/sh\necho "$@" >> {company.folder}/asked\ntest "$DBUS_SESSION_BUS_ADDRESS" = bus || exit 1\n'
        f'case "$2" in http*) exit 1;; 127.0.0.1:*) printf "%s\\n" {answer};; *) exit 1;; esac\n',
        0o700,
    )
    company.environ |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "DBUS_SESSION_BUS_ADDRESS": "bus"}


def _own_setting(company: Company, site: Any) -> None:
    company.environ["LOCKAGE_PYTHON_INDEX"] = site.address("/simple", user=_USER, password=_PASSWORD)


def _pip_variable(company: Company, site: Any) -> None:
    company.environ["PIP_INDEX_URL"] = site.address("/simple", user=_USER, password=_PASSWORD)


def _pip_file(company: Company, site: Any) -> None:
    company.file(".config/pip/pip.conf", f"[global]\nindex-url = {site.address('/simple', user=_USER, password=_PASSWORD)}\n")


def _uv_variables(company: Company, site: Any) -> None:
    company.file(".config/uv/uv.toml", f'[[index]]\nname = "my-company"\nurl = "{site.address("/simple")}"\ndefault = true\n')
    company.environ |= {"UV_INDEX_MY_COMPANY_USERNAME": _USER, "UV_INDEX_MY_COMPANY_PASSWORD": _PASSWORD}


def _netrc(company: Company, site: Any) -> None:
    company.environ["UV_DEFAULT_INDEX"] = site.address("/simple")
    company.file(".netrc", f'machine 127.0.0.1 login {_USER} password "{_PASSWORD}"\n')


def _uv_keyring(company: Company, site: Any) -> None:
    company.environ |= {"UV_DEFAULT_INDEX": site.address("/simple"), "UV_KEYRING_PROVIDER": "subprocess"}
    _keyring(company, user=None)


def _pip_keyring(company: Company, site: Any) -> None:
    address = site.address("/simple").replace("//", f"//{_USER}@")
    company.file(".config/pip/pip.conf", f"[global]\nindex-url = {address}\nkeyring-provider = subprocess\n")
    _keyring(company, user=_USER)


_WAYS = (_own_setting, _pip_variable, _pip_file, _uv_variables, _netrc, _uv_keyring, _pip_keyring)


@pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__.strip("_"))
def test_credentials_are_taken_from_where_they_are(company: Company, way: Callable[[Company, Any], None]) -> None:
    site = company.site()
    way(company, site)
    company.use()
    assert any(path.startswith("/files/") and shown == site.token for path, shown in site.asked), "a file was fetched after a redirect"
    assert site.exposed == []
    asked = company.folder / "asked"
    if asked.exists():
        assert _PASSWORD not in asked.read_text()


def test_an_index_that_refuses_is_told_apart_from_one_that_is_away(company: Company) -> None:
    site = company.site()
    company.environ["LOCKAGE_PYTHON_INDEX"] = site.address("/simple")
    error = company.fails()
    assert "keyring" in error.hint
    assert "UV_INDEX_NAME_USERNAME" in error.hint


def test_a_password_is_not_carried_to_another_server(company: Company) -> None:
    site = company.site()
    with company.loopback.Site() as other:
        name, data = company.loopback.wheel("alpha", "1.0")
        other.pages[f"/files/{name}"] = ("application/octet-stream", data)
        kind, page = site.pages["/simple/alpha/"]
        site.pages["/simple/alpha/"] = (kind, page.replace(b"/redirect/", other.address("/files/").encode()))
        _own_setting(company, site)
        (found,) = company.index().resolve(["alpha"], _TARGET).wheels
        company.blobs.data.clear()
        company.index().fetch([found])
    assert {shown for _, shown in other.asked} == {None}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_a_ca_of_the_companys_own(company: Company, name: str) -> None:
    authority = company.loopback.Authority(company.folder / "ca")
    site = company.site(authority=authority)
    company.environ["PIP_INDEX_URL"] = site.address("/simple", user=_USER, password=_PASSWORD)
    error = company.fails()
    assert "ertificate" in error.message
    assert "SSL_CERT_FILE" in error.hint
    company.environ[name] = str(authority.file)
    company.use()


def test_everything_goes_through_a_proxy_that_wants_a_password(company: Company) -> None:
    authority = company.loopback.Authority(company.folder / "ca")
    site = company.site(authority=authority)
    proxy = company.stack.enter_context(company.loopback.Proxy(user="me", password=_PASSWORD))
    company.environ |= {
        "PIP_INDEX_URL": site.address("/simple", user=_USER, password=_PASSWORD, host="localhost"),
        "SSL_CERT_FILE": str(authority.file),
        "HTTPS_PROXY": proxy.address,
    }
    company.use()
    assert set(proxy.asked) == {f"localhost:{site.server_port}"}
    used = len(proxy.asked)
    company.environ["NO_PROXY"] = "localhost"
    company.use()
    assert len(proxy.asked) == used
    company.environ |= {"NO_PROXY": "", "HTTPS_PROXY": proxy.address.replace("//me", "//you")}
    company.fails()


def test_a_keyring_program_that_fails_or_is_not_there_counts_as_none(company: Company) -> None:
    site = company.site()
    company.environ |= {"UV_DEFAULT_INDEX": site.address("/simple"), "UV_KEYRING_PROVIDER": "subprocess"}
    company.fails()
    program = company.file("bin/keyring", "#!/bin/sh\necho secret\nexit 3\n")
    program.chmod(stat.S_IRWXU)
    company.environ["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    company.fails()
