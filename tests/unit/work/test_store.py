"""Looking a store over, over fakes: what is broken is named with what it is for and what brings it back."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory.images import make_image
from lockage.adapters.memory.packages import TarNode
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import Digest
from lockage.evidence.predicate import PROVENANCE
from lockage.record.source import SdistOrigin
from lockage.work.book import Book
from lockage.work.prepare import Project
from lockage.work.release import Closed, release_project
from lockage.work.store import Broken, check_store, survey_store

Commit = Callable[..., Project]


@pytest.fixture
def closed(services: MemoryServices, commit: Commit) -> Closed:
    return release_project(services, commit(services))


def broken(services: MemoryServices, digest: Digest) -> Broken:
    """The one thing that is told of a blob."""
    (found,) = (item for item in check_store(services).broken if item.name == digest)
    return found


def test_an_empty_store_is_whole(services: MemoryServices) -> None:
    found = check_store(services)
    assert found.whole
    assert found.checked == dict.fromkeys(("blob", "root", "action", "run", "ledger"), (0, 0))


def test_a_whole_store(services: MemoryServices, closed: Closed) -> None:
    heard: list[int] = []
    found = check_store(services, heard.append)
    assert (found.whole, found.stale_results) == (True, 0)
    assert found.checked["blob"] == (len(services.blobs.data), sum(heard))
    assert found.checked["ledger"][0] > 0
    assert survey_store(services).size == sum(heard)


@pytest.mark.parametrize("gone", [False, True])
def test_an_artifact_of_a_release_is_built_again(services: MemoryServices, closed: Closed, gone: bool) -> None:
    digest = closed.release.artifacts[0].sha256
    if gone:
        del services.blobs.data[digest]
    else:
        services.blobs.data[digest] += b"?"
    found = broken(services, digest)
    assert found.what == "is missing" if gone else found.what.startswith("has sha256")
    assert f"{closed.release.artifacts[0].name} of shop@1.0-1" in found.used
    assert found.remedy.startswith("`lockage build` of commit ")


def test_a_release_and_its_evidence_are_restored(services: MemoryServices, closed: Closed) -> None:
    (evidence,) = Book.open(services, make=False).catalog.evidence(closed.release.artifacts[0].sha256)
    assert evidence.predicate == PROVENANCE
    del services.blobs.data[evidence.bundle]
    found = broken(services, evidence.bundle)
    assert "copy" in found.remedy
    assert any(PROVENANCE in use for use in found.used)
    services.blobs.data[closed.digest] += b"?"
    found = broken(services, closed.digest)
    assert found.used == ("the document of shop@1.0-1",)
    assert "copy" in found.remedy


def test_a_package_is_fetched_again(services: MemoryServices, closed: Closed, commit: Commit) -> None:
    package = next(item for item in commit(services).lock.environments["build"].packages if item.name == "dash")
    services.blobs.data[package.sha256] += b"?"
    found = broken(services, package.sha256)
    assert found.used == ("the package dash 0.5.12-2",)
    assert "lockage env fetch" in found.remedy


def test_what_an_image_consists_of_is_fetched_again(services: MemoryServices, commit: Commit) -> None:
    image = make_image([[TarNode(name="a", data=b"1")], [TarNode(name="b", data=b"2")]])
    services.base_images.places["registry.example.org/team/base"] = dict(image.blobs)
    base = f'[environment.base]\nimage = "registry.example.org/team/base@sha256:{image.index.digest}"\n'
    step = '[step.a]\nenvironment = "base"\nrun = ["constant", "a"]\noutputs = ["a"]\nartifacts = ["a"]\n'
    release_project(services, commit(services, recipe=base + step))
    services.blobs.data[image.layers[1].digest] += b"?"
    found = broken(services, image.layers[1].digest)
    assert found.used == ("layer 2 of the image base",)
    assert "lockage env fetch" in found.remedy


def test_a_file_of_the_source_is_read_again(services: MemoryServices, commit: Commit) -> None:
    origin = SdistOrigin(file="shop-1.0.tar.gz", sha256=Digest.of(b"sdist"))
    release_project(services, commit(services, {"src/one": b"of the source alone"}, origin=origin))
    digest = Digest.of(b"of the source alone")
    services.blobs.data[digest] += b"?"
    found = broken(services, digest)
    assert "src/one in the source of run-000001" in found.used
    assert found.remedy == "`lockage build` of shop-1.0.tar.gz makes it again"


def test_what_nobody_knows_says_so(services: MemoryServices, closed: Closed) -> None:
    ref = services.blobs.put(b"a stranger")
    services.blobs.data[ref.digest] = b"?"
    found = broken(services, ref.digest)
    assert found.used == ()
    assert "nothing that this store" in found.remedy


def test_results_that_refer_to_what_is_gone_are_counted_and_do_not_break_a_store(services: MemoryServices, closed: Closed) -> None:
    log = next(iter(services.cache.results.values())).log
    del services.blobs.data[log.digest]
    found = check_store(services)
    assert found.stale_results == 1
    assert found.whole


def test_a_ledger_that_was_changed_is_told_with_everything_else(services: MemoryServices, closed: Closed) -> None:
    services.ledger.data[2] = services.ledger.data[2].replace(b"shop", b"shup") + b" "
    services.blobs.data[closed.release.artifacts[0].sha256] += b"?"
    found = check_store(services)
    assert {item.kind for item in found.broken} == {"ledger", "blob"}
    (ledger,) = (item for item in found.broken if item.kind == "ledger")
    assert "copy" in ledger.remedy
