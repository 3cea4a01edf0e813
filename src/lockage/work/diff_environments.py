"""Two environments compared: of one lock, of two, or of a lock and of what a release was built in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Usage
from lockage.environment.difference import EnvironmentDifference, FieldChange, environment_difference, file_changes
from lockage.environment.lock import Lock, LockedEnvironment
from lockage.environment.platforms import split_name
from lockage.environment.root import stacked
from lockage.record.event import Phase
from lockage.work.environments import NoSuchEnvironment, environment_of, read_lock
from lockage.work.on_host import host_changes, must_have_root, on_this_host
from lockage.work.prepare import on_this_machine
from lockage.work.recorded import environments_of_run
from lockage.work.roots import fetch_missing, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lockage.environment.declaration import Architecture
    from lockage.environment.difference import FileChange
    from lockage.environment.root import Entry
    from lockage.work.services import Services

__all__ = ["Compared", "NoCommonEnvironment", "changed_environments", "compare_environments"]


class NoCommonEnvironment(Usage):
    """Two locks have no environment of the same name, or what was named is neither an environment nor anything that has a lock."""

    code = "no-common-environment"
    hint = "Name environments of lockage.lock, or lock files, sources or releases that have an environment of the same name."


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of environments, by the names that people gave them, and what differs."""

    a: str
    b: str
    difference: EnvironmentDifference


def compare_environments(
    services: Services,
    a: str,
    b: str,
    *,
    source: str,
    name: str | None,
    files: bool,
    read_file: Callable[[str], bytes | None],
    platform: Architecture | None = None,
) -> tuple[Compared, ...]:
    """What differs between ``a`` and ``b``; each is the first of these that there is: an environment of the lock of ``source``, a
    lock file (its bytes are what ``read_file`` gives, None if it is none), a run, a source or a release.

    An environment that is the host is this machine as it is now, and in a run the machine as it was then.

    Of two locks the environments that both have are compared, or the one called ``name``; of an environment and a lock that which
    has its name; each for every platform that both have it for, or for ``platform``, and where they have none in common whatever they
    are locked for. With ``files`` both roots are put together and looked into. Raises :class:`NoCommonEnvironment`, NoSuchEnvironment.
    """
    local = _own(services, source) if any(_is_plain(text) for text in (a, b)) else None
    sides = [_side(services, text, local, platform, read_file) for text in (a, b)]
    pairs = _pairs(sides[0], sides[1], name)
    found = []
    for (title_a, one), (title_b, two) in pairs:
        difference = environment_difference(one, two)
        if one.root.is_host and two.root.is_host:
            difference = msgspec.structs.replace(difference, fields=(*difference.fields, *_of_hosts(services, one, two)))
        elif files:
            must_have_root(((title_a, one), (title_b, two)), "files are those of a root")
            difference = msgspec.structs.replace(difference, files=() if difference.same_root else _file_changes(services, one, two))
        found.append(Compared(a=title_a, b=title_b, difference=difference))
    return tuple(found)


def changed_environments(before: Lock, after: Lock) -> tuple[Compared, ...]:
    """What differs in the environments that two locks of one project both have, and not alike."""
    return tuple(
        Compared(a=f"{place} as it was", b="as it is", difference=environment_difference(known, found))
        for place, found in after.environments.items()
        if (known := before.on(found.architecture).environments.get(split_name(place)[0])) is not None and known != found
    )


class _Side(msgspec.Struct, frozen=True, kw_only=True):
    """What was named on one side: one environment, or all of a lock."""

    title: str
    environments: Mapping[str, LockedEnvironment]
    single: str | None = None


def _is_plain(text: str) -> bool:
    """Whether a text can be the name of an environment, perhaps with a platform: no path, no address."""
    return not any(character in split_name(text)[0] for character in "/@:") and text not in (".", "..")


def _own(services: Services, source: str) -> Lock | None:
    try:
        return on_this_host(services, on_this_machine(services, read_lock(services, source, None)))
    except Usage:  # no source, or one without a lock: then no environment of it can be meant
        return None


