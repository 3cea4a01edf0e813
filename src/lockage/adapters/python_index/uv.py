"""uv as a subprocess: requirements and a target in, versions and their wheels out.

Invariants: uv sees an empty directory, no settings but ours, and no interpreter but the one given; it builds nothing. For the
same state of the index it gives the same answer.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import tomllib
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from lockage.adapters.python_index.keyring import with_credentials
from lockage.adapters.python_index.settings import CERTIFICATE_HINT, CREDENTIALS_HINT
from lockage.adapters.python_index.stand_ins import stand_ins_in
from lockage.base.digest import Digest
from lockage.base.errors import Fault
from lockage.durable import used_folder
from lockage.ports import ServiceUnreachable, Unresolvable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.adapters.python_index.keyring import Keyring
    from lockage.adapters.python_index.settings import IndexSettings
    from lockage.base.instant import Instant
    from lockage.environment.python import PythonTarget
    from lockage.environment.stand_in import Offer

__all__ = ["Candidate", "Pinned", "Uv"]

#: The levels of glibc that uv has a name for; the closest below the target's is asked for.
_LEVELS: tuple[int, ...] = (17, 28, *range(31, 41))
#: The only files in the directory that uv sees, if there are constraints or preferences.
_CONSTRAINTS = "constraints.txt"
#: uv prefers the versions of the file that it is to write, and then writes its answer there.
_PREFERRED = "pylock.toml"
#: The folder in it with stand-ins, if there are any.
_STAND_INS = "stand-ins"
_NONE: Mapping[str, str] = MappingProxyType({})
#: How long uv may take altogether, in seconds.
_LIMIT = 1800


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel that uv found; ``dated``: the index says when it was uploaded."""

    file: str
    address: str
    sha256: Digest | None = None
    dated: bool = False


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a resolution: its version and the wheels there are of it."""

    name: str
    version: str
    wheels: tuple[Candidate, ...]


class Uv:
    """The uv program with this machine's settings. ``interpreter`` is only asked for what the target does not say."""

    def __init__(self, program: Path, settings: IndexSettings, cache: Path, interpreter: Path, keyring: Keyring | None = None) -> None:
        self._program = program
        self._settings = settings
        self._keyring = keyring
        self._cache = cache
        self._interpreter = interpreter

    def resolve(
        self,
        requirements: Sequence[str],
        target: PythonTarget,
        constraints: Sequence[str] = (),
        preferred: Mapping[str, str] = _NONE,
        *,
        offers: Sequence[Offer] = (),
        as_of: Instant | None = None,
    ) -> tuple[Pinned, ...]:
        """What satisfies the requirements without breaking a constraint, with the ``preferred`` versions by name where that can be.

        Of the projects with ``offers`` only stand-ins are chosen: made-up wheels, whose file names :func:`is_stand_in` knows.

        ``as_of`` takes the place of the time that the settings say. uv passes over what an index does not date, but not what a page
        of links does not.
        Raises Unresolvable, ServiceUnreachable.
        """
        arguments = [
            *("--format", "pylock.toml", "--no-build", "--refresh", "--no-sources"),
            *("--python-version", target.full_version or target.version),
            *("--python-platform", f"{target.machine}-manylinux_2_{_level(target)}"),
        ]
        newest = str(as_of) if as_of is not None else self._settings.source.exclude_newer
        arguments += ("--exclude-newer", newest) if newest else ()
        output = self._compile(arguments, requirements, target, constraints, preferred, offers)
        try:
            return _pinned(tomllib.loads(output))
        except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
            raise Fault(f"uv's answer cannot be read: {error}") from error

    def default_index(self) -> str:
        """The index that uv asks if no settings name one."""
        output = self._compile(["--emit-index-url", "--format", "requirements.txt"], (), None)
        found = re.search(r"^--index-url (\S+)", output, re.MULTILINE)
        if found is None:
            raise Fault("uv does not say which index it asks")
        return found[1]

    def _compile(
        self,
        arguments: Sequence[str],
        requirements: Sequence[str],
        target: PythonTarget | None,
        constraints: Sequence[str] = (),
        preferred: Mapping[str, str] = _NONE,
        offers: Sequence[Offer] = (),
    ) -> str:
        if self._keyring is not None:
            self._settings, self._keyring = with_credentials(self._settings, self._keyring), None
        settings = self._settings
        constraints = [*constraints, *(f"{offer.name}!={version}" for offer in offers for version in offer.others)]
        command = [
            *(str(self._program), "pip", "compile", "-", "--no-config", "--no-header", "--no-annotate", "--quiet", "--color", "never"),
            *("--python", str(self._interpreter), "--no-python-downloads", "--index-strategy", settings.source.strategy),
            *arguments,
            *(("--constraints", _CONSTRAINTS) if constraints else ()),
            *(("--output-file", _PREFERRED) if preferred else ()),
            *(("--no-index",) if settings.source.no_index else ()),
        ]
        with tempfile.TemporaryDirectory(prefix="lockage-uv-") as empty:
            if constraints:
                Path(empty, _CONSTRAINTS).write_text("".join(f"{line}\n" for line in constraints))
            if preferred:
                Path(empty, _PREFERRED).write_text(_document(preferred))
            links = None
            if target is not None and offers:
                links = stand_ins_in(Path(empty, _STAND_INS), offers, target, f"manylinux_2_{_level(target)}_{target.machine}")
            try:
                with used_folder(self._cache):
                    done = subprocess.run(
                        command,
                        input="".join(f"{line}\n" for line in requirements).encode(),
                        capture_output=True,
                        cwd=empty,
                        env=self._environment(links),
                        timeout=_LIMIT,
                        check=False,
                    )
            except subprocess.TimeoutExpired as error:
                raise ServiceUnreachable(f"resolving Python requirements took longer than {_LIMIT} s") from error
            except OSError as error:
                raise Fault(f"uv cannot be started: {error}", program=str(self._program)) from error
            if done.returncode != 0:
                raise _explained(settings.scrubbed(done.stderr.decode("utf-8", "replace")), requirements, target)
            return Path(empty, _PREFERRED).read_text() if preferred else done.stdout.decode()

    def _environment(self, links: str | None) -> dict[str, str]:
        """Addresses go by the environment: an argument list can be read by every user of the machine."""
        settings = self._settings
        found = dict(settings.environment)
        found |= {"UV_CACHE_DIR": str(self._cache), "UV_NO_PROGRESS": "1", "UV_HTTP_TIMEOUT": str(settings.timeout)}
        if settings.home:
            found["HOME"] = settings.home
        if settings.source.default:
            found["UV_DEFAULT_INDEX"] = settings.source.default
        if settings.source.extra:
            found["UV_INDEX"] = " ".join(settings.source.extra)
        if links or settings.source.find_links:
            found["UV_FIND_LINKS"] = ",".join([*([links] if links else []), *settings.source.find_links])
        if settings.certificates:
            found["SSL_CERT_FILE"] = settings.certificates
        if settings.system_certificates:
            found["UV_SYSTEM_CERTS"] = "1"
        if settings.insecure_hosts:
            found["UV_INSECURE_HOST"] = " ".join(settings.insecure_hosts)
        return found


