"""Environments that are the host: what is built on one machine counts for that machine, is marked everywhere, and goes nowhere."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.errors import ExitCode
from lockage.base.name import ChannelName, StepName
from lockage.environment.image import ImageConfig
from lockage.environment.lock import UNPINNED, Lock
from lockage.plan.action import read_action
from lockage.plan.difference import Change, ChangeKind
from lockage.plan.plan import make_plan
from lockage.recipe.parse import parse_recipe
from lockage.record.conditions import DeviationKind
from lockage.record.event import HostUsed
from lockage.work.build import Built, StepNotDone, build
from lockage.work.diff_environments import compare_environments
from lockage.work.environments import environments_of, lay_in
from lockage.work.explain import State, explain
from lockage.work.export_image import bill_of, export_image
from lockage.work.find import Finder
from lockage.work.gc import KeepRule, collect_garbage
from lockage.work.hand_over import build_project
from lockage.work.inspect import status
from lockage.work.lineage import lineage_of
from lockage.work.lock import lock_recipe
from lockage.work.on_host import HostHasNoRoot, fingerprint_of
from lockage.work.prepare import Project, prepare
from lockage.work.promote import PromotionRefused, promote
from lockage.work.release import release_project, release_title
from lockage.work.shell import entrance
from lockage.work.show import show_release, show_run
from lockage.work.test import test_project as run_tests
from lockage.work.verify import verify_project
from lockage.work.verify_environments import RootState, verify_environments

RECIPE = """
[project]
name = "shop"
version = "1.0"
[environment.build]
host = "unpinned"
path = ["/opt/tools"]
[step.package]
run = ["cat", "out"]
outputs = ["out"]
artifacts = ["out"]
"""
PACKAGE = StepName("package")


@pytest.fixture
def project(services: MemoryServices) -> Callable[[], Project]:
    """The project as it is prepared on this machine now."""
    text = RECIPE.encode()
    locked = lock_recipe(services, parse_recipe(text), None)
    services.survey.programs["/opt/tools/make"] = b"make 4.3"
    services.sources.add("shop", {"src/a": b"a", "lockage.toml": text, "lockage.lock": locked.encode()})
    return lambda: prepare(services, "shop")


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


def test_the_lock_pins_nothing_and_the_project_knows_the_machine(services: MemoryServices, project: Callable[[], Project]) -> None:
    found = project().lock
    assert Lock.decode(found.encode()).environments["build"].root == UNPINNED
    assert b'"packages"' not in found.encode()
    assert b'"root"' not in found.encode()
    root = found.environments["build"].root
    fingerprint = fingerprint_of(services, root)
    assert fingerprint is not None
    assert fingerprint.path[0] == "/opt/tools"
    assert [tool.name for tool in fingerprint.tools] == ["cc", "make", "sh"]
    assert root == fingerprint.root


def test_locking_again_gives_the_same_lock(services: MemoryServices, project: Callable[[], Project]) -> None:
    before = project()
    services.survey.packages["libc6"] = "2.41-1"
    assert lock_recipe(services, before.recipe, Lock.decode(before.lock.encode())).encode() == before.lock.encode()


def test_an_unchanged_machine_takes_the_result_from_the_cache(services: MemoryServices, project: Callable[[], Project]) -> None:
    assert built(services, project()).executed == 1
    again = built(services, project())
    assert (again.executed, again.run_id) == (0, "run-000001")


def test_every_build_says_so_even_if_nothing_is_done(services: MemoryServices, project: Callable[[], Project]) -> None:
    for _ in range(2):
        services.told.clear()
        built(services, project())
        (told,) = [event for event in services.told if isinstance(event, HostUsed)]
        assert (told.environment, told.fingerprint) == ("build", project().lock.environments["build"].root.tree.digest)


@pytest.mark.parametrize("what", ["program", "package"])
def test_a_changed_machine_builds_again_and_explain_names_what_changed(
    services: MemoryServices, project: Callable[[], Project], what: str
) -> None:
    built(services, project())
    if what == "program":
        services.survey.programs["/opt/tools/make"] = b"make 4.4"
    else:
        services.survey.packages["libc6"] = "2.36-10"
    found = explain(services, project(), PACKAGE)
    assert found.state is State.CHANGED
    name, before, after = {
        "program": ("tool make", "/opt/tools/make ", "/opt/tools/make "),
        "package": ("package libc6", "2.36-9 (amd64)", "2.36-10 (amd64)"),
    }[what]
    (change,) = found.changes
    assert (change.kind, change.name) == (ChangeKind.HOST, name)
    assert (change.before or "").startswith(before)
    assert (change.after or "").startswith(after)
    assert built(services, project()).executed == 1


def test_a_machine_that_is_as_it_was_before_has_its_old_results(services: MemoryServices, project: Callable[[], Project]) -> None:
    built(services, project())
    services.survey.packages["libc6"] = "2.36-10"
    built(services, project())
    services.survey.packages["libc6"] = "2.36-9"
    assert built(services, project()).executed == 0


def test_what_was_forgotten_of_a_machine_is_told_by_its_fingerprint_alone(services: MemoryServices, project: Callable[[], Project]) -> None:
    first = project()
    built(services, first)
    services.survey.packages["libc6"] = "2.36-10"
    second = project()
    ref = first.lock.environments["build"].root.tree
    del services.blobs.data[ref.digest]
    found = explain(services, second, PACKAGE)
    assert found.changes == (
        Change(kind=ChangeKind.HOST, name="fingerprint", before=ref.digest, after=second.lock.environments["build"].root.tree.digest),
    )


def test_the_action_names_the_host_and_no_root(services: MemoryServices, project: Callable[[], Project]) -> None:
    found = project()
    (step,) = built(services, found).run.steps
    action = read_action(step.action, services.blobs.get)
    assert action.root == found.lock.environments["build"].root
    assert dict(action.variables)["PATH"] == "/opt/tools:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    command = next(data for data in services.blobs.data.values() if b"lockage-unpinned-host" in data)
    assert b"chrootRootDigest" not in command


def test_no_default_channel_takes_it(services: MemoryServices, project: Callable[[], Project]) -> None:
    closed = release_project(services, project())
    title = release_title(closed.release)
    run_tests(services, project())
    for channel in ("dev", "staging", "prod"):
        with pytest.raises(PromotionRefused) as caught:
            promote(services, title, ChannelName(channel))
        assert caught.value.exit_code == 5
        assert "host-environment" in str(caught.value.details["reasons"])


def test_its_runs_releases_and_lineages_say_so(services: MemoryServices, project: Callable[[], Project]) -> None:
    closed = release_project(services, project())
    title = release_title(closed.release)
    finder = Finder(services)
    run = show_run(services, finder.find("run-000001"))  # type: ignore[arg-type]  # it is a run
    fingerprint = project().lock.environments["build"].root.tree.digest
    ((kind, what),) = [(one.kind, one.what) for one in run.deviations]
    assert kind == DeviationKind.HOST_ENVIRONMENT
    assert fingerprint[:12] in what
    release = finder.find(title)
    shown = show_release(services, finder.catalog, release)  # type: ignore[arg-type]  # it is a release
    assert shown.unpinned_hosts == ("build",)
    assert status(services)[0].unpinned_hosts == (title,)
    (environment,) = lineage_of(services, finder, release).environments
    assert environment.unpinned_host == "a machine in memory, kernel 6.1"
    assert environment.root.digest == fingerprint


def test_the_signed_provenance_names_the_fingerprint(services: MemoryServices, project: Callable[[], Project]) -> None:
    found = project()
    build_project(services, found)
    fingerprint = found.lock.environments["build"].root.tree.digest
    statements = [data for data in services.blobs.data.values() if b"dsseEnvelope" in data]
    told = [base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"]).decode() for data in statements]
    assert any('"host-environment/build"' in text and fingerprint in text for text in told)


def test_two_runs_are_compared_by_their_machines(services: MemoryServices, project: Callable[[], Project]) -> None:
    built(services, project())
    services.survey.packages["libc6"] = "2.36-10"
    built(services, project())

    def compared(a: str, b: str) -> list[tuple[str, str, str]]:
        (found,) = compare_environments(services, a, b, source="shop", name=None, files=False, read_file=lambda _: None)
        return [(field.field, field.a, field.b) for field in found.difference.fields if field.field != "root"]

    changed = [("host: package libc6", "2.36-9 (amd64)", "2.36-10 (amd64)")]
    assert compared("run-000001", "run-000002") == changed
    assert compared("run-000001", "build") == changed, "an environment of the lock is this machine as it is now"
    assert compared("run-000002", "build") == []


def test_what_needs_a_root_is_refused(services: MemoryServices, project: Callable[[], Project]) -> None:
    found = project()
    with pytest.raises(HostHasNoRoot) as caught:
        verify_project(services, found)
    assert "--reexecute" in (caught.value.hint or "")
    assert services.executor.ran == [], "it is refused before anything is built"
    with pytest.raises(HostHasNoRoot):
        entrance(services, found, PACKAGE)
    with pytest.raises(HostHasNoRoot):
        bill_of("build", found.lock.environments["build"])
    with pytest.raises(HostHasNoRoot, match="environment 'build' is the host") as caught:
        export_image(services, "build", found.lock.environments["build"], Path("image"), ImageConfig(architecture="amd64"), tag=None)
    assert caught.value.details["environment"] == "build"


def test_there_is_nothing_to_be_fetched_or_verified(services: MemoryServices, project: Callable[[], Project]) -> None:
    found = project()
    (laid,) = lay_in(services, found)
    assert (laid.count, laid.fetched) == (0, 0)
    (check,) = verify_environments(services, environments_of(Lock.decode(found.lock.encode()), ()))
    assert (check.root, check.exit_code) == (RootState.HOST, ExitCode.DONE)


def test_a_sweep_keeps_the_fingerprints_of_the_runs_it_keeps(services: MemoryServices, project: Callable[[], Project]) -> None:
    built(services, project())
    old = project().lock.environments["build"].root
    services.clock.advance(60)
    services.survey.packages["libc6"] = "2.36-10"
    built(services, project())
    new = project().lock.environments["build"].root
    services.clock.advance(60)
    collect_garbage(services, KeepRule(runs=1, age=0))
    assert fingerprint_of(services, new) is not None
    assert fingerprint_of(services, old) is None


def test_a_failed_step_is_not_sent_for_packages_or_into_a_sandbox(services: MemoryServices, project: Callable[[], Project]) -> None:
    def lacking(workspace: Workspace) -> int:
        workspace.log += b"a.c:1:10: fatal error: zork.h: No such file or directory\n"
        return 1

    services.commands["cat"] = lacking
    with pytest.raises(StepNotDone) as caught:
        built(services, project())
    assert "install on it what is missing" in (caught.value.hint or "")
    assert caught.value.details["packages"] == ()
    assert caught.value.details["unpinned_host"] == project().lock.environments["build"].root.tree.digest