def _side(
    services: Services, text: str, local: Lock | None, platform: Architecture | None, read_file: Callable[[str], bytes | None]
) -> _Side:
    if local is not None and _is_plain(text) and any(text in (place, split_name(place)[0]) for place in local.complete.environments):
        return _Side(title=text, environments={text: environment_of(local, text, platform)}, single=text)
    side = _of_lock(services, text, read_file)
    if platform is None:
        return side
    return msgspec.structs.replace(
        side, environments={place: found for place, found in side.environments.items() if found.architecture == platform}
    )


def _of_lock(services: Services, text: str, read_file: Callable[[str], bytes | None]) -> _Side:
    data = read_file(text)
    if data is not None:
        return _Side(title=text, environments=on_this_host(services, Lock.decode(data)).environments)
    run = services.runs.get(text) if _is_plain(text) else None
    if run is not None:
        return _Side(title=text, environments=environments_of_run(services, run[0]))
    try:
        found = services.sources.read(text).lock
    except Usage as error:
        released = _of_release(services, text)
        if released is None:
            raise NoCommonEnvironment(f"{text!r} is no environment, lock file, source or release: {error.message}", name=text) from error
        return released
    if found is None:
        raise NoCommonEnvironment(f"{text} has no lockage.lock", name=text)
    return _Side(title=text, environments=on_this_host(services, Lock.decode(found)).environments)


def _of_hosts(services: Services, a: LockedEnvironment, b: LockedEnvironment) -> Iterator[FieldChange]:
    for change in host_changes(services, a.root, b.root):
        yield FieldChange(field=f"host: {change.what}", a=change.a or "none", b=change.b or "none")


def _of_release(services: Services, text: str) -> _Side | None:
    from lockage.ports import BlobMissing
    from lockage.work.book import Book
    from lockage.work.release import find_release, read_release, release_title

    try:
        record = find_release(Book.open(services, make=False).catalog, text)
    except Usage:  # no release of that name, or a store without any
        return None
    release = read_release(services, record)
    ref = services.blobs.locate(release.lock)
    if ref is None:
        raise BlobMissing(f"the lock of {release_title(record)} is not in the store", sha256=release.lock)
    return _Side(title=release_title(record), environments=Lock.decode(services.blobs.get(ref)).environments)


_Named = tuple[str, LockedEnvironment]


def _pairs(a: _Side, b: _Side, name: str | None) -> list[tuple[_Named, _Named]]:
    if a.single is not None and b.single is not None:
        return [((a.single, a.environments[a.single]), (b.single, b.environments[b.single]))]
    wanted = a.single or b.single or name
    theirs = {split_name(place)[0] for place in b.environments}
    names = [split_name(wanted)[0]] if wanted is not None else [own for own in _own_names(a) if own in theirs]
    if not names:
        raise NoCommonEnvironment(f"{a.title} and {b.title} have no environment of the same name", a=a.title, b=b.title)
    return [pair for name in names for pair in _matched(a, b, name)]


def _own_names(side: _Side) -> Iterable[str]:
    return dict.fromkeys(split_name(place)[0] for place in side.environments)


def _matched(a: _Side, b: _Side, name: str) -> list[tuple[_Named, _Named]]:
    """The environments of that name, by platform."""
    ours, theirs = _of(a, name), _of(b, name)
    common = [(ours[platform], theirs[platform]) for platform in ours if platform in theirs]
    return common or [(next(iter(ours.values())), next(iter(theirs.values())))]


def _of(side: _Side, name: str) -> dict[Architecture, _Named]:
    found = {one.architecture: (_title(side, place), one) for place, one in side.environments.items() if split_name(place)[0] == name}
    if not found:
        known = ", ".join(sorted(side.environments)) or "none"
        raise NoSuchEnvironment(f"{side.title} has no environment {name!r}; it has {known}", environment=name)
    return found


def _title(side: _Side, place: str) -> str:
    return place if side.single is not None else f"{place} of {side.title}"


def _file_changes(services: Services, a: LockedEnvironment, b: LockedEnvironment) -> tuple[FileChange, ...]:
    for environment in (a, b):
        fetch_missing(services, environment)
    services.tell(Phase(text="looking into both roots"))
    return file_changes(_entries(services, a), _entries(services, b))


def _entries(services: Services, environment: LockedEnvironment) -> Iterable[Entry]:
    return stacked((layer.place, layer.entries) for layer in services.roots.layers(whole(services, environment)))
