"""A lineage as a graph to be drawn: nodes in layers, from the artifacts back, and what is many folded into one node.

Pure and deterministic: equal lineages give equal graphs. Unless all of it is asked for, so many nodes of one kind in a layer become one
node that counts them, and a plan that is deep is folded into few layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockage.record.lineage import InputSet, Lineage, LineageArtifact, LineageEnvironment, LineageService, LineageStep, Package

__all__ = ["Edge", "Graph", "GraphNode", "graph_of"]

#: More nodes of one kind in one layer than this are one node.
_MOST_ALIKE = 8
#: More layers of steps than this are folded.
_MOST_LAYERS = 12
#: So many patterns, or names of folded steps, are told of a node.
_NAMED = 3
_MANY = {"inputs": "sets of source files", "fetch": "fetched files", "package": "sets of crates"}


class GraphNode(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was made or used. ``lines`` say what it is; ``layer`` counts from the releases of the artifacts, which have 0."""

    id: str
    kind: str
    lines: tuple[str, ...]
    layer: int


class Edge(msgspec.Struct, frozen=True, order=True):
    """``source`` went into ``target``."""

    source: str
    target: str


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in the order in which they are to be drawn within their layers."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]


def graph_of(lineage: Lineage, *, full: bool = False) -> Graph:
    """The graph of a lineage; ``full``: with every step, package and file as a node of its own."""
    layers = _step_layers(lineage)
    deepest = max(layers.values(), default=1)
    if not full and deepest > _MOST_LAYERS + 1:
        layers = {name: 2 + (layer - 2) * _MOST_LAYERS // (deepest - 1) for name, layer in layers.items()}
    builder = _Builder(layers)
    for number, artifact in enumerate(lineage.artifacts):
        builder.artifact(f"artifact-{number + 1}", artifact)
    for step in lineage.steps:
        builder.step(step)
    for inputs in lineage.inputs:
        builder.inputs(inputs, full=full)
    for environment in lineage.environments:
        builder.environment(environment, full=full)
    for fetched in lineage.fetched:
        builder.add(f"fetch:{fetched.name}", "fetch", (f"fetch {fetched.name}", fetched.sha256[:12]), used=True)
    for service in lineage.services:
        builder.service(service)
    builder.source(lineage)
    graph = Graph(nodes=tuple(builder.nodes.values()), edges=tuple(dict.fromkeys(builder.edges)))
    return _ordered(graph if full else _folded(graph))


def _step_layers(lineage: Lineage) -> dict[str, int]:
    """How far each step is from the artifacts by its longest way, the nearest 2. From the last step on, as needs come before."""
    layers = {str(step.step): 2 for step in lineage.steps}
    for step in reversed(lineage.steps):
        for need in step.needs:
            layers[need] = max(layers.get(need, 2), layers[step.step] + 1)
    return layers


class _Builder:
    """Adds nodes whose layer follows from what they went into; those that something goes into come first."""

    def __init__(self, layers: dict[str, int]) -> None:
        self._layers = layers
        self.nodes: dict[str, GraphNode] = {}
        self.edges: list[Edge] = []
        self._used: dict[str, int] = {}  # the farthest layer that each of what is used goes into

    def add(self, id_: str, kind: str, lines: tuple[str, ...], *, layer: int = 0, used: bool = False) -> None:
        layer = self._used.get(id_, layer) + 1 if used else layer
        self.nodes[id_] = GraphNode(id=id_, kind=kind, lines=lines, layer=layer)

    def link(self, source: str, target: str, layer: int) -> None:
        self.edges.append(Edge(source, target))
        self._used[source] = max(self._used.get(source, 0), layer)

    def artifact(self, id_: str, artifact: LineageArtifact) -> None:
        self.add(id_, "artifact", (artifact.name, f"sha256 {artifact.sha256[:12]}"), layer=1)
        made = f"step:{artifact.step}"
        self.link(made if artifact.step in self._layers else "source", id_, 1)
        for release in artifact.releases:
            on = ", ".join(channel.channel for channel in release.channels)
            self.add(f"release:{release.release}", "release", (release.release, f"on {on}" if on else "on no channel"))
            self.edges.append(Edge(id_, f"release:{release.release}"))

    def step(self, step: LineageStep) -> None:
        id_, layer = f"step:{step.step}", self._layers[step.step]
        told = () if step.action is None else (f"action {step.action[:12]}",)
        self.add(id_, "step", (f"{step.kind} {step.step}", *told), layer=layer)
        for need in step.needs:
            self.edges.append(Edge(f"step:{need}", id_))
        for name in step.fetched:
            self.link(f"fetch:{name}", id_, layer)
        for name in step.services:
            self.link(f"service:{name}", id_, layer)
        if step.inputs is not None:
            self.link(step.inputs, id_, layer)
        self.link(f"environment:{step.environment}", id_, layer)
        if step.crates:
            self.add(f"crates:{step.step}", "package", (counted(len(step.crates), "crate"),), layer=layer + 1)
            self.link(f"crates:{step.step}", id_, layer)

    def inputs(self, inputs: InputSet, *, full: bool) -> None:
        patterns = ", ".join(inputs.patterns[:_NAMED]) + (", …" if len(inputs.patterns) > _NAMED else "")
        self.add(inputs.id, "inputs", (counted(len(inputs.files), "source file"), patterns), used=True)
        layer = self.nodes[inputs.id].layer
        self.link("source", inputs.id, layer + full)
        for file in inputs.files if full else ():
            self.add(f"file:{inputs.id}:{file.path}", "file", (file.path, (file.sha256 or f"-> {file.target}")[:12]), layer=layer + 1)
            self.edges.append(Edge(f"file:{inputs.id}:{file.path}", inputs.id))

    def service(self, service: LineageService) -> None:
        id_ = f"service:{service.name}"
        self.add(id_, "service", (f"service {service.name}", service.recording, counted(len(service.files), "source file")), used=True)
        self.link("source", id_, self.nodes[id_].layer)

    def environment(self, environment: LineageEnvironment, *, full: bool) -> None:
        id_ = f"environment:{environment.name}"
        told = [counted(len(environment.packages), "OS package")]
        told += [counted(len(environment.python), "Python package")] if environment.python else []
        self.add(id_, "environment", (f"environment {environment.name}", environment.os, *told), used=True)
        for kind, packages in (("os", environment.packages), ("python", environment.python)) if full else ():
            for package in packages:
                self._package(f"package:{environment.name}:{kind}:{package.name}", id_, package)

    def _package(self, id_: str, environment: str, package: Package) -> None:
        layer = self.nodes[environment].layer
        self.add(id_, "package", (f"{package.name} {package.version}", package.sha256[:12]), layer=layer + 1)
        self.edges.append(Edge(id_, environment))

    def source(self, lineage: Lineage) -> None:
        if any(edge.source == "source" for edge in self.edges):
            origin = lineage.source.origin
            named = getattr(origin, "commit", "")[:12] or getattr(origin, "file", "") or "a directory"
            told = (f"{lineage.project} {lineage.source.version}", f"source {named}", f"tree {lineage.source.tree.digest[:12]}")
            self.add("source", "source", told, used=True)


def _folded(graph: Graph) -> Graph:
    """The graph with nodes that are alike in their layer as one; edges between what is folded together are gone."""
    alike: dict[tuple[int, str], list[GraphNode]] = {}
    for node in graph.nodes:
        alike.setdefault((node.layer, node.kind), []).append(node)
    within = {node.id: node.layer for node in graph.nodes}
    crowded = {(within[e.source], "step") for e in graph.edges if within.get(e.source) == within.get(e.target)}
    nodes: list[GraphNode] = []
    stands: dict[str, str] = {}
    for (layer, kind), group in alike.items():
        if len(group) <= _MOST_ALIKE and (layer, kind) not in crowded:
            nodes += group
            stands |= {node.id: node.id for node in group}
            continue
        id_ = f"{kind}s:{layer}"
        shown = ", ".join(node.lines[0].partition(" ")[2] if kind == "step" else node.lines[-1] for node in group[:_NAMED])
        more = ", …" if len(group) > _NAMED else ""
        lines = (f"{len(group):,} {_MANY.get(kind, f'{kind}s')}", shown + more)
        nodes.append(GraphNode(id=id_, kind=kind, lines=lines, layer=layer))
        stands |= {node.id: id_ for node in group}
    edges = dict.fromkeys(Edge(stands[edge.source], stands[edge.target]) for edge in graph.edges if edge.source in stands)
    return Graph(nodes=tuple(nodes), edges=tuple(edge for edge in edges if edge.source != edge.target))


def _ordered(graph: Graph) -> Graph:
    """Nodes by layer, in each by the mean place of what they went into, so that few lines cross; ties as they were."""
    targets: dict[str, list[str]] = {}
    for edge in graph.edges:
        targets.setdefault(edge.source, []).append(edge.target)
    place: dict[str, float] = {}
    found: list[GraphNode] = []
    for _, layer in _by_layer(graph.nodes):
        known = [(_mean(place[target] for target in targets.get(node.id, ()) if target in place), node) for node in layer]
        ordered = [node for _, node in sorted(known, key=lambda one: one[0])]
        place |= {node.id: number / max(len(ordered) - 1, 1) for number, node in enumerate(ordered)}
        found += ordered
    there = {node.id for node in found}
    return Graph(nodes=tuple(found), edges=tuple(edge for edge in graph.edges if edge.source in there and edge.target in there))


def _by_layer(nodes: Iterable[GraphNode]) -> Iterator[tuple[int, list[GraphNode]]]:
    layers: dict[int, list[GraphNode]] = {}
    for node in nodes:
        layers.setdefault(node.layer, []).append(node)
    yield from sorted(layers.items())


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.5
