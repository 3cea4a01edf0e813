"""Release, promotion, rollback and what is seen of them, over fakes: every change is one append, and so is every refusal."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lockage.adapters.memory import MemoryLedger
from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName
from lockage.evidence.manifest import read_manifest
from lockage.ledger.entry import Conflicted, Entry, HoldSet, PolicySet, Promoted, PromotionKind, Refused, ReleaseClosed, decode_entry
from lockage.policy.decision import read_decision, rejudge
from lockage.policy.policy import Policy
from lockage.ports import BlobMissing, LedgerConflict
from lockage.record.source import DirectoryOrigin
from lockage.variation import select
from lockage.work.book import Book, NoStore, TrustRootMismatch, TrustRootUnknown, append_again
from lockage.work.evidence import evidence_of
from lockage.work.govern import apply_policy, check_ledger, ledger_entries, policies
from lockage.work.hand_over import hand_over
from lockage.work.inspect import AmbiguousProject, history, only_project, status
from lockage.work.prepare import Project
from lockage.work.promote import (
    NameTaken,
    NoChannel,
    NothingBefore,
    Promotion,
    PromotionConflict,
    PromotionRefused,
    judge_promotion,
    promote,
    roll_back,
)
from lockage.work.release import BookMoved, Closed, NoRelease, SourceNotClean, find_release, release_project, release_title
from lockage.work.test import test_project as run_tests
from lockage.work.verify import verify_project
from lockage.work.whole import CacheUse, Sample

Commit = Callable[..., Project]
Commands = dict[str, Callable[[Workspace], int]]
DEV, STAGING, PROD = ChannelName("dev"), ChannelName("staging"), ChannelName("prod")
SHOP = ProjectName("shop")


class BusyLedger(MemoryLedger):
    """A ledger into which others append just before an append of ours: each of ``others`` once."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Callable[[], object]] = []

    def append(self, entries: Sequence[bytes], *, expected: int, checkpoint: bytes, time: Instant) -> None:
        if self.others:
            self.others.pop(0)()
        super().append(entries, expected=expected, checkpoint=checkpoint, time=time)


@pytest.fixture
def ledger() -> BusyLedger:
    return BusyLedger()


@pytest.fixture
def services(commands: Commands, ledger: BusyLedger) -> MemoryServices:
    return MemoryServices(dict(commands), ledger=ledger)


def entries(services: MemoryServices) -> list[Entry]:
    return [decode_entry(data) for data in services.ledger.data]


def released(services: MemoryServices, project: Project, *, tested: bool = True) -> Closed:
    if tested:
        run_tests(services, project)
    services.clock.advance(60)
    return release_project(services, project)


@pytest.fixture
def two(services: MemoryServices, commit: Commit) -> tuple[str, str]:
    """Two releases with their tests passed."""
    for version in ("1.0", "1.1"):
        released(services, commit(services, {"src/v": version.encode()}, version=version))
    return "shop@1.0-1", "shop@1.1-1"


# Release


def test_the_same_artifacts_are_the_same_release(services: MemoryServices, commit: Commit) -> None:
    first = released(services, commit(services))
    size = len(services.ledger.data)
    again = release_project(services, commit(services, {"README": b"nobody sees this"}))
    assert (first.new, again.new) == (True, False)
    assert again.digest == first.digest
    assert [entry for entry in entries(services)[size:] if isinstance(entry, ReleaseClosed)] == []


def test_other_artifacts_get_the_next_number_of_their_version(services: MemoryServices, commit: Commit) -> None:
    closed = [released(services, commit(services, {"src/x": text})) for text in (b"1", b"2", b"3")]
    other = released(services, commit(services, {"src/x": b"1"}, version="1.1"))
    assert [item.release.build for item in (*closed, other)] == [1, 2, 3, 1]
    assert [release_title(item.release) for item in closed] == ["shop@1.0-1", "shop@1.0-2", "shop@1.0-3"]


def test_a_source_that_nobody_else_can_obtain_is_not_released(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, origin=DirectoryOrigin(reason="3 files are changed"))
    with pytest.raises(SourceNotClean, match="3 files are changed"):
        release_project(services, project)
    assert services.ledger.data == []
    assert services.executor.ran == []


