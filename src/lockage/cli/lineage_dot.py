"""A lineage in the language of Graphviz, dot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.record.lineage_graph import Graph

__all__ = ["dot_lines"]

_SHAPES = {
    "artifact": "box3d",
    "release": "house",
    "step": "box",
    "environment": "component",
    "source": "folder",
    "inputs": "note",
    "service": "cds",
}


def dot_lines(graph: Graph, title: str) -> Iterator[str]:
    """The whole file; what went into something stands left of it."""
    yield f"digraph {_quoted(title)} {{"
    yield "  rankdir=LR;"
    yield '  node [fontname="sans-serif", fontsize=10];'
    yield "  edge [color=gray40, arrowsize=0.7];"
    for node in graph.nodes:
        label = _quoted("\n".join(node.lines))
        yield f"  {_quoted(node.id)} [shape={_SHAPES.get(node.kind, 'plaintext')}, label={label}];"
    for edge in graph.edges:
        yield f"  {_quoted(edge.source)} -> {_quoted(edge.target)};"
    yield "}"


def _quoted(text: str) -> str:
    r"""A string of the language; ``\n`` in it is a new line (graphviz.org, "The DOT Language")."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
