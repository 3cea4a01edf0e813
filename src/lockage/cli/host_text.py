"""What is said for people of an environment that is the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.cli.screen import short, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.digest import Digest
    from lockage.environment.host import Fingerprint

__all__ = ["host_lines", "host_title"]


def host_title(fingerprint: Digest, found: Fingerprint | None) -> str:
    """Which machine, on one line."""
    return f"unpinned host, fingerprint {short(fingerprint)}" + ("" if found is None else f": {found.title}")


def host_lines(name: str, fingerprint: Digest, found: Fingerprint | None) -> Iterator[str]:
    """What the machine is made of, as far as builds see it."""
    yield f"{name}: {host_title(fingerprint, found)}"
    if found is None:
        yield "  what it was made of is not in the store any more"
        return
    told = f"{len(found.packages):,} packages, as {found.manager} tells" if found.manager else "no package manager tells what is installed"
    yield f"  {found.libc}; {told}; {len(found.modules):,} Python packages beside them"
    yield f"  programs are looked for in {':'.join(found.path)}"
    rows = [(tool.name, tool.path, "" if tool.file == tool.path else tool.file, short(tool.sha256 or "unreadable")) for tool in found.tools]
    for line in table(rows, header=("program", "found at", "which is", "sha256")):
        yield f"  {line}"
