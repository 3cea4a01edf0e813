"""Pulling over fakes: nothing appears in a folder that was not verified, and after any failure the folder is as it was."""

import copy
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.memory.signer import MemorySigner
from lockage.base.canonical import canonical_of
from lockage.base.errors import Integrity, LockageError
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName
from lockage.evidence import dsse
from lockage.evidence.manifest import (
    MANIFEST_TYPE,
    InvalidManifest,
    Manifest,
    ManifestFork,
    ManifestTooOld,
    WrongManifest,
    read_manifest,
    seal_manifest,
)
from lockage.evidence.trust import Role
from lockage.ledger.entry import Promoted, PromotionKind
from lockage.ports import BlobCorrupt, BlobMissing, FolderUnwritable
from lockage.work.book import Book, NoStore
from lockage.work.prepare import Project
from lockage.work.promote import promote
from lockage.work.pull import MANIFEST_FILE, ChannelEmpty, pull
from lockage.work.release import release_project
from lockage.work.test import test_project as run_tests

Commit = Callable[..., Project]
SHOP, DEV, PROD = ProjectName("shop"), ChannelName("dev"), ChannelName("prod")
OUT = Path("/srv/shop")


def put_on_dev(services: MemoryServices, project: Project) -> None:
    run_tests(services, project)
    release_project(services, project)
    promote(services, f"shop@{project.source.version}", DEV)


@pytest.fixture
def services(services: MemoryServices, commit: Commit) -> MemoryServices:
    """A store with one release on dev."""
    put_on_dev(services, commit(services))
    return services


def fails(services: MemoryServices, kind: type[LockageError], channel: ChannelName = DEV) -> None:
    """Pulling raises this, and no folder has changed."""
    before = copy.deepcopy(services.folders.data)
    with pytest.raises(kind):
        pull(services, SHOP, channel, OUT)
    assert services.folders.data == before


def files(services: MemoryServices) -> set[str]:
    return set(services.folders.data[OUT])


def test_a_folder_holds_exactly_what_the_channel_holds(services: MemoryServices, commit: Commit) -> None:
    first = pull(services, SHOP, DEV, OUT)
    assert files(services) == {"shop-1.0-py3-none-any.whl", MANIFEST_FILE}
    assert pull(services, SHOP, DEV, OUT) == first
    put_on_dev(services, commit(services, {"src/x": b"x"}, version="1.1"))
    second = pull(services, SHOP, DEV, OUT)
    assert files(services) == {"shop-1.1-py3-none-any.whl", MANIFEST_FILE}
    assert (first.generation, second.generation) == (1, 2)
    book = Book.open(services, make=False)
    kept = services.folders.data[OUT][MANIFEST_FILE]
    assert read_manifest(kept, book.root, project=SHOP, channel=DEV, now=services.clock.now()) == second


def test_what_is_not_there_cannot_be_pulled(services: MemoryServices) -> None:
    fails(services, ChannelEmpty, PROD)
    with pytest.raises(ChannelEmpty):
        pull(services, ProjectName("other"), DEV, OUT)
    with pytest.raises(NoStore):
        pull(MemoryServices(), SHOP, DEV, OUT)


@pytest.mark.parametrize("pulled_before", [False, True])
def test_damaged_or_missing_bytes_never_appear(services: MemoryServices, commit: Commit, pulled_before: bool) -> None:
    if pulled_before:
        pull(services, SHOP, DEV, OUT)
        put_on_dev(services, commit(services, {"src/x": b"x"}, version="1.1"))
    head = Book.open(services, make=False).catalog.channel(SHOP, DEV)
    assert head is not None
    wheel = pull(services, SHOP, DEV, Path("/elsewhere")).artifacts[0]
    for digest in (wheel.sha256, head.manifest):
        good = services.blobs.data[digest]
        services.blobs.data[digest] = good[:-1] + bytes([good[-1] ^ 1])
        fails(services, BlobCorrupt)
        services.blobs.data.pop(digest, None)
        fails(services, BlobMissing)
        services.blobs.data[digest] = good
    pull(services, SHOP, DEV, OUT)


def test_files_of_others_are_not_touched(services: MemoryServices) -> None:
    services.folders.write(OUT, "thesis.tex", b"years of work")
    fails(services, FolderUnwritable)


def test_a_memory_that_was_changed_is_not_taken_for_none(services: MemoryServices) -> None:
    pull(services, SHOP, DEV, OUT)
    for data in (b"", b"{}", b"garbage", services.folders.data[OUT][MANIFEST_FILE] + b"\n"):
        services.folders.write(OUT, MANIFEST_FILE, data)
        fails(services, Integrity)


