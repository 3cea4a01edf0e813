"""The git program, run so that a repository's own configuration cannot make it do more than read.

Objects are read without any configuration of user or system, without replacement objects, grafts, hooks or transports (a
partial clone must not fetch in the middle of reading). Only the comparison with the working copy and the network see the
user's configuration, because there it carries what the user means: ignored files, line endings, credentials, proxies.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import msgspec

from lockage.echo.git import ALWAYS, ceiling
from lockage.echo.git import environment as user_environment
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Git", "GitFailed", "Running"]

#: safe.directory guards against what a stranger's configuration runs; reading objects runs nothing of it. From the threshold's
#: size on git streams an object instead of holding it in memory (its own default is 512 MiB).
_OBJECTS = ("-c", "safe.directory=*", "-c", "protocol.allow=never", "-c", "core.bigFileThreshold=8m")


class GitFailed(Exception):
    """git exited with an error; ``text`` is what it wrote to stderr."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Running(msgspec.Struct, frozen=True):
    """A git process that was started and is read later, so that several run beside each other."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def output(self) -> bytes:
        """Everything it wrote to stdout; raises :class:`GitFailed`."""
        out, _ = self.process.communicate()
        return self.checked(out)

    def checked(self, out: bytes) -> bytes:
        status = self.process.wait()
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        self.errors.close()
        if status:
            raise GitFailed(status, text)
        return out

    def end(self) -> None:
        """Stop it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process.wait()
        self.errors.close()


class Git:
    """The program, with the environment that it may see."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._user = user_environment(environment)
        self._bare = {**self._user, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1"}

    def objects(self, repository: Path, arguments: Sequence[str], feed: bytes = b"") -> Running:
        """Start a command that only reads objects and refs."""
        return self._start(repository, (*_OBJECTS, *arguments), self._bare, feed)

    def compare(self, repository: Path, where: str, arguments: Sequence[str]) -> Running:
        """Start a command below a path of the working copy; git refuses a repository that belongs to somebody else."""
        return self._start(repository, ("-C", where, *arguments), self._user, b"")

    def network(self, repository: Path, arguments: Sequence[str], settings: Mapping[str, str]) -> Running:
        """Start a command that reaches a server; ``settings`` are configuration that must not be seen in the list of processes.

        SSL_CERT_FILE counts as it does for the package index, unless git is told of a CA of its own.
        """
        configured = {"GIT_CONFIG_COUNT": str(len(settings))}
        authority = self._user.get("SSL_CERT_FILE")
        if authority and "GIT_SSL_CAINFO" not in self._user and not self._configured(repository, "http.sslCAInfo"):
            configured["GIT_SSL_CAINFO"] = authority
        for number, (name, value) in enumerate(settings.items()):
            configured |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        return self._start(repository, arguments, {**self._user, **configured}, b"")

    def _configured(self, repository: Path, name: str) -> bool:
        """Whether the user's or the system's configuration has a value, also one for certain addresses (``http.ADDRESS.sslCAInfo``)."""
        first, _, last = name.partition(".")
        running = self._start(repository, ("config", "--get-regexp", rf"^{first}\.(.*\.)?{last.lower()}$"), self._user, b"")
        with ending(running):
            try:
                return bool(running.output())
            except GitFailed:
                return False

    def _start(self, repository: Path, arguments: Sequence[str], environment: Mapping[str, str], feed: bytes) -> Running:
        errors = _scratch()
        stdin: IO[bytes] | int = subprocess.DEVNULL
        if feed:
            stdin = _scratch()
            stdin.write(feed)
            stdin.seek(0)
        try:
            process = subprocess.Popen(
                ["git", "-C", str(repository), *ALWAYS, *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**environment, **ceiling(str(repository.parent))},
            )
        except FileNotFoundError as error:
            errors.close()
            raise SourceUnusable(
                "the program git was not found", program="git", hint="Install git, or give an sdist or a directory without .git."
            ) from error
        finally:
            if not isinstance(stdin, int):
                stdin.close()
        return Running(process, errors)


def _scratch() -> IO[bytes]:
    """A nameless file: both ends of a pipe at once could wait for each other. In memory, as importing tempfile costs a no-op build."""
    if sys.platform != "linux":
        import tempfile  # what Linux alone can do without

        return tempfile.TemporaryFile()
    return os.fdopen(os.memfd_create("lockage-git"), "w+b")


@contextmanager
def ending(*running: Running) -> Iterator[None]:
    """Leave no process behind, whatever happens in between."""
    try:
        yield
    finally:
        for one in running:
            one.end()
