from pathlib import Path

import pytest

from lockage.adapters.debian_mirror import Mirror, discover_mirrors, discover_proxies
from lockage.ports import MirrorUnconfigured


def apt(root: Path, **files: str) -> Path:
    """An /etc/apt; ``__`` in a name is a dot, and what ends in list, sources or conf goes to its folder unless it is the main file."""
    for name, text in files.items():
        file = name.replace("__", ".")
        folder = "" if file in ("sources.list", "apt.conf") else "apt.conf.d" if file.endswith(".conf") else "sources.list.d"
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / file).write_text(text)
    return root


def uris(root: Path, setting: str | None = None) -> list[str]:
    return [mirror.uri for mirror in discover_mirrors(root, setting)]


def test_one_line_sources(tmp_path: Path) -> None:
    key = tmp_path / "key.gpg"
    key.write_bytes(b"key")
    text = f"""
# deb http://commented.invalid/debian trixie main
deb-src http://source.invalid/debian trixie main
deb [arch=amd64 signed-by={key}] http://one.invalid/debian/ bookworm main contrib # a note
deb http://one.invalid/debian bookworm-updates main
"""
    assert discover_mirrors(apt(tmp_path / "apt", sources__list=text), None) == (
        Mirror("http://one.invalid/debian", frozenset({"bookworm", "bookworm-updates"}), (b"key",)),
    )


def test_deb822_sources(tmp_path: Path) -> None:
    text = """\
Types: deb deb-src
# a note
URIs: http://one.invalid/debian
 http://two.invalid/debian
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://disabled.invalid/debian
Suites: trixie
Components: main
"""
    one, two = discover_mirrors(apt(tmp_path, debian__sources=text), None)
    assert (one.uri, two.uri) == ("http://one.invalid/debian", "http://two.invalid/debian")
    assert one.suites == {"trixie", "trixie-updates"}
    assert one.keys == (b"\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----",)


def test_the_security_archive_and_other_repositories_are_left_out(tmp_path: Path) -> None:
    text = """\
deb http://one.invalid/debian-security bookworm-security main
deb http://one.invalid/debian-security bookworm/updates main
deb http://vendor.invalid/linux/debian bookworm stable
deb http://vendor.invalid/apt cloud-sdk-bookworm main
deb cdrom:[Debian]/ bookworm main
deb http://ubuntu.invalid/ubuntu noble main
"""
    with pytest.raises(MirrorUnconfigured) as caught:
        discover_mirrors(apt(tmp_path, sources__list=text), None)
    assert "LOCKAGE_DEBIAN_MIRROR" in caught.value.hint


def test_what_looks_like_the_archive_comes_before_what_only_uses_its_names(tmp_path: Path) -> None:
    root = apt(tmp_path, a__list="deb http://vendor.invalid/apt bookworm main\n", b__list="deb http://one.invalid/debian bookworm main\n")
    assert uris(root) == ["http://one.invalid/debian", "http://vendor.invalid/apt"]


def test_a_list_of_mirrors_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text(
        "# note\nhttp://one.invalid/debian/\tpriority:1\nftp://no.invalid/debian\nhttp://two.invalid/debian\n"
    )
    root = apt(tmp_path / "apt", sources__list=f"deb mirror+file:{tmp_path}/mirrors trixie main\n")
    assert uris(root) == ["http://one.invalid/debian", "http://two.invalid/debian"]


def test_the_setting_takes_precedence(tmp_path: Path) -> None:
    root = apt(tmp_path, sources__list="deb http://one.invalid/debian bookworm main\n")
    assert uris(root, " http://mine.invalid/debian/ file:///srv/debian ") == ["http://mine.invalid/debian", "file:///srv/debian"]
    assert uris(root, "") == ["http://one.invalid/debian"]


@pytest.mark.parametrize("setting", ["ftp://one.invalid/debian", "one.invalid/debian", "http:"])
def test_a_setting_that_is_no_address_is_refused(tmp_path: Path, setting: str) -> None:
    with pytest.raises(MirrorUnconfigured, match="LOCKAGE_DEBIAN_MIRROR"):
        discover_mirrors(tmp_path, setting)


def test_no_configuration_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(MirrorUnconfigured) as caught:
        discover_mirrors(tmp_path / "absent", None)
    assert "LOCKAGE_DEBIAN_MIRROR" in caught.value.hint


def test_a_file_that_apt_would_refuse_does_not_hide_the_others(tmp_path: Path) -> None:
    root = apt(tmp_path, a__sources="nonsense\n", b__sources="Types: deb\nURIs: http://one.invalid/debian\nSuites: sid\nComponents: main\n")
    assert uris(root) == ["http://one.invalid/debian"]


@pytest.mark.parametrize(
    "text",
    [
        'Acquire::http::Proxy "http://proxy.invalid:3128";',
        'Acquire { http { Proxy "http://proxy.invalid:3128"; }; };',
        '// a note\n# another\nAcquire::http { /* more */ Timeout "3"; Proxy "http://proxy.invalid:3128"; }',
    ],
)
def test_apts_own_proxy_serves_https_as_well(tmp_path: Path, text: str) -> None:
    found = discover_proxies(apt(tmp_path, proxy__conf=text), {"http_proxy": "http://other.invalid", "no_proxy": "a.invalid"})
    assert found == {"http": "http://proxy.invalid:3128", "https": "http://proxy.invalid:3128", "no": "a.invalid"}


def test_proxies_of_the_environment(tmp_path: Path) -> None:
    found = discover_proxies(tmp_path, {"http_proxy": "http://p.invalid", "HTTPS_PROXY": "http://q.invalid", "NO_PROXY": "x"})
    assert found == {"http": "http://p.invalid", "https": "http://q.invalid", "no": "x"}


def test_apt_may_say_that_no_proxy_is_to_be_used(tmp_path: Path) -> None:
    root = apt(tmp_path, apt__conf='Acquire::http::Proxy "DIRECT";')
    assert discover_proxies(root, {"http_proxy": "http://p.invalid"}) == {"no": ""}
