"""Inspect: what a store holds, as plain values for a screen or a document. Nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Usage
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName
from lockage.ledger.entry import PromotionKind
from lockage.work.book import Book
from lockage.work.recorded import hosts_of_lock
from lockage.work.release import release_title

if TYPE_CHECKING:
    from lockage.base.digest import Digest
    from lockage.catalog import Catalog
    from lockage.work.services import Services

__all__ = ["ChannelStatus", "HistoryLine", "ProjectStatus", "channel_status", "history", "only_project", "status"]


class AmbiguousProject(Usage):
    """The store holds several projects, or none, and none was named."""

    code = "which-project"
    hint = "Name the project with --project."


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel holds of a project; no release: nothing yet."""

    channel: ChannelName
    release: str | None = None
    generation: int = 0
    since: Instant | None = None
    held: str | None = None


class ProjectStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A project's channels, and its releases, newest first; ``unpinned_hosts`` are those that were built on a machine as it was."""

    project: ProjectName
    channels: tuple[ChannelStatus, ...]
    releases: tuple[str, ...]
    unpinned_hosts: tuple[str, ...] = ()


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened on a channel: forward, rollback, refused or conflicted."""

    what: str
    release: str
    at: Instant
    actor: str
    generation: int | None = None
    reasons: tuple[str, ...] = ()
    sequence: int


def status(services: Services) -> tuple[ProjectStatus, ...]:
    """Every project of the store."""
    catalog = Book.open(services, make=False).catalog
    found = []
    for project in catalog.projects:
        records = tuple(reversed(catalog.releases(project)))
        on_hosts = {lock for lock in {record.lock for record in records} if hosts_of_lock(services, lock)}
        status = ProjectStatus(
            project=project,
            channels=channel_status(catalog, project),
            releases=tuple(map(release_title, records)),
            unpinned_hosts=tuple(release_title(record) for record in records if record.lock in on_hosts),
        )
        found.append(status)
    return tuple(found)


def channel_status(catalog: Catalog, project: ProjectName) -> tuple[ChannelStatus, ...]:
    """What every channel holds of a project."""
    channels = []
    for channel in catalog.policies:
        head, hold = catalog.channel(project, channel), catalog.hold(project, channel)
        record = catalog.release(head.release) if head is not None else None
        channels.append(
            ChannelStatus(
                channel=channel,
                release=release_title(record) if record is not None else None,
                generation=head.generation if head is not None else 0,
                since=head.since if head is not None else None,
                held=hold.reason if hold is not None else None,
            )
        )
    return tuple(channels)


def history(services: Services, project: ProjectName, channel: ChannelName) -> tuple[HistoryLine, ...]:
    """Changes, refusals and conflicts of a channel, oldest first."""
    catalog = Book.open(services, make=False).catalog

    def title(digest: Digest) -> str:
        record = catalog.release(digest)
        return release_title(record) if record is not None else digest[:12]

    lines = [
        HistoryLine(
            what="rollback" if change.kind is PromotionKind.ROLLBACK else "forward",
            release=title(change.release),
            at=change.at,
            actor=change.actor,
            generation=change.generation,
            reasons=(change.reason,) if change.reason else (),
            sequence=change.sequence,
        )
        for change in catalog.history(project, channel)
    ]
    lines += [
        HistoryLine(what=str(a.kind), release=title(a.release), at=a.at, actor=a.actor, reasons=a.reasons, sequence=a.sequence)
        for a in catalog.attempts(project, channel)
    ]
    return tuple(sorted(lines, key=lambda line: line.sequence))


def only_project(services: Services, named: str | None) -> ProjectName:
    """The project named, or the only one there is; raises :class:`AmbiguousProject`."""
    if named is not None:
        try:
            return ProjectName.normalised(named)
        except ValueError as error:
            raise AmbiguousProject(str(error)) from error
    projects = Book.open(services, make=False).catalog.projects
    if len(projects) != 1:
        raise AmbiguousProject(
            f"the store holds {len(projects)} projects: {', '.join(projects[:5]) or 'none'}", projects=tuple(projects[:20])
        )
    return projects[0]
