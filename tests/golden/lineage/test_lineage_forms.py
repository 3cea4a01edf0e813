"""A lineage in each form is as it was (regenerate.py writes them); and what is many does not make a form long."""

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from lockage.base.digest import Digest
from lockage.base.name import StepName
from lockage.cli.lineage_svg import svg_lines
from lockage.cli.lineage_text import lineage_lines
from lockage.record.lineage import InputSet, Lineage, LineageStep
from lockage.record.lineage_graph import graph_of

HERE = Path(__file__).parent
FORMS = ("lineage.txt", "lineage-full.txt", "lineage.json", "lineage.dot", "lineage-full.dot", "lineage.svg")


@pytest.fixture(scope="module")
def vectors() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lineage_vectors", HERE / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FORMS)
def test_forms(vectors: ModuleType, name: str) -> None:
    assert vectors.forms()[name] == (HERE / name).read_text(), "run: .venv/bin/python tests/golden/lineage/regenerate.py"


def test_the_picture_is_xml_that_stands_alone(vectors: ModuleType) -> None:
    picture = ET.fromstring("\n".join(svg_lines(graph_of(vectors.SAMPLE, full=True), "shop <&>")))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert 'shop-1.2.0 "<&>".whl' in texts
    assert not re.search("(?:href|src|url)=", "".join(svg_lines(graph_of(vectors.SAMPLE), "")).replace('xmlns="', ""))


def many(sample: Lineage, count: int, *, chain: bool) -> Lineage:
    """As many steps, each with inputs of its own: one after the other, or all beside each other before the last."""
    names = [StepName(f"s{number}") for number in range(count)]
    needs = [(names[number - 1],) if number else () for number in range(count)] if chain else [()] * (count - 1) + [tuple(names[:-1])]
    steps = tuple(
        LineageStep(step=name, kind="build", action=None, outputs=None, environment="build", needs=needs[number], inputs=f"inputs-{number}")
        for number, name in enumerate(names)
    )
    inputs = tuple(InputSet(id=f"inputs-{number}", patterns=(f"f{number}",), files=()) for number in range(count))
    artifact = msgspec.structs.replace(sample.artifacts[0], step=names[-1], sha256=Digest.of(b"many"))
    return msgspec.structs.replace(sample, artifacts=(artifact,), steps=steps, inputs=inputs, fetched=())


@pytest.mark.parametrize("chain", [True, False])
def test_ten_thousand_steps_are_a_small_picture_and_a_short_text(vectors: ModuleType, chain: bool) -> None:
    lineage = many(vectors.SAMPLE, 10_000, chain=chain)
    graph = graph_of(lineage)
    assert len(graph.nodes) < 60
    assert len(list(lineage_lines(lineage, full=False))) < 200
    assert sum(node.kind == "step" for node in graph.nodes) >= 1
    there = {node.id for node in graph.nodes}
    assert all(edge.source in there and edge.target in there for edge in graph.edges)
    assert len(list(lineage_lines(lineage, full=True))) > 20_000


def test_what_went_into_something_is_never_beside_it(vectors: ModuleType) -> None:
    for lineage in (vectors.SAMPLE, many(vectors.SAMPLE, 50, chain=True), many(vectors.SAMPLE, 50, chain=False)):
        for full in (False, True):
            graph = graph_of(lineage, full=full)
            layer = {node.id: node.layer for node in graph.nodes}
            assert all(layer[edge.source] > layer[edge.target] for edge in graph.edges)
            assert len({(node.id) for node in graph.nodes}) == len(graph.nodes)
