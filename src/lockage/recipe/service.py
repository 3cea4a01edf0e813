"""Services: stand-ins for outside services that a step may ask, which answer from what was recorded.


Where a step finds a service follows from its declaration and those beside it alone, so that it is the same everywhere.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import ServiceName
from lockage.base.path import RelPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Form", "Matching", "Service", "addresses", "collision", "url", "variable"]

#: The address of services without names of hosts, and the network of those with: each has an address of its own there.
_ADDRESS, _NETWORK = "127.0.0.1", "127.0.2."
_MOST_SERVICES = 250


class Form(StrEnum):
    """How a recording is written down."""

    HAR = "har"
    FOLDER = "responses"


class Matching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests a recorded response answers, and how often: ``headers`` are names that must be equal too, in lower case.

    ``ignore`` names what need not be equal, ``in_order`` that requests come as they were recorded, ``repeat`` that a response may be
    given again once all that fit were, ``must_use_all`` that each must have been given when the step ends.
    """

    headers: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    in_order: bool = False
    repeat: bool = False
    must_use_all: bool = False


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service: ``recording`` is a path of the source, ``port`` where it listens; a step resolves ``hosts`` to it."""

    name: ServiceName
    form: Form
    recording: RelPath
    port: int
    hosts: tuple[str, ...] = ()
    matching: Matching = Matching()


def variable(name: str) -> str:
    """The variable that tells a step where a service is."""
    return f"LOCKAGE_SERVICE_{re.sub(r'[-.]', '_', name).upper()}"


def addresses(services: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Where the services of one step listen, from the hosts of each."""
    number = 0
    found = []
    for hosts in services:
        number += bool(hosts)
        found.append(f"{_NETWORK}{number}" if hosts else _ADDRESS)
    return tuple(found)


def url(hosts: tuple[str, ...], port: int) -> str:
    """The address that a step is told."""
    host = hosts[0] if hosts else _ADDRESS
    return f"http://{host}" if port == 80 else f"http://{host}:{port}"


def collision(services: Iterable[Service]) -> str | None:
    """Why these cannot be in one step; None if they can."""
    ports: dict[int, str] = {}
    names: dict[str, str] = {}
    count = 0
    for service in services:
        count += bool(service.hosts)
        taken = ports.setdefault(service.port, service.name) if not service.hosts else service.name
        if taken != service.name:
            return f'the services "{taken}" and "{service.name}" have the same port {service.port}'
        for host in service.hosts:
            if names.setdefault(host, service.name) != service.name:
                return f'the services "{names[host]}" and "{service.name}" have the same host "{host}"'
    return f"a step can have {_MOST_SERVICES} services with hosts, not {count}" if count > _MOST_SERVICES else None
