"""Building with fetch inputs over fakes: got once, checked before anything runs, named in provenance."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.canonical import parse
from lockage.base.digest import BlobRef, Digest
from lockage.evidence.bundle import parse_bundle
from lockage.evidence.predicate import PROVENANCE
from lockage.plan.plan import make_plan
from lockage.ports import InputChanged, InputVanished, ServiceUnreachable
from lockage.record.event import Phase, StepStarted
from lockage.work.attest import record_provenance
from lockage.work.build import Built, build
from lockage.work.prepare import Project

Commit = Callable[..., Project]

DATA = b"the data of the step"
URL = "https://data.example.org/data.bin"
STEPS = f"""
[fetch.data]
url = "{URL}"
sha256 = "{Digest.of(DATA)}"
path = "vendor/data.bin"
[fetch.unused]
url = "https://data.example.org/unused"
sha256 = "{Digest.of(b"unused")}"
[step.first]
inputs = ["src/**"]
run = ["cat", "one"]
outputs = ["one"]
artifacts = ["one"]
[step.second]
needs = ["first"]
inputs = []
fetch = ["data"]
run = ["cat", "two"]
outputs = ["two"]
artifacts = ["two"]
"""


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


@pytest.fixture
def project(services: MemoryServices, commit: Commit) -> Project:
    services.downloads.files[URL] = DATA
    return commit(services, recipe=STEPS)


def test_a_step_sees_what_it_names(services: MemoryServices, project: Project) -> None:
    one, two = built(services, project).artifacts
    assert b"vendor/data.bin=" + DATA in services.blobs.get(two.blob)
    assert DATA not in services.blobs.get(one.blob)
    assert services.downloads.asked == [URL]
    assert Phase(text="fetching data") in services.told


def test_it_is_got_once(services: MemoryServices, project: Project) -> None:
    first = built(services, project)
    services.downloads.down.add(URL)
    assert built(services, project).executed == 0
    services.cache.results.clear()
    services.memo.values.clear()
    again = built(services, project)
    assert (again.executed, again.artifacts) == (2, first.artifacts)
    assert services.downloads.asked == [URL]


def test_a_build_with_nothing_to_do_does_not_even_need_it(services: MemoryServices, project: Project) -> None:
    built(services, project)
    del services.blobs.data[Digest.of(DATA)]
    services.downloads.down.add(URL)
    assert built(services, project).executed == 0


@pytest.mark.parametrize("error", [InputChanged, InputVanished, ServiceUnreachable])
def test_what_cannot_be_had_stops_the_build(services: MemoryServices, project: Project, error: type[Exception]) -> None:
    if error is InputChanged:
        services.downloads.files[URL] = b"other bytes"
    elif error is InputVanished:
        del services.downloads.files[URL]
    else:
        services.downloads.down.add(URL)
    with pytest.raises(error):
        built(services, project)
    assert not any(isinstance(event, StepStarted) for event in services.told)
    assert services.runs.kept == {}


def test_provenance_names_what_was_seen_and_nothing_else(services: MemoryServices, project: Project) -> None:
    plan = make_plan(project.recipe, project.lock, project.source)
    record_provenance(services, plan, build(services, plan), recipe_path="lockage.toml")
    (bundle,) = services.memo.values[next(key for key in services.memo.values if key[0] == "provenance")].decode().split()
    statement = parse(parse_bundle(services.blobs.get(BlobRef.parse(bundle))).envelope.payload)
    assert statement["predicateType"] == PROVENANCE
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    fetched = [item for item in dependencies if item["name"].startswith("fetch/")]
    assert fetched == [{"name": "fetch/data", "uri": URL, "digest": {"sha256": Digest.of(DATA)}}]
