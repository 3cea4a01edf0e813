"""Finds the machine's Debian mirrors and proxies in apt's own configuration (sources.list(5), apt.conf(5)).

Only a distribution's archives count: for Debian a source with the component ``main`` whose suites are Debian's, the security archive
included; for another one the sources that are not Debian's. Of other people's repositories nothing is asked unless a suite of
theirs is asked for. What a mirror serves is proved by signatures later; here it is only a question of where to ask.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from lockage.environment.debian import fields
from lockage.ports import MirrorUnconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Mirror", "discover_ca", "discover_mirrors", "discover_others", "discover_proxies", "discover_snapshots"]

_SUITES = frozenset(
    [
        "stable",
        "oldstable",
        "oldoldstable",
        "testing",
        "unstable",
        "experimental",
        "rc-buggy",
        "buster",
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
    ]
)
_SUFFIX = re.compile(r"-(updates|proposed-updates|backports|backports-sloppy|security)$")
_SECURITY = "-security"
_ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)(.*)")
_SCHEMES = ("http", "https", "file", "copy")


class Mirror(NamedTuple):
    """A base address without a final slash; the suites that the machine uses it for; keyrings named beside it (Signed-By)."""

    uri: str
    suites: frozenset[str] = frozenset()
    keys: tuple[bytes, ...] = ()


class _Source(NamedTuple):
    uris: list[str]
    suites: list[str]
    components: list[str]
    signed_by: str


def discover_mirrors(apt_root: Path, setting: str | None) -> tuple[Mirror, ...]:
    """Debian's mirrors, best first: those of ``setting`` (addresses separated by spaces), else those of apt under ``apt_root``.

    Raises MirrorUnconfigured if there is none.
    """
    found = _configured(apt_root, lambda suite: _SUFFIX.sub("", suite) in _SUITES)
    if setting is not None and setting.strip():
        keys = tuple(dict.fromkeys(key for mirror in found.values() for key in mirror.keys))
        return tuple(Mirror(_given(word), keys=keys) for word in setting.split())
    if all(map(_security, found.values())):
        raise MirrorUnconfigured(f"no Debian mirror is set, and the apt sources in {apt_root} name none", setting="LOCKAGE_DEBIAN_MIRROR")
    return tuple(sorted(found.values(), key=lambda mirror: (_security(mirror), not _archive_like(mirror))))


def discover_others(apt_root: Path, setting: str | None, distribution: str) -> tuple[Mirror, ...]:
    """The mirrors of another distribution: those of ``setting`` (``DISTRIBUTION=ADDRESS``, separated by spaces), else apt's.

    Of apt's sources all count that are not Debian's: which of them has the suite is for the mirrors to say, and whose it is for
    their signatures. Raises MirrorUnconfigured if there is none.
    """
    found = _configured(apt_root, lambda suite: _SUFFIX.sub("", suite) not in _SUITES)
    pairs = [word.partition("=")[::2] for word in (setting or "").split()]
    keys = tuple(dict.fromkeys(key for mirror in found.values() for key in mirror.keys))
    named = tuple(Mirror(_given(address, "LOCKAGE_MIRRORS"), keys=keys) for name, address in pairs if name == distribution)
    if named or found:
        return named or tuple(found.values())
    raise MirrorUnconfigured(
        f"no mirror of {distribution} is set, and the apt sources in {apt_root} name none",
        hint=f"Set LOCKAGE_MIRRORS={distribution}=ADDRESS to the base address of an archive of it.",
        setting="LOCKAGE_MIRRORS",
    )


def _configured(apt_root: Path, counts: Callable[[str], bool]) -> dict[str, Mirror]:
    """The mirrors of apt's sources of binary packages in ``main`` that name a suite that counts, by address."""
    found: dict[str, Mirror] = {}
    for source in _sources(apt_root):
        suites = frozenset(filter(counts, source.suites))
        if suites and "main" in source.components:
            keys = tuple(_keys(source.signed_by))
            for uri in source.uris:
                for address in _addresses(uri):
                    known = found.get(address, Mirror(address))
                    found[address] = Mirror(address, known.suites | suites, tuple(dict.fromkeys([*known.keys, *keys])))
    return found


def discover_snapshots(setting: str | None) -> tuple[Mirror, ...]:
    """The archives of LOCKAGE_DEBIAN_SNAPSHOT, addresses separated by spaces. Raises MirrorUnconfigured for what is no address."""
    return tuple(Mirror(_given(word, "LOCKAGE_DEBIAN_SNAPSHOT")) for word in (setting or "").split())


def _security(mirror: Mirror) -> bool:
    """Whether it is an archive of security updates alone, which is asked after all others."""
    return all(suite.endswith(_SECURITY) for suite in mirror.suites)


def _archive_like(mirror: Mirror) -> bool:
    """Whether it is used as the archive itself is; a vendor's repository may also call its suite by Debian's name."""
    return urlsplit(mirror.uri).path.rstrip("/").endswith("/debian") or any(_SUFFIX.search(suite) for suite in mirror.suites)


