"""One [service.NAME] table → a service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.name import ServiceName
from lockage.base.path import RelPath
from lockage.recipe.reader import named, shown
from lockage.recipe.service import Form, Matching, Service, variable

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["services_of"]

#: Names of hosts, RFC 1123; those that the sandbox has already are taken.
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_TAKEN = frozenset({"localhost", "lockage"})
#: A header's name, RFC 9110.
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_IGNORABLE = ("body", "query")


def services_of(table: Table) -> dict[str, Service | None]:
    """Every service by name, with its faults reported; None for one that cannot be used."""
    found: dict[str, Service | None] = {}
    variables: dict[str, str] = {}
    for name in table.names():
        named(table, name, ServiceName)
        found[name] = _service_of(table.table(name), name)
        same = variables.setdefault(variable(name), name)
        if same != name:
            table.fault(name, f"the services {shown(same)} and {shown(name)} would have the same variable in a step")
    return found


def _service_of(table: Table, name: str) -> Service | None:
    har = table.text("har", RelPath, "the path of a HAR file in the source")
    folder = table.text("responses", RelPath, "the path of a folder of the source")
    port = table.integer("port", 80, 1, 65535)
    hosts = table.texts("hosts", _host, "names of hosts") or ()
    headers = table.texts("headers", _header, "names of headers") or ()
    ignore = table.texts("ignore", _ignorable, '"query" and "body"') or ()
    in_order = table.flag("in-order", default=False)
    repeat = table.flag("repeat", default=False)
    must_use_all = table.flag("must-use-all", default=False)
    table.close()
    if table.has("har") == table.has("responses"):
        table.faults.add(table.key, "a service has one of `har` and `responses`: a HAR file, or a folder of responses, in the source")
        return None
    if not table.has("port") and not table.has_items("hosts"):
        table.faults.add(table.key, 'the key "port" is missing: where the service listens', "Or name its `hosts`: then it is 80.")
    if table.has("responses"):
        for key, given in (("headers", headers), ("ignore", ignore), ("in-order", in_order), ("repeat", repeat)):
            if given:
                table.fault(key, f"`{key}` is for a HAR file: a folder knows requests by method, path and query, as often as they come")
    recording = har or folder
    if recording is None:
        return None
    matching = Matching(
        headers=tuple(sorted(headers)),
        ignore=tuple(sorted(ignore)),
        in_order=in_order,
        repeat=repeat or folder is not None,
        must_use_all=must_use_all,
    )
    try:
        form = Form.HAR if har is not None else Form.FOLDER
        return Service(name=ServiceName(name), form=form, recording=recording, port=port, hosts=hosts, matching=matching)
    except ValueError:
        return None  # its name, which was reported


def _host(text: str) -> str:
    if not _HOST.fullmatch(text) or text.rpartition(".")[2].isdigit():
        raise ValueError(f"not the name of a host in lower case, without a port: {shown(text)}")
    if text in _TAKEN:
        raise ValueError(f"{shown(text)} is the sandbox itself; leave `hosts` out to listen there")
    return text


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text.lower()):
        raise ValueError(f"not the name of a header: {shown(text)}")
    return text.lower()


def _ignorable(text: str) -> str:
    if text not in _IGNORABLE:
        raise ValueError(f"expected {' or '.join(map(shown, _IGNORABLE))}, found {shown(text)}; method and path always count")
    return text
