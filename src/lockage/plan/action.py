"""Actions in the canonical encoding of the Remote Execution API v2: the digest of one is the cache key.

Invariants: an action holds everything its step can see and nothing else; limits, time-outs, names of steps and projects
are not part of it. Equal inputs give equal bytes. The contract version, the root, the count of CPUs, modes and services are platform
properties, as REAPI has no other place for them.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, canonical, decode, plain
from lockage.base.digest import BlobRef, Digest
from lockage.base.name import ServiceName
from lockage.base.path import RelPath
from lockage.base.protobuf import bytes_field, fields, string_field, varint, varint_field
from lockage.base.tree import parse_ref, ref_field
from lockage.environment.lock import HOST_METADATA, RootRef
from lockage.plan.latest import Latest
from lockage.recipe.modes import Mode
from lockage.recipe.service import Form, Matching, addresses

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTRACT_VERSION", "WORKING_DIRECTORY", "Action", "EncodedAction", "Stub", "read_action"]

#: The number of the set of guarantees in docs/what-can-differ.md.
CONTRACT_VERSION = 1
#: The one place where a step starts, as a path below the input root and, in the sandbox, below ``/``.
WORKING_DIRECTORY = RelPath("build")

#: REAPI ``Command.OutputDirectoryFormat.TREE_AND_DIRECTORY``.
_TREE_AND_DIRECTORY = 2
#: Where every Command works, that all give trees, and how every input root begins.
_AT, _TREES = string_field(6, WORKING_DIRECTORY), varint_field(9, _TREE_AND_DIRECTORY)
_BELOW = string_field(1, WORKING_DIRECTORY)
#: REAPI's names of instruction sets.
_ISA = {"amd64": "x86-64", "arm64": "aarch64"}


class EncodedAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action's reference and the bytes of its two messages, for a store or a remote executor.

    ``messages`` are these, and the Directory message of the input root, by reference.
    """

    ref: BlobRef
    action: bytes
    command: bytes
    messages: tuple[tuple[BlobRef, bytes], ...]