def _given(word: str, setting: str = "LOCKAGE_DEBIAN_MIRROR") -> str:
    parts = urlsplit(word)
    if parts.scheme not in _SCHEMES or not (parts.netloc or parts.path):
        bare = re.sub(r"//[^/]*@", "//", word)  # a mistake with a password in it is not shown with it
        raise MirrorUnconfigured(
            f"{setting} is not an address that begins with http, https or file: {bare[:120]!r}",
            hint=f"Set {setting} to the base address of a Debian archive.",
            value=bare[:120],
        )
    return word.rstrip("/")


def _addresses(uri: str) -> Iterator[str]:
    """The base addresses a source's URI stands for: itself, or those listed in a ``mirror+file`` (apt-transport-mirror(1))."""
    parts = urlsplit(uri)
    if parts.scheme in _SCHEMES:
        yield uri.rstrip("/")
    elif parts.scheme in ("mirror+file", "mirror+copy"):
        for line in _read(Path(unquote(parts.path))).splitlines():
            words = line.split()
            if words and urlsplit(words[0]).scheme in _SCHEMES:
                yield words[0].rstrip("/")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # what this user may not read is not configuration for this user


def _named(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _sources(apt_root: Path) -> Iterator[_Source]:
    yield from _one_line(_read(apt_root / "sources.list"))
    for path in _named(apt_root / "sources.list.d", "*"):
        if path.suffix == ".list":
            yield from _one_line(_read(path))
        elif path.suffix == ".sources":
            yield from _paragraphs(_read(path))


def _one_line(text: str) -> Iterator[_Source]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is not None:
            options, uri, suite, components = match.groups()
            named = dict(option.partition("=")[::2] for option in (options or "").split())
            yield _Source([uri], [suite], components.split(), named.get("signed-by", "").replace(",", " "))


def _paragraphs(text: str) -> Iterator[_Source]:
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r", "")):
        try:
            found = fields(paragraph)
        except ValueError:
            continue  # apt would refuse the whole file; the other sources may still serve
        if found.get("enabled", "yes").lower() in ("no", "false", "0", "off", "without", "disable"):
            continue
        if "deb" in found.get("types", "").split():
            uris, suites, components = (found.get(key, "").split() for key in ("uris", "suites", "components"))
            yield _Source(uris, suites, components, found.get("signed-by", ""))


def _keys(signed_by: str) -> Iterator[bytes]:
    """The keyrings of a Signed-By: paths, or a key itself; fingerprints name keys that are looked for elsewhere."""
    if "-----BEGIN PGP" in signed_by:
        yield "\n".join("" if line == "." else line for line in signed_by.split("\n")).encode()
        return
    for word in signed_by.split():
        if word.startswith("/"):
            try:
                yield Path(word).read_bytes()
            except OSError:
                continue


_TOKEN = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|#[^\n]*|[{};]|[^\s{};"]+', re.DOTALL)


def _options(text: str) -> Iterator[tuple[str, str]]:
    """The values of an apt.conf file by full lower-case name (``acquire::http::proxy``)."""
    scopes: list[str] = []
    name, value = "", None
    for word in _TOKEN.findall(text):
        if word.startswith(("//", "/*", "#")):
            continue
        if word == "{":
            scopes.append(name)
            name, value = "", None
        elif word in ("}", ";"):
            if value is not None:
                yield "::".join([*(scope for scope in scopes if scope), name]).lower(), value
            if word == "}" and scopes:
                scopes.pop()
            name, value = "", None
        elif word.startswith('"'):
            value = word[1:-1]
        elif not name:
            name = word
        else:
            value = word


def discover_proxies(apt_root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Proxies by scheme, and under ``no`` the hosts to be asked directly: apt's own, else http_proxy, https_proxy, all_proxy, no_proxy.

    HTTP_PROXY counts as well, but not in a CGI program, where it is a header that anybody may send.
    """
    configured: dict[str, str] = {}
    for path in [*_named(apt_root / "apt.conf.d", "*"), apt_root / "apt.conf"]:
        configured.update(_options(_read(path)))
    plain = ("http_proxy",) if "REQUEST_METHOD" in environment else ("http_proxy", "HTTP_PROXY")
    found = {}
    for scheme, variables in (("http", plain), ("https", ("https_proxy", "HTTPS_PROXY"))):
        own = configured.get(f"acquire::{scheme}::proxy") or (configured.get("acquire::http::proxy") if scheme == "https" else None)
        value = own or _first(environment, (*variables, "all_proxy", "ALL_PROXY"))
        if value and value != "DIRECT":
            found[scheme] = value
    direct = [_first(environment, ("no_proxy", "NO_PROXY"))]
    for option, value in configured.items():
        if value == "DIRECT" and (match := re.fullmatch(r"acquire::https?::proxy::([^:]+)", option)):
            direct.append(match[1])
    return {**found, "no": ",".join(filter(None, direct))}


def discover_ca(apt_root: Path, environment: Mapping[str, str]) -> Path | None:
    """A file of CAs to trust instead of the system's: SSL_CERT_FILE, else apt's ``Acquire::https::CaInfo``, else what pip's users set."""
    named = environment.get("SSL_CERT_FILE")
    for path in [] if named else [*_named(apt_root / "apt.conf.d", "*"), apt_root / "apt.conf"]:
        named = dict(_options(_read(path))).get("acquire::https::cainfo") or named
    named = named or _first(environment, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return Path(named) if named else None


def _first(environment: Mapping[str, str], names: Iterable[str]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")
