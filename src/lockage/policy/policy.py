"""The policy of a channel: what people write in TOML, and the canonical JSON whose digest is its identity.

Invariants: the canonical form names every parameter, so that a changed default never changes a kept policy; a policy has at
least one gate. Format: docs/formats/policy.md.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical_of, decode, decode_hook
from lockage.base.digest import Digest
from lockage.base.errors import Usage
from lockage.base.name import ChannelName
from lockage.policy.gates import GATES, From, Gate
from lockage.recipe.quoted import quoted, syntax_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["InvalidPolicy", "Policy", "parse_policy"]


class InvalidPolicy(Usage):
    """A policy has faults; the message lists all of them."""

    code = "invalid-policy"
    hint = "Correct the lines named; docs/policies.md lists every gate and its parameters."


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a channel demands: all gates must pass."""

    schema: Literal["lockage-policy/1"] = "lockage-policy/1"
    channel: ChannelName
    gates: tuple[Gate, ...]

    @property
    def digest(self) -> Digest:
        return Digest.of(self.encode())

    def encode(self) -> bytes:
        """The canonical JSON."""
        return canonical_of(self)

    @classmethod
    def decode(cls, data: bytes) -> Policy:
        """Read the canonical JSON; raises InvalidDocument, or :class:`InvalidPolicy` if it contradicts itself."""
        found = decode(data, cls)
        faults = list(_faults_of_whole(found.channel, found.gates))
        if faults:
            raise InvalidPolicy("; ".join(faults), faults=tuple(faults))
        return found


def parse_policy(data: bytes, file: str = "policy.toml") -> Policy:
    """Read a policy as people write it; raises :class:`InvalidPolicy` with every fault, each by its key."""
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fault = InvalidPolicy(f"{file}: not TOML: {error}", file=file, faults=(str(error),))
        if isinstance(error, tomllib.TOMLDecodeError):
            fault.excerpts = (syntax_fault(data.decode(), file, str(error)),)
        raise fault from error
    faults: list[str] = []
    channel: ChannelName | None = None
    try:
        channel = msgspec.convert(document.get("channel"), ChannelName, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        faults.append(f"channel: {error if 'channel' in document else 'missing; name the channel that this policy is for'}")
    faults += [f"{key}: not a key of a policy (channel, gates)" for key in document if key not in ("channel", "gates")]
    tables = document.get("gates", [])
    gates: list[Gate] = []
    if isinstance(tables, list):
        for number, table in enumerate(tables, 1):
            gate = _gate(f"gates[{number}]", table, faults)
            if gate is not None:
                gates.append(gate)
        if len(gates) == len(tables):
            faults += _faults_of_whole(channel, tuple(gates))
    else:
        faults.append("gates: a list of tables is expected, each begun with [[gates]]")
    if faults or channel is None:
        fault = InvalidPolicy(f"{file}: {'; '.join(faults)}", file=file, faults=tuple(faults))
        fault.excerpts = quoted(data.decode(), file, faults, first=1)
        raise fault
    return Policy(channel=channel, gates=tuple(gates))


def _gate(where: str, table: object, faults: list[str]) -> Gate | None:
    if not isinstance(table, dict):
        faults.append(f"{where}: a table is expected")
        return None
    name = table.get("gate")
    if not isinstance(name, str) or name not in GATES:
        faults.append(
            f"{where}.gate: {f'no gate is called {name!r}' if name is not None else 'missing'}; one of {', '.join(sorted(GATES))}"
        )
        return None
    before = len(faults)
    faults += _faults_of_parameters(where, GATES[name], table)
    return msgspec.convert(table, Gate, dec_hook=decode_hook) if len(faults) == before else None


def _faults_of_parameters(where: str, kind: type[Gate], table: Mapping[str, object]) -> Iterator[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key != "gate" and key not in fields:
            known = ", ".join(fields) or "none"
            yield f"{where}.{key}: gate {table['gate']!r} has no such parameter (it has: {known})"
    for name, field in fields.items():
        if name in table:
            try:
                msgspec.convert(table[name], field.type, dec_hook=decode_hook)
            except msgspec.ValidationError as error:
                yield f"{where}.{name}: {error}"
        elif field.required:
            yield f"{where}.{name}: missing"


def _faults_of_whole(channel: ChannelName | None, gates: tuple[Gate, ...]) -> Iterator[str]:
    if not gates:
        yield "gates: a policy needs at least one gate, or everything would pass"
    for number, gate in enumerate(gates, 1):
        if gate in gates[: number - 1]:
            yield f"gates[{number}]: the same gate with the same parameters stands above"
        if isinstance(gate, From) and gate.channel == channel:
            yield f"gates[{number}].channel: a channel cannot be fed from itself"