class Stub(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service as a step sees it: ``content`` is the HAR file, or the tree of the folder, that it answers from."""

    name: ServiceName
    form: Form
    content: BlobRef
    port: int
    hosts: tuple[str, ...] = ()
    matching: Matching = Matching()


class _Stubs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    services: tuple[Stub, ...]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One command with everything it can see. ``input_root`` holds the workspace below :data:`WORKING_DIRECTORY`.

    ``variables`` are sorted by name; ``outputs`` are relative to the working directory, sorted and distinct. ``preload`` is the package
    of the library that a mode brings into every process. ``services`` are sorted by name. A root that is a host is the fingerprint of the
    machine, on which the command runs as it is.
    """

    arguments: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    outputs: tuple[RelPath, ...]
    workspace: BlobRef
    root: RootRef
    cpus: int
    architecture: str
    contract: int = CONTRACT_VERSION
    modes: tuple[Mode, ...] = ()
    preload: Digest | None = None
    services: tuple[Stub, ...] = ()

    @property
    def listening(self) -> tuple[tuple[str, Stub], ...]:
        """Its services, each with the address where it listens."""
        return tuple(zip(addresses([stub.hosts for stub in self.services]), self.services, strict=True))

    @property
    def _platform(self) -> bytes:
        return _platform(self.architecture, self.root, self.contract, self.cpus, self.modes, self.preload, self.services)

    @property
    def input_root(self) -> bytes:
        """The Directory message of the input root: the workspace below the working directory."""
        return bytes_field(2, _BELOW + ref_field(2, self.workspace))

    def encode(self) -> EncodedAction:
        """The REAPI ``Command`` and ``Action`` messages (fields in tag order, sorted where the specification says so)."""
        platform = self._platform
        size = varint(len(platform))
        outputs = self.outputs if len(self.outputs) < 2 else sorted(set(self.outputs))  # UTF-8 keeps the order of characters
        command = b"".join(
            [
                *[bytes_field(1, argument.encode()) for argument in self.arguments],
                _environment(self.variables),
                b"\x2a",  # field 5
                size,
                platform,
                _AT,
                *[bytes_field(7, path.encode()) for path in outputs],
                _TREES,
            ]
        )
        input_root = self.input_root
        of_command, of_input_root = BlobRef.of(command), BlobRef.of(input_root)
        action = b"%b%b\x52%b%b" % (ref_field(1, of_command), ref_field(2, of_input_root), size, platform)
        ref = BlobRef.of(action)
        messages = ((ref, action), (of_command, command), (of_input_root, input_root))
        return EncodedAction(ref=ref, action=action, command=command, messages=messages)


@lru_cache(maxsize=64)
def _pairs(number: int, pairs: tuple[tuple[str, str], ...]) -> bytes:
    """Names with values, each as a message of that number, sorted; most steps of a plan have the same."""
    return b"".join(bytes_field(number, string_field(1, name) + string_field(2, value)) for name, value in sorted(pairs))


_environment = Latest(partial(_pairs, 2))


@lru_cache(maxsize=64)
def _platform(
    architecture: str, root: RootRef, contract: int, cpus: int, modes: tuple[Mode, ...], preload: Digest | None, services: tuple[Stub, ...]
) -> bytes:
    """The platform properties; most steps of a plan have the same."""
    properties = {
        "ISA": _ISA[architecture],
        "OSFamily": "linux",
        "lockage-contract": str(contract),
        "lockage-cpus": str(cpus),
    }
    if root.is_host:
        properties["lockage-unpinned-host"] = str(root.tree)
    else:
        properties |= {"chrootRootDigest": str(root.tree), "lockage-root-metadata": str(root.metadata)}
    if modes:  # an action without any is what it was before there were modes
        properties["lockage-modes"] = " ".join(sorted(modes))
    if preload is not None:
        properties["lockage-preload"] = preload
    if services:
        properties["lockage-services"] = canonical(plain(_Stubs(services))).decode()
    return _pairs(1, tuple(properties.items()))


def read_action(ref: BlobRef, get: Callable[[BlobRef], bytes]) -> Action:
    """The inverse of :meth:`Action.encode`; ``get`` returns a blob's verified bytes. Raises ValueError for what was not written here."""
    action = _messages(get(ref))
    command = _messages(get(parse_ref(_one(action, 1))))
    workspace = _messages(_one(_messages(get(parse_ref(_one(action, 2)))), 2))
    properties = dict(_pair(body) for body in _messages(_one(command, 5)).get(1, []))
    try:
        found = Action(
            arguments=tuple(body.decode() for body in command.get(1, [])),
            variables=tuple(_pair(body) for body in command.get(2, [])),
            outputs=tuple(RelPath(body.decode()) for body in command.get(7, [])),
            workspace=parse_ref(_one(workspace, 2)),
            root=_root(properties),
            cpus=int(properties["lockage-cpus"]),
            architecture=next(name for name, isa in _ISA.items() if isa == properties["ISA"]),
            contract=int(properties["lockage-contract"]),
            modes=tuple(Mode(mode) for mode in properties.get("lockage-modes", "").split()),
            preload=Digest(properties["lockage-preload"]) if "lockage-preload" in properties else None,
            services=decode(properties["lockage-services"].encode(), _Stubs).services if "lockage-services" in properties else (),
        )
    except (KeyError, StopIteration, InvalidDocument) as error:
        raise ValueError("not an action of lockage") from error
    if found.encode().ref != ref:
        raise ValueError("an action with more in it than lockage writes")
    return found


def _root(properties: dict[str, str]) -> RootRef:
    if "lockage-unpinned-host" in properties:
        return RootRef(tree=BlobRef.parse(properties["lockage-unpinned-host"]), metadata=HOST_METADATA)
    return RootRef(tree=BlobRef.parse(properties["chrootRootDigest"]), metadata=Digest(properties["lockage-root-metadata"]))


def _messages(data: bytes) -> dict[int, list[bytes]]:
    """The fields of a message that are bytes, by number; integers say nothing that an action of lockage could have otherwise."""
    found: dict[int, list[bytes]] = {}
    for number, value in fields(data):
        if isinstance(value, bytes):
            found.setdefault(number, []).append(value)
    return found


def _one(message: dict[int, list[bytes]], number: int) -> bytes:
    found = message.get(number, [])
    if len(found) != 1:
        raise ValueError(f"expected one field {number}")
    return found[0]


def _pair(data: bytes) -> tuple[str, str]:
    """A name and its value, of which an empty one is not written."""
    message = _messages(data)
    return _one(message, 1).decode(), message[2][0].decode() if 2 in message else ""
