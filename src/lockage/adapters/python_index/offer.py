"""Which versions of a project can be built: those with an sdist, as far as they count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lockage.adapters.python_index.settings import bare
from lockage.environment.stand_in import Offer, StandIn
from lockage.ports import NoUploadTimes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.version import Version

    from lockage.adapters.python_index.simple import IndexFile
    from lockage.base.instant import Instant

__all__ = ["offer_of", "undated"]


def offer_of(name: str, files: Sequence[IndexFile], as_of: Instant | None, cooldown: str | None) -> Offer:
    """The offer of a project with these files, of the first index that has a version; ``cooldown`` is what the settings exclude.

    As uv has it, a file without a date is passed over by a cooldown. Raises NoUploadTimes.
    """
    newest = datetime.fromtimestamp(as_of, UTC) if as_of is not None else _limit(name, cooldown)
    listed = list(files)
    if newest is not None:
        dated = [(file, _time(file.uploaded)) for file in listed]
        if listed and as_of is not None and all(time is None for _, time in dated):
            raise undated(name, listed[0].address)
        listed = [file for file, time in dated if time is not None and time < newest]
    best: dict[Version, tuple[bool, IndexFile]] = {}
    versions: set[Version] = set()
    for file in listed:
        version, is_sdist = _version(file.name, name)
        if version is None:
            continue
        versions.add(version)
        if is_sdist and not file.yanked:  # PEP 625 has .tar.gz; older projects may have a .zip beside or instead
            zipped = file.name.endswith(".zip")
            if version not in best or (best[version][0] and not zipped):
                best[version] = (zipped, file)
    stand_ins = tuple(
        StandIn(name=name, version=str(version), file=file.name, sha256=file.sha256, requires_python=file.requires_python)
        for version, (_, file) in sorted(best.items())
    )
    return Offer(name=name, stand_ins=stand_ins, others=tuple(str(version) for version in sorted(versions - best.keys())))


def undated(name: str, address: str) -> NoUploadTimes:
    """The error for an index that does not say when a project's files were uploaded."""
    where = urlsplit(address).hostname or "a folder"
    return NoUploadTimes(f"{name}: {where} does not say when its files were uploaded", package=name, address=bare(address))


def _version(file: str, name: str) -> tuple[Version | None, bool]:
    """The version that a file is of, and whether it is an sdist; None if it is no file of the project."""
    from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

    try:
        if file.endswith(".whl"):
            project, version, _, _ = parse_wheel_filename(file)
            return (version if project == name else None), False
        project, version = parse_sdist_filename(file)
        return (version if project == name else None), True
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None, False


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _limit(name: str, cooldown: str | None) -> datetime | None:
    """The time before which a configured cooldown wants a file to be uploaded; of a day alone, its end."""
    if cooldown is None:
        return None
    found = _time(cooldown)
    if found is None:
        raise NoUploadTimes(
            f"{name} has to be built from its sdist, and which sdists count cannot be told from the cooldown {cooldown!r}",
            hint="Configure a date (exclude-newer, uploaded-prior-to), or lock with --as-of.",
            package=name,
        )
    return found + timedelta(days=1) if len(cooldown) == len("2026-01-01") else found
