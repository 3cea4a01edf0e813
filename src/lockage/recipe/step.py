"""One [step.NAME] table → Step. What must hold between steps is checked by :mod:`lockage.recipe.rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.name import EnvironmentName, FetchName, FlagName, LatchName, PoolName, ServiceName, StepName
from lockage.base.path import RelPath
from lockage.recipe.glob import InvalidPattern, check_pattern, check_patterns
from lockage.recipe.model import Resources, Stamp, Step, StepKind
from lockage.recipe.modes import Mode
from lockage.recipe.pools import pools_of
from lockage.recipe.quantity import DURATION_FORM, SIZE_FORM, duration, size
from lockage.recipe.reader import Table, shown, suggestion
from lockage.recipe.variables import step_variables
from lockage.stabilize import PASSES, Choice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["step_of"]

_DEFAULTS = Resources()
_MOST_BYTES = 1 << 50
_MOST_SECONDS = 30 * 86400
_MOST_RETRIES = 10
#: What stands in a step for a value that was reported: the rules between steps see the rest of it, and no recipe comes of it.
_UNREADABLE = EnvironmentName("unreadable")

_NO_OUTPUTS = 'Name the files or directories that the step writes, or set kind = "test" or "check".'


def step_of(
    table: Table,
    name: str,
    environments: Collection[str],
    flags: Collection[str],
    fetches: Collection[str],
    pools: Mapping[PoolName, int],
    services: Collection[str] = (),
) -> Step | None:
    """The step of this table, with its faults reported; None if not even its name can be used."""
    kind = table.text("kind", _kind, '"build", "test" or "check"')
    environment = _environment_of(table, environments)
    needs = table.texts("needs", StepName, "steps")
    inputs = _patterns(table, "inputs")
    stamp = table.texts("stamp", _stamp, '"date" and "version"')
    run = _run(table)
    outputs = table.texts("outputs", _output, "paths")
    if not outputs and kind in (None, StepKind.BUILD) and not table.has_items("outputs"):
        table.faults.add(table.key, "a build step needs `outputs`", _NO_OUTPUTS)
    artifacts = _patterns(table, "artifacts")
    step_flags = table.texts("flags", lambda text: FlagName(_declared(text, flags, "flag")), "flags")
    variables, unset = step_variables(table)
    resources = _resources(table)
    stabilize = _stabilize(table)
    fetch = table.texts("fetch", lambda text: FetchName(_declared(text, fetches, "fetch input")), "fetch inputs")
    crates = table.text("crates", RelPath, "the path of a Cargo.lock in the source")
    modes = table.texts("modes", _mode, "modes")
    retries = table.integer("retries", 0, 0, _MOST_RETRIES)
    exclusive = table.texts("exclusive", LatchName, "names of latches")
    taken = pools_of(table.table("pools"), pools)
    asked = table.texts("services", lambda text: ServiceName(_declared(text, services, "service")), "services")
    table.close()
    try:
        step_name = StepName(name)
    except ValueError as error:
        table.faults.add(table.key, str(error))
        return None
    return Step(
        name=step_name,
        kind=kind or StepKind.BUILD,
        environment=environment or _UNREADABLE,
        needs=needs or (),
        inputs=("**",) if inputs is None else inputs,
        stamp=tuple(sorted(stamp or ())),
        run=run or ("false",),
        outputs=outputs or (),
        artifacts=artifacts or (),
        flags=step_flags or (),
        variables=variables,
        resources=resources,
        stabilize=stabilize,
        fetch=fetch or (),
        crates=crates,
        modes=tuple(sorted(modes or ())),
        unset=unset,
        retries=retries,
        exclusive=tuple(sorted(exclusive or ())),
        pools=taken,
        services=tuple(sorted(asked or ())),
    )


def _resources(table: Table) -> Resources:
    return Resources(
        cpus=table.integer("cpus", _DEFAULTS.cpus, 1, 1024),
        memory=table.quantity("memory", _DEFAULTS.memory, size, SIZE_FORM, _MOST_BYTES),
        disk=table.quantity("disk", _DEFAULTS.disk, size, SIZE_FORM, _MOST_BYTES),
        timeout=table.quantity("timeout", _DEFAULTS.timeout, duration, DURATION_FORM, _MOST_SECONDS),
        processes=table.integer("processes", _DEFAULTS.processes, 1, 1 << 22),
    )


def _stabilize(table: Table) -> bool | Choice:
    """True, false, or a table of the passes to switch on and off."""
    value = table.raw("stabilize")
    if value is None or isinstance(value, bool):
        return value is not False
    if not isinstance(value, dict):
        table.fault("stabilize", f"expected true, false or a table of passes, found {shown(value)}", 'Such as { off = ["png"] }.')
        return True
    within = table.table("stabilize")
    known = [each.name for each in PASSES]
    on, off = (within.texts(key, lambda text: _declared(text, known, "pass"), "names of passes") or () for key in ("on", "off"))
    within.close()
    for name in sorted(set(on) & set(off)):
        within.fault("on", f"the pass {shown(name)} is switched on and off")
    return Choice(on=tuple(sorted(on)), off=tuple(sorted(off))) if on or off else True


def _patterns(table: Table, name: str) -> tuple[str, ...] | None:
    patterns = table.texts(name, _pattern, "patterns")
    try:
        check_patterns(patterns or ())
    except InvalidPattern as error:
        table.fault(name, str(error))
    return patterns


def _kind(text: str) -> StepKind:
    return StepKind(_member(text, [str(kind) for kind in StepKind]))


def _stamp(text: str) -> Stamp:
    return Stamp(_member(text, [str(stamp) for stamp in Stamp]))


def _mode(text: str) -> Mode:
    return Mode(_member(text, [str(mode) for mode in Mode]))


def _member(text: str, known: list[str]) -> str:
    if text not in known:
        raise ValueError(f"expected {' or '.join(shown(name) for name in known)}, found {shown(text)}{suggestion(text, known)}")
    return text


def _declared(text: str, known: Collection[str], what: str) -> str:
    if text not in known:
        raise ValueError(f"there is no {what} {shown(text)}{suggestion(text, known)}")
    return text


def _environment_of(table: Table, environments: Collection[str]) -> EnvironmentName | None:
    found = table.text("environment", lambda text: EnvironmentName(_declared(text, environments, "environment")), "an environment")
    if found is not None or table.has("environment"):
        return found
    if len(environments) == 1:
        return _valid(next(iter(environments)))
    if environments:
        table.faults.add(table.key, f'the key "environment" is missing: one of {", ".join(environments)}')
    else:
        table.faults.add(table.key, "the recipe declares no environment", 'Add an [environment.NAME] table with os = "debian:SUITE".')
    return None


def _valid(text: str) -> EnvironmentName | None:
    try:
        return EnvironmentName(text)
    except ValueError:
        return None  # reported where it is declared


def _pattern(text: str) -> str:
    check_pattern(text)
    return text


def _output(text: str) -> RelPath:
    if any(char in text for char in "*?["):
        raise ValueError(f"outputs are literal paths, not patterns: {shown(text)}; select from them with `artifacts`")
    return RelPath(text)


def _run(table: Table) -> tuple[str, ...] | None:
    """The arguments: a text is a line for the shell, which stops at the first command that fails or variable that is unset."""
    value = table.raw("run")
    expected = "a shell line or an array of arguments"
    if value is None:
        table.faults.add(table.key, f'the key "run" is missing: {expected}')
    elif isinstance(value, str) and value.strip() and "\0" not in value:
        return ("/bin/sh", "-euc", value)
    elif isinstance(value, list) and value and all(isinstance(item, str) and "\0" not in item for item in value) and value[0]:
        return tuple(value)
    else:
        table.fault("run", f"expected {expected}, found {shown(value)}")
    return None