def test_an_older_generation_is_refused_and_another_of_the_same_is_a_fork(services: MemoryServices, commit: Commit) -> None:
    before = copy.deepcopy(services.ledger)
    put_on_dev(services, commit(services, {"src/x": b"x"}, version="1.1"))
    pull(services, SHOP, DEV, OUT)
    services.ledger = before
    fails(services, ManifestTooOld)
    put_on_dev(services, commit(services, {"src/x": b"y"}, version="1.2"))
    fails(services, ManifestFork)
    put_on_dev(services, commit(services, {"src/x": b"z"}, version="1.3"))
    fails(services, ManifestFork)


def test_the_memory_of_another_channel_or_project_does_not_count(services: MemoryServices, commit: Commit) -> None:
    put_on_dev(services, commit(services, {"src/x": b"x"}, version="1.1"))
    pull(services, SHOP, DEV, OUT)
    project = commit(services, {"src/x": b"x"}, name="till", locator="till")
    run_tests(services, project)
    release_project(services, project)
    promote(services, "till", DEV)
    assert pull(services, ProjectName("till"), DEV, OUT).generation == 1


def forged(services: MemoryServices, **changes: object) -> Manifest:
    """What dev's next manifest would be, but for some changes."""
    head = Book.open(services, make=False).catalog.channel(SHOP, DEV)
    assert head is not None
    book = Book.open(services, make=False)
    now = read_manifest(services.blobs.data[head.manifest], book.root, project=SHOP, channel=DEV, now=services.clock.now())
    return msgspec.structs.replace(now, **{"generation": now.generation + 1, "previous": head.manifest, **changes})


def record(services: MemoryServices, sealed: bytes) -> None:
    """Append a promotion with this manifest, as somebody with the ledger's key could."""
    book = Book.open(services, make=False)
    head = book.catalog.channel(SHOP, DEV)
    assert head is not None
    kept = services.blobs.put(sealed).digest
    entry = Promoted(
        actor=book.actor,
        project=SHOP,
        channel=DEV,
        generation=head.generation + 1,
        release=head.release,
        decision=head.decision,
        manifest=kept,
        kind=PromotionKind.FORWARD,
    )
    book.append([entry])


def test_only_a_promoter_is_believed(services: MemoryServices) -> None:
    pull(services, SHOP, DEV, OUT)
    before = copy.deepcopy(services.ledger)
    for signer in (MemorySigner(b"a stranger"), services.keys.load(Role.BUILDER)):
        record(services, seal_manifest(forged(services), signer))
        fails(services, Integrity)
        services.ledger = copy.deepcopy(before)
    record(services, seal_manifest(forged(services), services.keys.load(Role.PROMOTER)))
    assert pull(services, SHOP, DEV, OUT).generation == 2


def test_an_old_manifest_that_the_ledger_names_as_its_newest_is_not_taken(services: MemoryServices, commit: Commit) -> None:
    old = Book.open(services, make=False).catalog.channel(SHOP, DEV)
    assert old is not None
    put_on_dev(services, commit(services, {"src/x": b"x"}, version="1.1"))
    record(services, services.blobs.data[old.manifest])
    fails(services, WrongManifest)


def test_a_signature_over_other_bytes_does_not_count(services: MemoryServices) -> None:
    sealed = seal_manifest(forged(services), services.keys.load(Role.PROMOTER))
    other = seal_manifest(forged(services, issued=Instant(services.clock.now() - 1)), services.keys.load(Role.PROMOTER))
    signature = b'"signatures":'
    record(services, sealed[: sealed.index(signature)] + other[other.index(signature) :])
    fails(services, Integrity)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"channel": PROD}, WrongManifest),
        ({"project": ProjectName("till")}, WrongManifest),
        ({"issued": Instant(1_893_456_000)}, InvalidManifest),
        ({"previous": None}, InvalidManifest),
        ({"artifacts": ()}, InvalidManifest),
        ({"generation": 3}, WrongManifest),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_promoter_signed_must_make_sense(services: MemoryServices, changes: dict[str, object], kind: type[LockageError]) -> None:
    pull(services, SHOP, DEV, OUT)
    manifest = forged(services, **changes)
    record(services, dsse.seal(MANIFEST_TYPE, canonical_of(manifest), [services.keys.load(Role.PROMOTER)]))
    fails(services, kind)


def test_a_checkpoint_that_the_ledger_never_signed_does_not_count(services: MemoryServices) -> None:
    state = forged(services).ledger
    lied = msgspec.structs.replace(state, checkpoint=state.checkpoint.replace(state.checkpoint.splitlines()[2], "A" * 43 + "="))
    record(services, seal_manifest(forged(services, ledger=lied), services.keys.load(Role.PROMOTER)))
    fails(services, Integrity)
