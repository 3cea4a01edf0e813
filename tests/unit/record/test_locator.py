"""How people name sources."""

from __future__ import annotations

import pytest

from lockage.record.locator import Remote, joined_address, parse_remote, public_address, revisions_of_path, split_subdirectory


@pytest.mark.parametrize(
    ("locator", "address", "revision"),
    [
        ("https://host/shop.git", "https://host/shop.git", None),
        ("https://host/shop.git@v1.2", "https://host/shop.git", "v1.2"),
        ("https://host/shop#feature/x@y", "https://host/shop", "feature/x@y"),
        ("https://me:pass@host/shop@v1", "https://me:pass@host/shop", "v1"),
        ("ssh://git@host:22/shop.git@main", "ssh://git@host:22/shop.git", "main"),
        ("file:///srv/shop", "file:///srv/shop", None),
        ("git@host:team/shop.git", "git@host:team/shop.git", None),
        ("git@host:team/shop.git@v1", "git@host:team/shop.git", "v1"),
        ("https://host/shop@", "https://host/shop", None),
    ],
)
def test_addresses(locator: str, address: str, revision: str | None) -> None:
    assert parse_remote(locator) == Remote(address=address, revision=revision)


@pytest.mark.parametrize(
    "locator", ["shop", "./shop@v1", "/srv/shop", "host:shop", "ext::sh -c x", "git@host::x", "https://host", "ftp://h/x", "-u@h"]
)
def test_what_is_no_address(locator: str) -> None:
    assert parse_remote(locator) is None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://me:secret@host/shop.git", "https://host/shop.git"),
        ("https://token@host:8443/shop", "https://host:8443/shop"),
        ("https://host/shop?token=x", "https://host/shop"),
        ("ssh://git:secret@host/shop", "ssh://git@host/shop"),
        ("git@host:shop", "git@host:shop"),
        ("file:///srv/shop", None),
        ("/srv/shop", None),
        ("../shop", None),
    ],
)
def test_what_of_an_address_is_told_to_others(address: str, public: str | None) -> None:
    assert public_address(address) == public


def test_every_reading_of_a_path_with_a_revision() -> None:
    assert list(revisions_of_path("a@b/c@v1#x")) == [("a", "b/c@v1#x"), ("a@b/c", "v1#x"), ("a@b/c@v1", "x")]
    assert list(revisions_of_path("@x")) == []
    assert list(revisions_of_path("x@")) == []


@pytest.mark.parametrize(
    ("address", "bare", "credentials"),
    [
        ("https://me:s%40cret@host/shop?x", "https://host/shop?x", ("me", "s@cret")),
        ("https://token@host/shop", "https://host/shop", ("token", "")),
        ("https://host/shop", "https://host/shop", None),
        ("ssh://git:secret@host/shop", "ssh://git@host/shop", None),
        ("git@host:shop", "git@host:shop", None),
        ("file:///srv/shop", "file:///srv/shop", None),
    ],
)
def test_credentials_are_taken_out_of_what_git_is_given(address: str, bare: str, credentials: tuple[str, str] | None) -> None:
    remote = Remote(address=address, revision=None)
    assert (remote.bare, remote.credentials) == (bare, credentials)


def test_a_directory_stands_at_the_end() -> None:
    assert split_subdirectory("https://host/r.git@v1#subdirectory=a/b") == ("https://host/r.git@v1", "a/b")
    assert split_subdirectory("r#v1") == ("r#v1", None)
    assert split_subdirectory("r#subdirectory=") == ("r", "")


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("https://me:pw@host/team/shop.git", "../lib.git", "https://me:pw@host/team/lib.git"),
        ("https://host/team/shop.git/", "./sub", "https://host/team/shop.git/sub"),
        ("https://host/team/shop", "../../other/lib", "https://host/other/lib"),
        ("ssh://git@host:22/shop", "../lib", "ssh://git@host:22/lib"),
        ("git@host:team/shop.git", "../lib.git", "git@host:team/lib.git"),
        ("git@host:team/shop.git", "../../lib.git", "git@host:lib.git"),
        ("file:///srv/shop", "../lib", "file:///srv/lib"),
        ("file:///srv/shop", "/srv/lib", "file:///srv/lib"),
        ("file:///srv/shop", "file:///srv/lib", "file:///srv/lib"),
        ("https://host/shop", "https://other/lib.git", "https://other/lib.git"),
        ("https://host/shop", "git@other:lib.git", "git@other:lib.git"),
    ],
)
def test_the_address_of_a_submodule(base: str, url: str, joined: str) -> None:
    assert joined_address(base, url) == joined


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://me:pw@host/shop", "../../../evil.example.org/x"),
        ("https://host/shop", ".."),
        ("https://host/shop", "file:///home/me/private"),
        ("git@host:shop", "file:///home/me/private"),
        ("https://host/shop", "/home/me/private"),
        ("https://host/shop", "ext::sh -c id"),
        ("https://host/shop", "-u./payload"),
        ("https://host/shop", "git://host/x"),
        ("https://host/shop", ""),
        ("/srv/shop", "../lib"),
    ],
)
def test_an_address_that_a_submodule_may_not_have(base: str, url: str) -> None:
    assert joined_address(base, url) is None
