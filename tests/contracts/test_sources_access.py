"""A company's git server: credentials, its own CA, a proxy."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.source_directory import DirectorySource
from lockage.adapters.source_git import GitSource
from lockage.adapters.source_router import SourceRouter
from lockage.adapters.source_sdist import SdistSource
from lockage.ports import ServiceUnreachable, SourceRead
from lockage.record.source import CommitOrigin

USER, PASSWORD = "reader", "s3cret/wörd"
PLAIN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


class Company:
    """A machine, and a server of a company that has one repository and its own CA."""

    def __init__(self, folder: Path, loopback: ModuleType, stack: ExitStack) -> None:
        self.folder = folder
        self.loopback = loopback
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}
        self.authority = loopback.Authority(folder / "ca")
        self.site = stack.enter_context(loopback.Site(folder / "served", user=USER, password=PASSWORD, authority=self.authority))
        self.proxy = stack.enter_context(loopback.Proxy(user="me", password=PASSWORD))
        work = folder / "work"
        work.mkdir()
        (work / "a.txt").write_text("a\n")
        self.git(work, "init", "-q", "-b", "main")
        self.git(work, "add", "a.txt")
        self.git(work, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "one")
        self.git(folder, "clone", "-q", "--bare", str(work), str(folder / "served" / "shop.git"))
        self.git(folder / "served" / "shop.git", "update-server-info")

    def git(self, folder: Path, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(folder), *arguments], env={**os.environ, **PLAIN}, check=True, capture_output=True)

    def read(self, host: str = "localhost", password: str = PASSWORD) -> SourceRead:
        blobs = MemoryBlobs()
        directories = DirectorySource(blobs)
        repositories = GitSource(
            blobs, MemoryMemo(), clones=self.folder / "clones", environment=self.environ, snapshot=directories.snapshot
        )
        router = SourceRouter(
            repositories=lambda: repositories,
            archives=lambda: SdistSource(blobs, MemoryMemo()),
            directories=lambda: directories,
            here=self.folder,
        )
        return router.read(self.site.address("/shop.git", user=USER, password=password, host=host))

    def fails(self, **options: Any) -> ServiceUnreachable:
        with pytest.raises(ServiceUnreachable) as caught:
            self.read(**options)
        told = f"{caught.value.message} {caught.value.hint} {caught.value.details}".encode()
        assert not any(form in told for form in self.loopback.forms(PASSWORD))
        return caught.value


@pytest.fixture
def company(tmp_path: Path, loopback: ModuleType) -> Iterator[Company]:
    with ExitStack() as stack:
        yield Company(tmp_path, loopback, stack)


@pytest.mark.parametrize("way", ["SSL_CERT_FILE", "GIT_SSL_CAINFO", "configuration", "configuration of the server", "both"])
def test_a_ca_of_the_companys_own_and_a_password(company: Company, way: str) -> None:
    error = company.fails()
    assert "certificate" in error.message
    assert "SSL_CERT_FILE" in error.hint
    configuration = company.folder / "gitconfig"
    if way == "both":  # what git is told itself counts more
        (company.folder / "none.pem").write_text("")
        company.environ["SSL_CERT_FILE"] = str(company.folder / "none.pem")
    if way.startswith(("configuration of", "both")):
        configuration.write_text(f'[http "{company.site.address(host="localhost")}"]\n\tsslCAInfo = {company.authority.file}\n')
    elif way == "configuration":
        configuration.write_text(f"[http]\n\tsslCAInfo = {company.authority.file}\n")
    else:
        company.environ[way] = str(company.authority.file)
    origin = company.read().origin
    assert isinstance(origin, CommitOrigin)
    assert PASSWORD not in repr(origin)
    assert company.loopback.leaks(PASSWORD, company.folder / "clones") == []
    assert company.site.exposed == []


def test_a_wrong_password_is_not_shown(company: Company) -> None:
    company.environ["SSL_CERT_FILE"] = str(company.authority.file)
    error = company.fails(password=f"not {PASSWORD}")
    assert "credentials" in error.hint


def test_everything_goes_through_a_proxy_that_wants_a_password(company: Company) -> None:
    company.environ |= {"SSL_CERT_FILE": str(company.authority.file), "https_proxy": company.proxy.address}
    company.read()
    assert set(company.proxy.asked) == {f"localhost:{company.site.server_port}"}
    used = len(company.proxy.asked)
    company.environ["no_proxy"] = "localhost"
    company.read()
    assert len(company.proxy.asked) == used
    company.environ |= {"no_proxy": "", "https_proxy": company.proxy.address.replace("//me", "//you")}
    company.fails()
