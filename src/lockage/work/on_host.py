"""Environments that are the host: which machine this is, found when a lock is used, and said to whoever builds on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import LockageError, Usage
from lockage.environment.base import HostBase
from lockage.environment.host import Fingerprint, HostChange, fingerprint_changes
from lockage.plan.contract import search_path
from lockage.record.event import HostUsed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.environment.lock import Lock, LockedEnvironment, RootRef
    from lockage.plan.plan import Plan
    from lockage.work.services import Services

__all__ = ["HostHasNoRoot", "can_be_verified", "fingerprint_of", "host_changes", "must_have_root", "on_this_host", "say_host"]


class HostHasNoRoot(Usage):
    """What was asked for needs a root, and the environment is the host, which has none."""

    code = "host-has-no-root"
    hint = "Declare a suite (`os`) in the place of `host` in the recipe, and lock it (docs/hosts.md)."


def on_this_host(services: Services, lock: Lock) -> Lock:
    """The lock with the identity of this machine in each environment that is the host; its fingerprints are kept."""
    here = services.architecture
    hosts = {one.host for one in lock.complete.environments.values() if isinstance(one.host, HostBase) and one.architecture == here}
    found = {host: services.survey.fingerprint(search_path(host)) for host in hosts}
    services.blobs.put_soon([fingerprint.encode() for fingerprint in found.values()])
    return lock.bound({host: fingerprint.root for host, fingerprint in found.items()}, here) if found else lock


def say_host(services: Services, plan: Plan) -> None:
    """Tell of every environment of the plan that is the host."""
    hosts = {planned.step.environment: planned.environment for planned in plan.steps if planned.environment.root.is_host}
    for name, environment in hosts.items():
        services.tell(HostUsed(environment=name, fingerprint=environment.root.tree.digest))


def fingerprint_of(services: Services, root: RootRef) -> Fingerprint | None:
    """What a host was made of; None if its fingerprint is not kept any more."""
    try:
        return Fingerprint.decode(services.blobs.get(root.tree))
    except LockageError:
        return None


def must_have_root(environments: Iterable[tuple[str, LockedEnvironment]], what: str, *, hint: str | None = None) -> None:
    """Raise :class:`HostHasNoRoot` if one of these is the host; ``what`` says what cannot be done without a root."""
    for name, environment in environments:
        if isinstance(environment.host, HostBase):
            raise HostHasNoRoot(f"{what}, and environment {name!r} is the host as it is", hint=hint, environment=name)


def can_be_verified(environments: Iterable[tuple[str, LockedEnvironment]]) -> None:
    """Raise :class:`HostHasNoRoot` if one of these is the host, of which another world cannot be shown to a step."""
    hint = (
        "`lockage build --reexecute 100%` runs steps once more as they were, and compares; for more, declare a suite (`os`) "
        "in its place (docs/hosts.md)."
    )
    must_have_root(environments, "a verification varies what only a sandbox can vary", hint=hint)


def host_changes(services: Services, a: RootRef, b: RootRef) -> tuple[HostChange, ...]:
    """What differs between two hosts; only that they differ, if the fingerprint of one is not kept any more."""
    before, after = fingerprint_of(services, a), fingerprint_of(services, b)
    if before is None or after is None:
        return (HostChange(what="fingerprint", a=a.tree.digest, b=b.tree.digest),) if a != b else ()
    return fingerprint_changes(before, after)
