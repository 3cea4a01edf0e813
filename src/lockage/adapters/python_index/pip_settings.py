"""pip's settings: its files in order, then its variables (pip's user guide, "Configuration")."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.python_index.settings import IndexMisconfigured, Source, as_address, truth, usable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["PipSettings", "read_pip"]

#: Later ones win. pip's settings for a command are those of ``[global]`` and of the command's own section.
_SECTIONS = ("global", "download", "install")


class PipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of pip's settings matters for asking an index."""

    source: Source = Source()
    certificates: str | None = None
    client_certificate: str | None = None
    proxy: str | None = None
    insecure_hosts: tuple[str, ...] = ()
    timeout: str | None = None
    keyring: bool = False


def read_pip(environ: Mapping[str, str], home: Path, prefix: Path | None, root: Path) -> PipSettings:
    """Read them; raises :class:`IndexMisconfigured` for a file that cannot be read."""
    found: dict[str, str] = {}
    for path in _files(environ, home, prefix, root):
        found.update(_file(path))
    for name, value in environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value:
            found[name[4:].lower().replace("_", "-")] = value
    # pip takes the best version of all indexes together; whoever lists more than one for pip has chosen that.
    source = Source(
        default=next(iter(usable([as_address(found["index-url"], home)])), None) if found.get("index-url") else None,
        extra=usable(as_address(text, home) for text in found.get("extra-index-url", "").split()),
        find_links=usable(as_address(text, home) for text in found.get("find-links", "").split()),
        no_index=truth(found.get("no-index", "")),
        strategy="unsafe-best-match",
        exclude_newer=found.get("uploaded-prior-to"),
    )
    return PipSettings(
        source=source,
        certificates=found.get("cert"),
        client_certificate=found.get("client-cert"),
        proxy=found.get("proxy"),
        insecure_hosts=tuple(found.get("trusted-host", "").split()),
        timeout=found.get("timeout") or found.get("default-timeout"),
        keyring=found.get("keyring-provider") in ("subprocess", "import"),  # "auto" asks only where pip may ask a person
    )


def _files(environ: Mapping[str, str], home: Path, prefix: Path | None, root: Path) -> Iterator[Path]:
    """The files that may be there, the weakest first. A PIP_CONFIG_FILE of ``/dev/null`` turns all of them off."""
    from pathlib import Path

    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == "/dev/null":
        return
    for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        if folder.startswith("/"):
            yield root / folder.lstrip("/") / "pip/pip.conf"
    yield root / "etc/pip.conf"
    yield home / ".pip/pip.conf"
    yield Path(environ["XDG_CONFIG_HOME"] if environ.get("XDG_CONFIG_HOME") else home / ".config") / "pip/pip.conf"
    if prefix is not None:
        yield prefix / "pip.conf"
    if chosen:
        yield Path(chosen)


def _file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise IndexMisconfigured(f"{path} cannot be read: {error}", file=str(path)) from error
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text, source=str(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        raise IndexMisconfigured(f"{path} is not a pip configuration file: {type(error).__name__}", file=str(path), line=line) from error
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found.update({key.lower().replace("_", "-"): value for key, value in parser.items(section) if value})
    return found
