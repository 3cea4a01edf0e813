"""What differs between two actions of one step, in the words of a recipe: inputs, variables, stamps, flags, packages."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical, plain
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, LinkNode
from lockage.environment.difference import ItemKind, environment_difference
from lockage.plan.contract import FIXED, JOBS, PLATFORM, PREVENTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockage.base.tree import Node, Tree
    from lockage.environment.lock import LockedEnvironment, RootRef
    from lockage.plan.action import Action

__all__ = ["Change", "ChangeKind", "Origin", "action_changes", "environment_changes"]

_FLAG = "LOCKAGE_FLAG_"
_STAMPS = ("LOCKAGE_VERSION", "SOURCE_DATE_EPOCH")


class ChangeKind(StrEnum):
    """What of an action is not the same."""

    INPUT = "input"
    NEED = "output"
    FETCH = "fetch"
    CRATE = "crate"
    COMMAND = "command"
    VARIABLE = "variable"
    FLAG = "flag"
    STAMP = "stamp"
    PREVENTION = "prevention"
    OUTPUTS = "outputs"
    CPUS = "cpus"
    ARCHITECTURE = "architecture"
    MODES = "modes"
    PRELOAD = "preload"
    SERVICE = "service"
    CONTRACT = "contract"
    ROOT = "root"
    OS = "os"
    PACKAGE = "package"
    WHEEL = "wheel"
    HOST = "host"


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was otherwise: None where it was not there, or is not there now.

    ``name`` is a path, a variable, a package, or what of a host it is about, empty where there is only one of the kind; ``step`` made the
    file, if a step did.
    ``before`` and ``after`` of a file are its digest, with `executable` if it is that, of a link `-> ` and its target.
    """

    kind: ChangeKind
    name: str = ""
    before: str | None
    after: str | None
    step: str | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What puts files below a path of a workspace."""

    path: RelPath
    kind: ChangeKind
    step: str | None = None


def action_changes(before: Action, after: Action, trees: tuple[Tree, Tree], origins: Iterable[Origin]) -> tuple[Change, ...]:
    """What differs but for the root, in the order of :class:`ChangeKind`; ``trees`` are the two workspaces.

    A file that no origin is above is one of the source.
    """
    pairs = (
        (ChangeKind.COMMAND, _line(before.arguments), _line(after.arguments)),
        (ChangeKind.OUTPUTS, " ".join(before.outputs), " ".join(after.outputs)),
        (ChangeKind.CPUS, str(before.cpus), str(after.cpus)),
        (ChangeKind.ARCHITECTURE, before.architecture, after.architecture),
        (ChangeKind.MODES, " ".join(sorted(before.modes)), " ".join(sorted(after.modes))),
        (ChangeKind.PRELOAD, before.preload, after.preload),
        (ChangeKind.CONTRACT, str(before.contract), str(after.contract)),
    )
    found = [*_file_changes(*trees, tuple(origins)), *_variable_changes(dict(before.variables), dict(after.variables))]
    found += [Change(kind=kind, before=one or None, after=two or None) for kind, one, two in pairs if one != two]
    found += _service_changes(before, after)
    order = {kind: place for place, kind in enumerate(ChangeKind)}
    return tuple(sorted(found, key=lambda change: (order[change.kind], change.name)))


def environment_changes(root: RootRef, before: LockedEnvironment | None, after: LockedEnvironment) -> tuple[Change, ...]:
    """What is otherwise in another root than this one; only that it is another if the environment it was of is not known."""
    found: list[Change] = []
    if before is not None:
        difference = environment_difference(before, after)
        kinds = {ItemKind.PACKAGE: ChangeKind.PACKAGE, ItemKind.WHEEL: ChangeKind.WHEEL}
        found += [Change(kind=ChangeKind.OS, before=field.a, after=field.b) for field in difference.fields if field.field == "os"]
        found += [Change(kind=kinds[i.kind], name=i.name, before=i.a, after=i.b) for i in difference.items if i.kind in kinds]
    return tuple(found) or (Change(kind=ChangeKind.ROOT, before=root.tree.digest, after=after.root.tree.digest),)


def _service_changes(before: Action, after: Action) -> Iterator[Change]:
    """A service is told by a digest of all that it is, as a recording has no shorter description."""
    one, two = ({stub.name: Digest.of(canonical(plain(stub))) for stub in action.services} for action in (before, after))
    for name in sorted(one.keys() | two.keys()):
        if one.get(name) != two.get(name):
            yield Change(kind=ChangeKind.SERVICE, name=name, before=one.get(name), after=two.get(name))


def _line(arguments: tuple[str, ...]) -> str:
    """The command as its recipe has it: a line for the shell, or arguments."""
    shell = len(arguments) == 3 and arguments[:2] == ("/bin/sh", "-euc")
    return arguments[2] if shell else " ".join(arguments)


def _variable_changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Change(kind=_variable_kind(name), name=name, before=before.get(name), after=after.get(name))


def _variable_kind(name: str) -> ChangeKind:
    if name in _STAMPS:
        return ChangeKind.STAMP
    if name.startswith(_FLAG):
        return ChangeKind.FLAG
    if name in FIXED:
        return ChangeKind.CONTRACT
    return ChangeKind.PREVENTION if name in PREVENTION or name in JOBS or name in PLATFORM else ChangeKind.VARIABLE


def _file_changes(before: Tree, after: Tree, origins: tuple[Origin, ...]) -> Iterator[Change]:
    one, two = ({node.path: _shown(node) for node in tree} for tree in (before, after))
    for path in sorted(one.keys() | two.keys()):
        if one.get(path) != two.get(path):
            origin = next((origin for origin in origins if path == origin.path or path.is_under(origin.path)), None)
            kind, step = (ChangeKind.INPUT, None) if origin is None else (origin.kind, origin.step)
            yield Change(kind=kind, name=path, before=one.get(path), after=two.get(path), step=step)


def _shown(node: Node) -> str:
    match node:
        case FileNode():
            return f"{node.blob.digest} executable" if node.executable else node.blob.digest
        case LinkNode():
            return f"-> {node.target}"
        case Directory():
            return "directory"