def _level(target: PythonTarget) -> int:
    """The level of glibc that is asked for."""
    glibc = int(target.glibc.partition(".")[2])
    return max([_LEVELS[0], *(level for level in _LEVELS if level <= glibc)])


def _document(versions: Mapping[str, str]) -> str:
    """A pylock.toml that says nothing but versions; names are normalised and versions those of wheels, so neither needs quoting."""
    packages = "".join(f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in sorted(versions.items()))
    return f'lock-version = "1.0"\ncreated-by = "lockage"\n{packages}'


def _pinned(document: dict[str, Any]) -> tuple[Pinned, ...]:
    """The packages of a pylock.toml (PyPA specification, "pylock.toml")."""
    return tuple(
        Pinned(name=package["name"], version=package["version"], wheels=tuple(_candidate(wheel) for wheel in package.get("wheels", ())))
        for package in document.get("packages", ())
    )


def _candidate(wheel: dict[str, Any]) -> Candidate:
    address = wheel["url"] if "url" in wheel else Path(wheel["path"]).absolute().as_uri()
    digest = wheel.get("hashes", {}).get("sha256")
    return Candidate(
        file=wheel.get("name") or unquote(urlsplit(address).path.rpartition("/")[2]),
        address=address.partition("#")[0],
        sha256=Digest(digest) if digest else None,
        dated="upload-time" in wheel,
    )


_MANY = 12


def _explained(text: str, requirements: Sequence[str], target: PythonTarget | None) -> Unresolvable | ServiceUnreachable | Fault:
    """uv's message as one of our errors, without what only concerns its own command line."""
    where = f"Python {target.full_version or target.version} on {target.architecture} with glibc {target.glibc}" if target else "the index"
    lines = [re.sub(r"^(?:(?:error|cause):|[^\w\s`'\"(]+) *", "", line.strip()) for line in text.splitlines()]
    lines = [line for line in lines if line and "--no-build" not in line and "--system-certs" not in line]
    plain = " ".join(lines[:_MANY])
    plain = re.sub(r",? ?(?:and )?we can conclude that your requirements are unsatisfiable", "", plain)
    plain = re.sub(r"^No solution found when resolving dependencies:?\s*", "", plain).strip()
    plain = re.sub(r" ?Consider using `exclude-newer-package`[^.]*\.", "", plain)
    # Of a requirement with an extra uv says so also where no index knows the project at all.
    unknown = r"only (\S+\[[^\]]+\])<(\S+) is available and you require \1>=\2"
    plain = re.sub(unknown, r"no index that was asked has \1>=\2, or the project", plain)
    if "valid authentication credentials" in text:
        return ServiceUnreachable(f"the package index refused: {plain}", hint=CREDENTIALS_HINT)
    built = re.findall(r"Wheels are required for `([^`]+)`", text)
    if built:
        names = ", ".join(dict.fromkeys(built))
        return Unresolvable(
            f"{names}: no version that fits has a wheel for {where}, or an sdist to build it from. {plain}",
            hint="Require another version, or another package; or put wheels or an sdist of it on an index of your own.",
            packages=tuple(dict.fromkeys(built)),
            requirements=tuple(requirements),
        )
    if "No solution found" in text or "incompatible" in text or "Failed to parse" in text or "conflict" in text.lower():
        return Unresolvable(f"Python requirements cannot be had together for {where}: {plain}", requirements=tuple(requirements))
    if re.search(r"fetch|request|connect|dns|network|certificate|timed? ?out|HTTP|offline|tls", text, re.IGNORECASE):
        hint = CERTIFICATE_HINT if "certificate" in text.lower() else None
        return ServiceUnreachable(f"the Python package index did not answer: {plain}", hint=hint)
    return Fault(f"uv failed: {plain}")
