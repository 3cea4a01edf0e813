"""A lineage as a picture: SVG that needs no other program, readable on light and on dark ground.

The layout is a plain layered one: a column for each layer, what went into something left of it, columns centred on one another.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.record.lineage_graph import Graph, GraphNode

__all__ = ["svg_lines"]

#: All in pixels: of one letter, of a line of text, inside a box, between boxes, between columns, around everything.
_LETTER, _LINE, _INSIDE, _BELOW, _BESIDE, _MARGIN = 6.6, 15, 9, 16, 56, 20
_LONGEST = 44
_STYLE = """\
svg { background: #fff; color: #1c1c1c; font: 11px ui-monospace, Menlo, Consolas, monospace }
rect { fill: #f4f4f4; stroke: #767676; rx: 4px } text { fill: currentColor } path { fill: none; stroke: #8a8a8a }
.artifact rect { fill: #d6e9d5; stroke: #3c7a39 }
.release rect { fill: #d9e4f5; stroke: #34619c }
.step rect { fill: #fbeccb; stroke: #9a6c0a }
@media (prefers-color-scheme: dark) {
svg { background: #161616; color: #ececec } rect { fill: #2a2a2a; stroke: #9a9a9a }
.artifact rect { fill: #1f3b1e; stroke: #6fb56b }
.release rect { fill: #1d2f4a; stroke: #7fa8e0 }
.step rect { fill: #3d2f10; stroke: #d6a53d } }"""


class _Box(NamedTuple):
    node: GraphNode
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


def svg_lines(graph: Graph, title: str) -> Iterator[str]:
    """The whole file."""
    boxes, width, height = _boxes(graph)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img">'
    yield f"<title>{escape(title)}</title>"
    yield f"<style>\n{_STYLE}\n</style>"
    yield '<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
    yield '<path d="M0 0 6 3 0 6" /></marker></defs>'
    for edge in graph.edges:
        yield _curve(boxes[edge.source], boxes[edge.target])
    for box in boxes.values():
        yield f'<g class="{escape(box.node.kind)}"><title>{escape(chr(10).join(box.node.lines))}</title>'
        yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" />'
        for number, line in enumerate(box.lines):
            at = box.y + _INSIDE + _LINE * (number + 0.75)
            yield f'<text x="{box.x + _INSIDE:g}" y="{at:g}">{escape(line)}</text>'
        yield "</g>"
    yield "</svg>"


def _boxes(graph: Graph) -> tuple[dict[str, _Box], float, float]:
    """Every box at its place, and the size of the picture."""
    columns: dict[int, list[tuple[GraphNode, tuple[str, ...]]]] = {}
    for node in graph.nodes:
        shown = tuple(line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…" for line in node.lines)
        columns.setdefault(-node.layer, []).append((node, shown))
    tall = {layer: sum(_height(lines) + _BELOW for _, lines in column) - _BELOW for layer, column in columns.items()}
    height = max(tall.values(), default=0)
    found: dict[str, _Box] = {}
    x: float = _MARGIN
    for layer, column in sorted(columns.items()):
        width = round(max(len(line) for _, lines in column for line in lines) * _LETTER) + 2 * _INSIDE
        y = _MARGIN + (height - tall[layer]) / 2
        for node, lines in column:
            found[node.id] = _Box(node, lines, x, y, width, _height(lines))
            y += _height(lines) + _BELOW
        x += width + _BESIDE
    return found, max(x - _BESIDE, _MARGIN) + _MARGIN, height + 2 * _MARGIN


def _height(lines: tuple[str, ...]) -> float:
    return _LINE * len(lines) + 2 * _INSIDE


def _curve(source: _Box, target: _Box) -> str:
    x, y = source.x + source.width, source.y + source.height / 2
    to_x, to_y = target.x, target.y + target.height / 2
    middle = (x + to_x) / 2
    return f'<path d="M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}" marker-end="url(#tip)" />'
