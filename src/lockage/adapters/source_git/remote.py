"""Bare copies of repositories elsewhere, kept in a folder and brought up to date when asked.

Credentials of an address reach git through its environment only: they are in no list of processes, no file and no message.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from lockage import portable
from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.base.digest import Digest
from lockage.durable import locked
from lockage.ports import ServiceUnreachable, SourceUnusable

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.record.locator import Remote

__all__ = ["Clones", "settings", "without_secrets"]

_HEAD = "refs/lockage/head"
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: What git says if there is a server or disk but no such repository or revision.
_ABSENT = re.compile(
    r"not found|does not appear to be a git repository|couldn't find remote ref|does not exist|not our ref|no such remote", re.IGNORECASE
)


#: The copies that this process reads, until it ends, so that nobody deletes them under it.
_READ: dict[Path, int] = {}


class Clones:
    """Copies below ``folder``, one for each address without its credentials."""

    def __init__(self, git: Git, folder: Path) -> None:
        self._git = git
        self._folder = folder

    def fetched(self, remote: Remote) -> tuple[Path, str]:
        """The copy, and the revision asked for as the copy names it. A full commit that is already there is not fetched again."""
        repository = self._folder / f"{Digest.of(remote.bare.encode())[:32]}.git"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        revision = remote.revision or _HEAD
        with locked(repository.with_suffix(".lock")):
            self._bring(repository, remote, revision)
            _use(repository)
        return repository, revision

    def _bring(self, repository: Path, remote: Remote, revision: str) -> None:
        """See to it that the copy has the revision."""
        full = bool(_FULL.fullmatch(revision))
        if not (repository / "HEAD").exists():
            self._run(repository, remote, None)
        elif full and self._has(repository, revision):
            return
        self._run(repository, remote, ("+HEAD:" + _HEAD, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"))
        if full and not self._has(repository, revision):
            self._run(repository, remote, (f"{revision}:refs/lockage/{revision}",))

    def _has(self, repository: Path, revision: str) -> bool:
        running = self._git.objects(repository, ("cat-file", "-e", f"{revision}^{{commit}}"))
        with ending(running):
            try:
                running.output()
            except GitFailed:
                return False
        return True

    def _run(self, repository: Path, remote: Remote, references: tuple[str, ...] | None) -> None:
        """Fetch references, or make the empty copy."""
        if references is None:
            repository.mkdir(exist_ok=True)
            running = self._git.objects(repository, ("init", "--quiet", "--bare", "--template=", "."))
        else:
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
            arguments = ("fetch", *options, "lockage", *references)
            running = self._git.network(repository, arguments, settings(remote))
        with ending(running):
            try:
                running.output()
            except GitFailed as error:
                raise _failed(remote, error) from error


def _use(repository: Path) -> None:
    """Say that it is read from now on; its time is that of its last use. A file system that cannot say so has none that asks."""
    with suppress(OSError):
        os.utime(repository)
        if repository not in _READ:
            handle = _READ[repository] = portable.open_lock(repository, folder=True)
            portable.share(handle)


def settings(remote: Remote) -> dict[str, str]:
    """git's configuration for one fetch. As part of the address, credentials would be arguments of git's own child process."""
    found = {"remote.lockage.url": remote.bare}
    if remote.credentials is not None:
        from base64 import b64encode  # only for addresses with credentials

        encoded = b64encode(":".join(remote.credentials).encode()).decode()
        found[f"http.{remote.bare}.extraHeader"] = f"Authorization: Basic {encoded}"
    return found


def _failed(remote: Remote, error: GitFailed) -> SourceUnusable | ServiceUnreachable:
    text = without_secrets(remote, error.text)
    line = next((line for line in text.splitlines() if line.startswith(("fatal: ", "error: "))), text[:200])
    if _ABSENT.search(text):
        return SourceUnusable(f"no repository or revision at {remote.public}: {line}", repository=remote.public, revision=remote.revision)
    hint = "Check the address, the network and your credentials for it, then run the command again."
    if "certificate" in text.lower():
        hint = "If it is a company's own CA that signed it, name a file with its certificate in SSL_CERT_FILE or git's http.sslCAInfo."
    return ServiceUnreachable(f"cannot fetch {remote.public}: {line}", repository=remote.public, hint=hint)


def without_secrets(remote: Remote, text: str) -> str:
    """What git said, without what only the holder of the address may know."""
    return re.sub(r"://[^/\s']*@", "://", text.replace(remote.bare, remote.public))