def test_a_number_that_was_taken_meanwhile_is_not_given_twice(services: MemoryServices, ledger: BusyLedger, commit: Commit) -> None:
    mine, theirs = commit(services, {"src/x": b"mine"}), commit(services, {"src/x": b"theirs"}, locator="theirs")
    for project in (mine, theirs):
        run_tests(services, project)
    ledger.others = [lambda: release_project(services, theirs)]
    assert release_project(services, mine).release.build == 2
    assert [entry.build for entry in entries(services) if isinstance(entry, ReleaseClosed)] == [1, 2]


def test_who_closes_the_same_artifacts_second_gets_the_first_ones_release(
    services: MemoryServices, ledger: BusyLedger, commit: Commit
) -> None:
    project = commit(services)
    run_tests(services, project)
    ledger.others = [lambda: release_project(services, project)]
    assert not release_project(services, project).new
    assert check_ledger(services).size == len(services.ledger.data)


def test_a_ledger_that_keeps_moving_is_given_up_without_a_release(services: MemoryServices, ledger: BusyLedger, commit: Commit) -> None:
    project = commit(services)
    run_tests(services, project)
    policy = policies(services)[0].digest

    def other() -> None:
        book = Book.open(services, make=False)
        rest, ledger.others = ledger.others, []
        book.append([PolicySet(actor=book.actor, channel=DEV, policy=policy)])
        ledger.others = rest

    ledger.others = [other] * 30
    with pytest.raises(BookMoved):
        release_project(services, project)
    ledger.others = []
    assert Book.open(services, make=False).catalog.projects == ()


def test_releases_are_found_as_people_name_them(services: MemoryServices, two: tuple[str, str]) -> None:
    catalog = Book.open(services, make=False).catalog
    newest = catalog.releases(SHOP)[-1]
    for text in ("shop", "Shop", "shop@1.1", "shop@1.1-1", newest.release, newest.release[:8]):
        assert find_release(catalog, text) == newest, text
    assert find_release(catalog, "shop@1.0") == catalog.releases(SHOP)[0]
    for text in ("", "@", "shop@", "shop@1.2", "shop@1.1-2", "shop@1.1-0", "sh op", "other", "0" * 64, "shop@1.1-" + "9" * 30):
        with pytest.raises(NoRelease, match="release"):
            find_release(catalog, text)
    with pytest.raises(NoRelease, match=r"shop@1\.0-1, shop@1\.1-1"):
        find_release(catalog, "shop@7")


# Promotion


def test_a_promotion_is_one_append_that_anyone_can_judge_again(services: MemoryServices, two: tuple[str, str]) -> None:
    size = len(services.ledger.data)
    done = promote(services, two[0], DEV, reason="because")
    (entry,) = entries(services)[size:]
    assert isinstance(entry, Promoted)
    assert (entry.generation, entry.kind, entry.reason, entry.actor) == (1, PromotionKind.FORWARD, "because", "alice")
    assert (done.generation, done.changed, release_title(done.record)) == (1, True, two[0])
    book = Book.open(services, make=False)
    sealed = services.blobs.data[entry.decision]
    decision = read_decision(sealed, book.root)
    assert decision == done.decision
    policy = Policy.decode(services.blobs.data[decision.policy])
    assert rejudge(decision, policy, dict(services.blobs.data), book.root).passed
    manifest = services.blobs.data[entry.manifest]
    read = read_manifest(manifest, book.root, project=SHOP, channel=DEV, now=services.clock.now())
    assert (read.generation, read.previous, read.ledger.size) == (1, None, size)


def test_what_a_channel_holds_already_changes_nothing(services: MemoryServices, two: tuple[str, str]) -> None:
    promote(services, two[0], DEV)
    size = len(services.ledger.data)
    again = promote(services, two[0], DEV)
    assert (again.changed, again.generation, again.decision) == (False, 1, None)
    assert len(services.ledger.data) == size


def refused(services: MemoryServices, text: str, channel: ChannelName) -> tuple[str, ...]:
    """Promotes, and checks that the refusal is the ledger's last entry and that no channel has moved."""
    heads = Book.open(services, make=False).catalog.channels()
    foreseen = judge_promotion(services, text, channel)
    size = len(services.ledger.data)
    with pytest.raises(PromotionRefused) as caught:
        promote(services, text, channel)
    (entry,) = entries(services)[size:]
    assert isinstance(entry, Refused)
    book = Book.open(services, make=False)
    assert book.catalog.channels() == heads
    decision = read_decision(services.blobs.data[entry.decision], book.root)
    assert not decision.verdict.passed
    assert decision.verdict == foreseen.verdict
    assert caught.value.details["reasons"] == decision.verdict.reasons
    return entry.reasons


