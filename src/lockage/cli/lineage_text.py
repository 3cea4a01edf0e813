"""A lineage as a tree of lines, from the artifact back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lockage.base.units import counted
from lockage.cli.project import source_line
from lockage.cli.screen import human_size, short
from lockage.cli.show_text import channels_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lockage.record.lineage import (
        InputSet,
        Lineage,
        LineageArtifact,
        LineageEnvironment,
        LineageService,
        LineageStep,
        Package,
        SourceFile,
    )

__all__ = ["lineage_lines"]

#: Unless all is asked for: so many steps are opened, so deep, and so many patterns told of inputs.
_STEPS, _DEEP, _PATTERNS = 40, 8, 6
#: So many other runs that gave the same bytes are named, the newest.
_RUNS = 3


class _Branch(NamedTuple):
    """A line, and what gives the branches below it when they are wanted; ``late`` gives all of it when its turn has come."""

    text: str
    below: Callable[[], Sequence[_Branch]] = tuple
    late: Callable[[], _Branch] | None = None


def lineage_lines(lineage: Lineage, *, full: bool) -> Iterator[str]:
    """The trees of all artifacts; a step that several need is told once. ``full``: with every package, file and step."""
    tree = _Tree(lineage, full=full)
    yield f"{lineage.project} {source_line(lineage.source)}"
    yield f"  source tree {short(lineage.source.tree.digest)}  recipe {short(lineage.recipe)}  lock {short(lineage.lock)}"
    if lineage.run is not None:
        shown = lineage.run.others if full or len(lineage.run.others) <= _RUNS else lineage.run.others[-_RUNS:]
        more = f"{counted(len(lineage.run.others) - len(shown), 'older run')} and " if len(shown) < len(lineage.run.others) else ""
        others = f"; the same bytes came of {more}{', '.join(shown)}" if shown else ""
        yield f"  made by {lineage.run.run}, {lineage.run.started}{others}"
    for artifact in lineage.artifacts:
        yield ""
        yield from _drawn(tree.artifact(artifact))
    for text in lineage.missing:
        yield f"missing: {text}"
    if not full and tree.folded:
        yield ""
        yield "--full lists every package, file and step; --format json has all of it"


def _drawn(root: _Branch) -> Iterator[str]:
    """A tree without recursion, as a chain of steps may be long."""
    yield root.text
    stack = [("", branch, number == 0) for number, branch in enumerate(reversed(root.below()))]
    while stack:
        indent, branch, last = stack.pop()
        branch = branch if branch.late is None else branch.late()
        yield f"{indent}{'└─' if last else '├─'} {branch.text}"
        deeper = indent + ("   " if last else "│  ")
        stack += [(deeper, below, number == 0) for number, below in enumerate(reversed(branch.below()))]


class _Tree:
    def __init__(self, lineage: Lineage, *, full: bool) -> None:
        self._full = full
        self._steps = {step.step: step for step in lineage.steps}
        self._inputs = {inputs.id: inputs for inputs in lineage.inputs}
        self._environments = {environment.name: environment for environment in lineage.environments}
        self._fetched = {str(fetched.name): fetched for fetched in lineage.fetched}
        self._services = {service.name: service for service in lineage.services}
        self._told: set[str] = set()
        self.folded = False

    def artifact(self, artifact: LineageArtifact) -> _Branch:
        return _Branch(f"{artifact.name}  {human_size(artifact.size)}  sha256 {artifact.sha256}", lambda: self._of_artifact(artifact))

    def _of_artifact(self, artifact: LineageArtifact) -> list[_Branch]:
        found = [_Branch(f"release {one.release} as {one.name}, {channels_text(one.channels)}") for one in artifact.releases]
        kinds: dict[str, int] = {}
        for statement in artifact.evidence:
            kinds[statement.predicate] = kinds.get(statement.predicate, 0) + 1
        if kinds:
            told = ", ".join(f"{count} of {kind.rpartition('://')[2]}" for kind, count in kinds.items())
            found.append(_Branch(f"evidence: {told} (not verified here: `lockage evidence list`)"))
        changed = [f"{one.name} {one.version}" for one in artifact.passes if one.changes]
        if artifact.passes:
            found.append(_Branch(f"passes that changed it: {', '.join(changed) or 'none'}"))
        step = self._steps.get(artifact.step)
        if step is not None:
            found.append(self._step(step, 1))
        elif artifact.step == "source":
            found.append(_Branch("the source itself, as it was given"))
        else:
            found.append(_Branch(f"step {artifact.step}"))
        return found

    def _step(self, step: LineageStep, depth: int) -> _Branch:
        title = f"{step.kind} {step.step}" + ("" if step.action is None else f"  action {short(step.action)}")
        if step.step in self._told:
            return _Branch(f"{title}  (above)")
        if not self._full and (len(self._told) >= _STEPS or depth > _DEEP):
            self.folded = True
            return _Branch(f"{title}  …")
        self._told.add(step.step)
        return _Branch(title, lambda: self._of_step(step, depth))

    def _later(self, step: LineageStep, depth: int) -> _Branch:
        return _Branch("", late=lambda: self._step(step, depth))

    def _of_step(self, step: LineageStep, depth: int) -> list[_Branch]:
        found = []
        if step.stamps:
            found.append(_Branch(f"stamps: {', '.join(step.stamps)}"))
        if step.flags:
            found.append(_Branch("flags: " + ", ".join(f"{name} {'on' if on else 'off'}" for name, on in step.flags.items())))
        found.append(self._environment(step.environment))
        if step.inputs is not None:
            found.append(self._input_set(self._inputs[step.inputs]))
        for name in step.fetched:
            fetched = self._fetched[name]
            found.append(_Branch(f"fetch {name}  {fetched.path}  sha256 {short(fetched.sha256)}  from {', '.join(fetched.urls)}"))
        found += [self._service(self._services[name]) for name in step.services if name in self._services]
        if step.crates:
            found.append(_Branch(counted(len(step.crates), "crate"), lambda: self._packages(step.crates)))
        needed = [self._steps[need] for need in step.needs if need in self._steps]
        if not self._full and len(needed) > _STEPS:
            self.folded = True
            found += [self._later(need, depth + 1) for need in needed[:_STEPS]]
            return [*found, _Branch(f"and {counted(len(needed) - _STEPS, 'more step')} that it needs")]
        return found + [self._later(need, depth + 1) for need in needed]

    def _environment(self, name: str) -> _Branch:
        environment = self._environments.get(name)
        if environment is None:
            return _Branch(f"environment {name}, not kept")
        of = f" of {environment.release_date}" if environment.release_date else ""
        if environment.unpinned_host:
            return _Branch(f"environment {name}: UNPINNED HOST, fingerprint {short(environment.root.digest)}: {environment.unpinned_host}")
        title = f"environment {name}: {environment.os} {environment.architecture}{of}"
        title += f", {counted(len(environment.packages), 'OS package')}"
        title += f", {counted(len(environment.python), 'Python package')}" if environment.python else ""
        title += f"  root {short(environment.root.digest)}"
        if f"environment {name}" in self._told:
            return _Branch(f"environment {name}  (above)")
        self._told.add(f"environment {name}")
        return _Branch(title, lambda: self._of_environment(environment))

    def _of_environment(self, environment: LineageEnvironment) -> list[_Branch]:
        if not self._full and environment.packages:
            self.folded = True
        return self._packages(environment.packages) + self._packages(environment.python)

    def _packages(self, packages: Sequence[Package]) -> list[_Branch]:
        return [_Branch(f"{one.name} {one.version}  {one.file}  sha256 {one.sha256}") for one in packages] if self._full else []

    def _input_set(self, inputs: InputSet) -> _Branch:
        shown = ", ".join(inputs.patterns[:_PATTERNS]) + (", …" if len(inputs.patterns) > _PATTERNS else "")
        if not self._full and inputs.files:
            self.folded = True
        if inputs.id in self._told:
            return _Branch(f"{counted(len(inputs.files), 'source file')}: {shown}  (above)")
        self._told.add(inputs.id)
        return _Branch(f"{counted(len(inputs.files), 'source file')}: {shown}", lambda: self._files(inputs.files))

    def _service(self, service: LineageService) -> _Branch:
        title = f"service {service.name}, answered from {service.recording}"
        if len(service.files) == 1 and service.files[0].path == service.recording:
            return _Branch(f"{title}  sha256 {short(service.files[0].sha256 or '')}")
        if f"service {service.name}" in self._told:
            return _Branch(f"{title}  (above)")
        self._told.add(f"service {service.name}")
        if not self._full and service.files:
            self.folded = True
        return _Branch(f"{title}: {counted(len(service.files), 'file')}", lambda: self._files(service.files))

    def _files(self, files: Sequence[SourceFile]) -> list[_Branch]:
        return [_Branch(_file(file)) for file in files] if self._full else []


def _file(file: SourceFile) -> str:
    if file.target is not None:
        return f"{file.path} -> {file.target}"
    return f"{file.path}{' (executable)' if file.executable else ''}  sha256 {file.sha256}"
