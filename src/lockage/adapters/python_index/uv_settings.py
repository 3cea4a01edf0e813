"""uv's settings: uv.toml of the system and of the user, then its variables (uv's reference, "Settings" and "Environment variables")."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from lockage.adapters.python_index.settings import IndexMisconfigured, Source, as_address, truth, usable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["UvSettings", "read_uv"]

_SCALARS = {
    "no-index": bool,
    "index-strategy": str,
    "exclude-newer": str,
    "system-certs": bool,
    "native-tls": bool,
    "keyring-provider": str,
}
_STRATEGIES = ("first-index", "unsafe-first-match", "unsafe-best-match")


class UvSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of uv's settings matters for asking an index."""

    source: Source = Source()
    insecure_hosts: tuple[str, ...] = ()
    system_certificates: bool = False
    keyring: bool = False


class _Found:
    """Values gathered from files, the strongest first: the first of a kind wins, lists are joined."""

    def __init__(self) -> None:
        self.default: str | None = None
        self.extra: list[str] = []
        self.find_links: list[str] = []
        self.insecure: list[str] = []
        self.scalars: dict[str, Any] = {}


def read_uv(environ: Mapping[str, str], home: Path, root: Path) -> UvSettings:
    """Read them; raises :class:`IndexMisconfigured` for a file that is not TOML or has a value of another type."""
    found = _Found()
    _variables(environ, found, home)
    for path in _files(environ, home, root):
        _merge(path, environ, found)
    strategy = found.scalars.get("index-strategy", "first-index")
    if strategy not in _STRATEGIES:
        raise IndexMisconfigured(f"uv's index-strategy is not one of {', '.join(_STRATEGIES)}: {strategy!r}")
    return UvSettings(
        source=Source(
            default=next(iter(usable([found.default])), None) if found.default else None,
            extra=usable(found.extra),
            find_links=usable(found.find_links),
            no_index=bool(found.scalars.get("no-index", False)),
            strategy=strategy,
            exclude_newer=found.scalars.get("exclude-newer"),
        ),
        insecure_hosts=tuple(found.insecure),
        system_certificates=bool(found.scalars.get("system-certs", found.scalars.get("native-tls", False))),
        keyring=found.scalars.get("keyring-provider") == "subprocess",
    )


def _variables(environ: Mapping[str, str], found: _Found, home: Path) -> None:
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    if default:
        found.default = _authenticated(default, environ, home)
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        found.extra += [_authenticated(text, environ, home) for text in environ.get(name, "").split()]
    found.find_links += [as_address(text.strip(), home) for text in environ.get("UV_FIND_LINKS", "").split(",") if text.strip()]
    found.insecure += environ.get("UV_INSECURE_HOST", "").split()
    for name in ("UV_INDEX_STRATEGY", "UV_EXCLUDE_NEWER", "UV_KEYRING_PROVIDER"):
        if environ.get(name):
            found.scalars[name[3:].lower().replace("_", "-")] = environ[name]
    for name in ("UV_NO_INDEX", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"):
        if environ.get(name):
            found.scalars[name[3:].lower().replace("_", "-")] = truth(environ[name])


def _authenticated(text: str, environ: Mapping[str, str], home: Path) -> str:
    """``NAME=ADDRESS`` or ``ADDRESS``; a name may have credentials in variables of its own."""
    named = re.match(r"([A-Za-z0-9_.-]+)=(.*)", text)
    address = as_address(named[2] if named else text, home)
    return _with_credentials(address, named[1], environ) if named else address


def _with_credentials(address: str, name: str, environ: Mapping[str, str]) -> str:
    key = re.sub(r"[^A-Za-z0-9]", "_", name).upper()
    user, password = environ.get(f"UV_INDEX_{key}_USERNAME"), environ.get(f"UV_INDEX_{key}_PASSWORD")
    parts = urlsplit(address)
    if not (user or password) or parts.username:
        return address
    return urlunsplit(parts._replace(netloc=f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@{parts.netloc}"))


def _files(environ: Mapping[str, str], home: Path, root: Path) -> Iterator[Path]:
    """The files that may be there, the strongest first. A UV_CONFIG_FILE stands alone."""
    from pathlib import Path

    if truth(environ.get("UV_NO_CONFIG", "")):
        return
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
        return
    yield Path(environ["XDG_CONFIG_HOME"] if environ.get("XDG_CONFIG_HOME") else home / ".config") / "uv/uv.toml"
    for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        if folder.startswith("/"):
            yield root / folder.lstrip("/") / "uv/uv.toml"
    yield root / "etc/uv/uv.toml"


def _merge(path: Path, environ: Mapping[str, str], found: _Found) -> None:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError, RecursionError) as error:
        raise IndexMisconfigured(f"{path} is not a uv configuration file: {error}", file=str(path)) from error
    try:
        # `[pip]` holds what only `uv pip` reads; it wins over the top.
        for table in (document.get("pip", {}), document):
            _table(table, path.parent, environ, found)
    except (TypeError, KeyError, AttributeError) as error:
        raise IndexMisconfigured(f"{path} has an index setting of a form that uv does not have", file=str(path)) from error


def _table(table: dict[str, Any], folder: Path, environ: Mapping[str, str], found: _Found) -> None:
    for index in table.get("index", []):
        if index.get("explicit"):
            continue  # only for packages that a project's own uv settings tie to it
        address = as_address(index["url"], folder)
        if "name" in index:
            address = _with_credentials(address, index["name"], environ)
        if index.get("default"):
            found.default = found.default or address
        elif index.get("format") == "flat":
            found.find_links.append(address)
        else:
            found.extra.append(address)
    if "index-url" in table:
        found.default = found.default or as_address(table["index-url"], folder)
    found.extra += [as_address(text, folder) for text in table.get("extra-index-url", [])]
    found.find_links += [as_address(text, folder) for text in table.get("find-links", [])]
    found.insecure += [text + "" for text in table.get("allow-insecure-host", [])]
    for key, kind in _SCALARS.items():
        if key in table:
            if not isinstance(table[key], kind):
                raise TypeError(key)
            found.scalars.setdefault(key, table[key])