def test_without_test_evidence_the_gate_says_no(services: MemoryServices, commit: Commit) -> None:
    released(services, commit(services), tested=False)
    assert refused(services, "shop", DEV) == ("tests",)


def test_failed_tests_are_evidence_against(services: MemoryServices, commit: Commit) -> None:
    released(services, commit(services, {"tests/failing": b""}))
    assert refused(services, "shop", DEV) == ("tests",)


def test_provenance_that_is_lost_counts_as_absent(services: MemoryServices, commit: Commit) -> None:
    closed = released(services, commit(services))
    catalog = Book.open(services, make=False).catalog
    bundles = [known for known in catalog.evidence(closed.release.artifacts[0].sha256) if "provenance" in known.predicate]
    assert bundles
    for known in bundles:
        del services.blobs.data[known.bundle]
    assert refused(services, "shop", DEV) == ("source-clean", "deviations")


def test_the_channels_are_climbed_one_by_one_with_more_evidence_each(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    released(services, project)
    assert refused(services, "shop", STAGING) == ("from", "reproduced")
    promote(services, "shop", DEV)
    assert refused(services, "shop", STAGING) == ("reproduced",)
    assert refused(services, "shop", PROD) == ("from", "reproduced")
    verify_project(services, project)
    promote(services, "shop", STAGING)
    promote(services, "shop", PROD)
    (found,) = status(services)
    assert [(held.channel, held.release) for held in found.channels] == [(name, "shop@1.0-1") for name in (DEV, STAGING, PROD)]


def test_a_missing_document_of_a_release_names_it(services: MemoryServices, commit: Commit) -> None:
    closed = released(services, commit(services))
    del services.blobs.data[closed.digest]
    with pytest.raises(BlobMissing, match=r"shop@1\.0-1"):
        promote(services, "shop", DEV)


def test_a_channel_without_a_policy_is_no_channel(services: MemoryServices, two: tuple[str, str]) -> None:
    with pytest.raises(NoChannel, match="dev, prod, staging"):
        promote(services, two[0], ChannelName("moon"))


def conflict_of(services: MemoryServices, size: int) -> Conflicted:
    (entry,) = (entry for entry in entries(services)[size:] if isinstance(entry, Conflicted))
    return entry


@pytest.mark.parametrize("expect", [0, 2, 99])
def test_a_head_moves_only_from_the_generation_that_is_expected(services: MemoryServices, two: tuple[str, str], expect: int) -> None:
    promote(services, two[0], DEV, expect=0)
    size = len(services.ledger.data)
    with pytest.raises(PromotionConflict) as caught:
        promote(services, two[1], DEV, expect=expect)
    assert (caught.value.details["expected"], caught.value.details["found"]) == (expect, 1)
    entry = conflict_of(services, size)
    assert (entry.expected, entry.found, entry.reason) == (expect, 1, "head-moved")
    assert Book.open(services, make=False).catalog.generation(SHOP, DEV) == 1
    assert promote(services, two[1], DEV, expect=1).generation == 2


def test_who_is_second_to_a_channel_loses_and_it_is_recorded(services: MemoryServices, ledger: BusyLedger, two: tuple[str, str]) -> None:
    size = len(services.ledger.data)
    ledger.others = [lambda: promote(services, two[1], DEV)]
    with pytest.raises(PromotionConflict):
        promote(services, two[0], DEV)
    assert conflict_of(services, size).release == find_release(Book.open(services, make=False).catalog, two[0]).release
    (change,) = Book.open(services, make=False).catalog.history(SHOP, DEV)
    assert change.generation == 1
    assert [line.what for line in history(services, SHOP, DEV)] == ["forward", "conflicted"]


def test_an_append_elsewhere_does_not_stop_a_promotion(services: MemoryServices, ledger: BusyLedger, two: tuple[str, str]) -> None:
    ledger.others = [lambda: refused(services, two[1], STAGING)]
    assert promote(services, two[0], DEV).generation == 1
    assert check_ledger(services).size == len(services.ledger.data)


def test_evidence_that_arrives_between_judging_and_append_is_judged(services: MemoryServices, ledger: BusyLedger, commit: Commit) -> None:
    good = commit(services)
    released(services, good)
    services.clock.advance(60)
    ledger.others = [lambda: run_tests(services, good)]
    done = promote(services, "shop", DEV)
    assert done.decision is not None
    assert sum(fact.kind == "test" for fact in done.decision.facts) == 2


def test_bytes_never_change_under_a_name(services: MemoryServices, commit: Commit) -> None:
    for text in (b"1", b"2"):
        released(services, commit(services, {"src/x": text}))
    promote(services, "shop@1.0-1", DEV)
    size = len(services.ledger.data)
    with pytest.raises(NameTaken, match=r"shop-1\.0-py3-none-any\.whl"):
        promote(services, "shop@1.0-2", DEV)
    assert conflict_of(services, size).reason == "name-taken: shop-1.0-py3-none-any.whl"
    assert Book.open(services, make=False).catalog.generation(SHOP, DEV) == 1


# Rollback


def test_a_rollback_holds_the_old_release_again_and_sets_a_hold(services: MemoryServices, commit: Commit) -> None:
    for version in ("1.0", "1.1"):
        project = commit(services, {"src/v": version.encode()}, version=version)
        released(services, project)
        verify_project(services, project)
        promote(services, "shop", DEV)
        promote(services, "shop", STAGING)
    size = len(services.ledger.data)
    done = roll_back(services, SHOP, STAGING, reason="it burns")
    promoted, hold = entries(services)[size:]
    assert isinstance(promoted, Promoted)
    assert isinstance(hold, HoldSet)
    assert (promoted.kind, promoted.generation, hold.reason) == (PromotionKind.ROLLBACK, 3, "it burns")
    assert release_title(done.record) == "shop@1.0-1"
    assert done.decision is not None
    gates = [result.gate for result in done.decision.verdict.gates]
    assert "from" not in gates
    assert {"rollback", "tests", "reproduced"} <= set(gates)
    (found,) = status(services)
    assert [(held.release, held.held) for held in found.channels][:2] == [("shop@1.1-1", None), ("shop@1.0-1", "it burns")]
    assert [line.what for line in history(services, SHOP, STAGING)] == ["forward", "forward", "rollback"]


def test_there_is_nothing_to_go_back_to(services: MemoryServices, two: tuple[str, str]) -> None:
    for _ in range(2):
        with pytest.raises(NothingBefore):
            roll_back(services, SHOP, DEV)
        promote(services, two[0], DEV)
    assert refused_rollback(services, two[1]) == ("rollback",)
    assert refused_rollback(services, two[0]) == ("rollback",)


def refused_rollback(services: MemoryServices, to: str) -> tuple[str, ...]:
    with pytest.raises(PromotionRefused):
        roll_back(services, SHOP, DEV, to=to)
    last = entries(services)[-1]
    assert isinstance(last, Refused)
    return last.reasons


def test_a_rollback_of_one_project_does_not_touch_another(services: MemoryServices, commit: Commit) -> None:
    released(services, commit(services))
    released(services, commit(services, {"src/x": b"x"}, name="till", locator="till"))
    for name in ("shop", "till"):
        promote(services, name, DEV)
    size = len(services.ledger.data)
    with pytest.raises(NoRelease, match="till"):
        roll_back(services, SHOP, DEV, to="till@1.0-1")
    assert len(services.ledger.data) == size


# The book


def test_an_empty_store_has_nothing_to_tell(services: MemoryServices) -> None:
    for question in (status, lambda s: promote(s, "shop", DEV), check_ledger, lambda s: evidence_of(s, "shop")):
        with pytest.raises(NoStore):
            question(services)
    assert list(ledger_entries(services, -5, 5)) == []
    assert services.ledger.data == []


def test_two_who_begin_a_store_at_once_have_one_ledger(services: MemoryServices, ledger: BusyLedger) -> None:
    services.origin = "lockage.test/mine"

    def other() -> None:
        services.origin = "lockage.test/theirs"
        Book.open(services, make=True)

    ledger.others = [other]
    assert Book.open(services, make=True).root.ledger.origin == "lockage.test/theirs"
    assert check_ledger(services).size == len(services.ledger.data)


def test_a_store_is_believed_only_with_its_pinned_trust_root(services: MemoryServices, two: tuple[str, str]) -> None:
    (origin,) = services.pins.pinned
    pinned = services.pins.pinned.pop(origin)
    with pytest.raises(TrustRootUnknown, match=origin):
        status(services)
    services.pins.pinned[origin] = pinned
    other = MemoryServices(origin=origin)
    other.clock.advance(1)
    Book.open(other, make=True)
    services.pins.pinned = other.pins.pinned
    with pytest.raises(TrustRootMismatch):
        status(services)


def test_an_append_that_does_not_depend_on_the_state_is_made_again_but_not_for_ever(
    services: MemoryServices, ledger: BusyLedger, two: tuple[str, str]
) -> None:
    book = Book.open(services, make=False)
    draft = PolicySet(actor=book.actor, channel=DEV, policy=policies(services)[0].digest)

    def other() -> None:
        rest, ledger.others = ledger.others, []
        Book.open(services, make=False).append([draft])
        ledger.others = rest

    ledger.others = [other] * 3
    size = len(services.ledger.data)
    append_again(services, book, [draft])
    assert len(services.ledger.data) == size + 4
    ledger.others = [other] * 100
    with pytest.raises(LedgerConflict):
        append_again(services, book, [draft])


def test_evidence_is_listed_with_what_it_says_and_whether_it_counts(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    released(services, project)
    verify_project(services, project)
    listed = evidence_of(services, "shop")
    says = [item.says for item in listed if item.counts]
    assert len(says) == len(listed) == 4
    assert says[0].startswith("built by alice")
    assert says[1] == "tests PASSED: unit (alice)"
    assert says[2].startswith("reproduced: identical, 7 axes")
    assert says[3].startswith(f"robust: identical, {len(select())} axes")
    services.clock.advance(3653 * 86400)  # the keys are not valid any more, but they were when it was recorded
    assert all(item.counts for item in evidence_of(services, "shop"))


def test_a_policy_is_put_in_force_once(services: MemoryServices, two: tuple[str, str]) -> None:
    text = b'channel = "moon"\n[[gates]]\ngate = "source-clean"\n'
    applied, changed = apply_policy(services, text, "moon.toml")
    assert changed
    assert apply_policy(services, text, "moon.toml") == (applied, False)
    assert [str(item.policy.channel) for item in policies(services)] == ["dev", "staging", "prod", "moon"]
    assert promote(services, two[0], ChannelName("moon")).generation == 1


def test_a_project_is_named_or_the_only_one(services: MemoryServices, commit: Commit) -> None:
    released(services, commit(services))
    assert only_project(services, None) == SHOP
    assert only_project(services, "Other_Name") == "other-name"
    released(services, commit(services, {"src/x": b"x"}, name="till", locator="till"))
    with pytest.raises(AmbiguousProject, match="2 projects: shop, till"):
        only_project(services, None)
    with pytest.raises(AmbiguousProject):
        only_project(services, "a b")


def test_provenance_is_recorded_once_for_the_same_build(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    out = Path("/out")
    hand_over(services, project, out=out)
    size = len(services.ledger.data)
    hand_over(services, project, out=out)
    assert len(services.ledger.data) == size
    assert set(services.folders.data[out]) == {"shop-1.0-py3-none-any.whl"}


def test_a_promotion_does_not_go_back_in_time(services: MemoryServices, two: tuple[str, str]) -> None:
    services.clock.advance(-10 * 86400)
    done: Promotion = promote(services, two[0], DEV)
    assert done.decision is not None
    assert done.decision.now == entries(services)[-2].at
    assert check_ledger(services).size == len(services.ledger.data)


# Deviations


def test_what_a_refused_machine_executed_is_accepted_once_another_got_the_same(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    apply_policy(services, b'channel = "dev"\n[[gates]]\ngate = "deviations"\nrefuse = ["kernel < 5.15"]\n', "dev.toml")
    services.host = {"kernel": "5.10"}
    released(services, project)
    assert refused(services, "shop", DEV) == ("deviations",)
    services.host = {"kernel": "6.1"}
    hand_over(services, project, out=Path("/srv/out"))
    assert refused(services, "shop", DEV) == ("deviations",), "nothing was executed on this machine"
    hand_over(services, project, out=Path("/srv/out"), use=CacheUse(sample=Sample(seed="s", percent=100)))
    assert promote(services, "shop", DEV).changed
    decision = judge_promotion(services, "shop", DEV)
    assert decision.verdict.gates[-1].reason == "nothing that is refused: kernel < 5.15"
