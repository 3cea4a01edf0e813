"""Packages added to recipes, written and inferred; and a command of one's own in a step's sandbox."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.base.name import StepName
from lockage.environment.errors import InvalidRelation
from lockage.environment.lock import Lock
from lockage.plan.fit import LockMismatch
from lockage.plan.plan import NoSuchStep, make_plan
from lockage.ports import Attached, Unresolvable
from lockage.recipe.hooks import HOOK_OUTPUT, HOOK_STEP, BackendFailed
from lockage.recipe.inference import PACKAGES
from lockage.recipe.wanted import Wanted
from lockage.work.add import EnvironmentNotNamed, lock_with_added
from lockage.work.add_missing import hand_over_adding
from lockage.work.build import StepNotDone, build
from lockage.work.hand_over import hand_over
from lockage.work.prepare import Project, RecipeDecides, infer_recipe, lock_project, prepare, prepare_to_ask
from lockage.work.shell import RUN_VARIABLE, enter, entrance
from lockage.work.test import test_project as run_tests

Commit = Callable[..., Project]
HERE, OUT = Path("/here"), Path("/out")
RECIPE = b"""\
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"  # old
packages = ["dash"]
[step.a]
run = ["constant", "x"]
outputs = ["x"]
"""
TWO = RECIPE + b'environment = "build"\n[environment.other]\nos = "debian:bookworm"\n'
PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n[project]\nname = "shop"\nversion = "1.0"\n'


def needs_ffi(workspace: Workspace) -> int:
    """A build backend that compiles against <foo.h>, which /bin/sh has only where the root has libfoo-dev."""
    (output,) = workspace.request.action.outputs
    if output == HOOK_OUTPUT:
        roots = (workspace_root.get("good"), workspace_root.get("asked"))
        if "hooks-need-it" in workspace.files and workspace.request.root.ref.tree not in roots:
            workspace.log += b"Error: pg_config executable not found.\n"
            return 1
        workspace.write(HOOK_OUTPUT, b"{}")
        return 0
    if workspace.request.root.ref.tree != workspace_root.get("good"):
        workspace.log += b"a.c:1:10: fatal error: foo.h: No such file or directory\n"
        return 1
    workspace.write("wheelhouse/shop-1.0-py3-none-any.whl", make_wheel("shop", {}, version="1.0"))
    return 0


workspace_root: dict[str, object] = {}

LIBFOO = Wanted(added=("libfoo-dev",))


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    for name in (*PACKAGES, "libfoo-dev", "libpq-dev"):
        if name not in ("dash", "python3"):
            services.publish(name, "1")
    services.os_packages.contents = {"amd64": b"usr/include/foo.h libdevel/libfoo-dev\nusr/bin/pg_config libdevel/libpq-dev\n"}
    services.commands["/bin/sh"] = needs_ffi
    return services


# A recipe that is there


def test_packages_are_written_into_the_recipe_and_locked(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    services.folders.write(HERE, "lockage.toml", RECIPE)
    lock, written, edited = lock_with_added(
        services, "shop", recipe_folder=HERE, folder=HERE, wanted=LIBFOO, environment=None, upgrade=False
    )
    assert written
    assert edited
    text = services.folders.read(HERE, "lockage.toml")
    assert text == RECIPE.replace(b'["dash"]', b'["dash", "libfoo-dev"]')
    assert services.folders.read(HERE, "lockage.lock") == lock.encode()
    assert {"dash", "libfoo-dev"} <= {package.name for package in lock.environments["build"].packages}
    assert lock.environments["build"].added == (), "the recipe says it"
    services.sources.add("shop", {"lockage.toml": text, "lockage.lock": lock.encode()})
    assert prepare(services, "shop").lock == lock


def test_what_cannot_be_locked_changes_nothing(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    services.folders.write(HERE, "lockage.toml", RECIPE)
    for name, error in (("nosuch", Unresolvable), ("NOT A NAME", InvalidRelation)):
        with pytest.raises(error):
            lock_with_added(
                services, "shop", recipe_folder=HERE, folder=HERE, wanted=Wanted(added=(name,)), environment=None, upgrade=False
            )
    assert services.folders.data[HERE] == {"lockage.toml": RECIPE}


def test_one_of_several_environments_must_be_named(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": TWO})
    services.folders.write(HERE, "lockage.toml", TWO)
    for name in (None, "nosuch"):
        with pytest.raises(EnvironmentNotNamed, match="build, other"):
            lock_with_added(services, "shop", recipe_folder=HERE, folder=HERE, wanted=LIBFOO, environment=name, upgrade=False)
    lock, _, _ = lock_with_added(services, "shop", recipe_folder=HERE, folder=HERE, wanted=LIBFOO, environment="other", upgrade=False)
    assert "libfoo-dev" not in {package.name for package in lock.environments["build"].packages}
    assert "libfoo-dev" in {package.name for package in lock.environments["other"].packages}


def test_a_recipe_that_is_no_file_here_is_not_added_to(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    with pytest.raises(RecipeDecides):
        lock_with_added(services, "shop", recipe_folder=None, folder=HERE, wanted=LIBFOO, environment=None, upgrade=False)
    with pytest.raises(RecipeDecides):
        prepare(services, "shop", wanted=LIBFOO)
    with pytest.raises(RecipeDecides):
        prepare_to_ask(services, "shop")
    assert services.folders.data == {}


# A recipe that is inferred


def sdist(services: MemoryServices, **more: bytes) -> None:
    from lockage.base.digest import Digest
    from lockage.record.source import SdistOrigin

    origin = SdistOrigin(file="shop-1.0.tar.gz", sha256=Digest.of(services.blobs.get(services.blobs.put(b"the archive"))))
    files = {"pyproject.toml": PYPROJECT, "own.py": b"", "PKG-INFO": b"Name: shop\nVersion: 1.0\n", **more}
    services.sources.add("shop-1.0.tar.gz", files, origin=origin)
    workspace_root["good"] = root_with(services, "libfoo-dev", "libpq-dev")
    workspace_root["asked"] = root_with(services, "libpq-dev")


def root_with(services: MemoryServices, *added: str) -> object:
    """The root of the environment with these packages on top."""
    from lockage.environment.base import OsBase
    from lockage.environment.declaration import Declaration
    from lockage.work.lock import lock_environment

    packages = tuple(sorted((*PACKAGES, *added)))
    return lock_environment(services, "build", Declaration(os=OsBase.parse("debian:bookworm"), packages=packages)).root.tree


def test_a_failed_build_says_what_to_add_and_what_was_added_before(services: MemoryServices) -> None:
    sdist(services)
    with pytest.raises(StepNotDone) as caught:
        hand_over(services, prepare(services, "shop-1.0.tar.gz", wanted=Wanted(added=("libpq-dev",))), out=OUT)
    details = caught.value.details
    assert (details["packages"], details["added"], details["recipe"]) == (("libfoo-dev",), ("libpq-dev",), "inferred")
    assert "libfoo-dev has /usr/include/foo.h" in caught.value.hint
    hand_over(services, prepare(services, "shop-1.0.tar.gz", wanted=Wanted(added=("libpq-dev", "libfoo-dev"))), out=OUT)
    lock = Lock.decode(services.folders.read(OUT, "lockage.lock") or b"")
    assert lock.environments["build"].added == ("libfoo-dev", "libpq-dev"), "in one order, so that equal locks have equal bytes"


def test_a_backend_that_cannot_be_asked_says_what_to_add(services: MemoryServices) -> None:
    sdist(services, **{"hooks-need-it": b""})
    with pytest.raises(BackendFailed) as caught:
        prepare(services, "shop-1.0.tar.gz")
    assert caught.value.details["packages"] == ("libpq-dev",)
    assert caught.value.details["step"] == HOOK_STEP
    run_id = services.runs.latest()
    assert f"lockage logs {run_id} {HOOK_STEP}" in caught.value.hint
    prepare(services, "shop-1.0.tar.gz", wanted=Wanted(added=("libpq-dev", "libfoo-dev")))


def test_what_failures_name_is_added_until_the_build_goes_through(services: MemoryServices) -> None:
    sdist(services, **{"hooks-need-it": b""})
    project, built = hand_over_adding(services, "shop-1.0.tar.gz", wanted=Wanted(), out=OUT)
    assert [artifact.name for artifact in built.artifacts if artifact.name.endswith(".whl")] == ["shop-1.0-py3-none-any.whl"]
    assert project.lock.environments["build"].added == ("libfoo-dev", "libpq-dev")
    lock = services.folders.read(OUT, "lockage.lock")
    assert prepare(services, "shop-1.0.tar.gz", given=lock).lock == project.lock


def test_what_no_package_mends_is_told_as_it_is(services: MemoryServices) -> None:
    sdist(services)
    workspace_root["good"] = None
    with pytest.raises(StepNotDone) as caught:
        hand_over_adding(services, "shop-1.0.tar.gz", wanted=Wanted(), out=OUT)
    assert (caught.value.details["packages"], caught.value.details["added"]) == ((), ("libfoo-dev",)), "not added twice"
    assert services.folders.data == {}


def test_nothing_is_added_to_a_recipe_that_is_there(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    lock, _ = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    services.sources.add("shop", {"lockage.toml": RECIPE, "lockage.lock": lock.encode()})
    with pytest.raises(RecipeDecides):
        hand_over_adding(services, "shop", wanted=Wanted(), out=OUT)
    assert OUT not in services.folders.data


def test_a_lock_says_what_was_added_to_its_recipe(services: MemoryServices) -> None:
    sdist(services)
    first = prepare(services, "shop-1.0.tar.gz", wanted=LIBFOO)
    given = first.lock.encode()
    again = prepare(services, "shop-1.0.tar.gz", given=given)
    assert (again.recipe, again.lock.encode()) == (first.recipe, given)
    with pytest.raises(LockMismatch):
        prepare(services, "shop-1.0.tar.gz", given=given, wanted=Wanted(added=("libpq-dev",)))
    plain = prepare(services, "shop-1.0.tar.gz", beside=given)
    assert plain.lock.environments["build"].added == (), "a lock that happens to lie there adds nothing"
    assert b'"added"' not in plain.lock.encode()


def test_locking_again_keeps_what_was_added(services: MemoryServices) -> None:
    sdist(services)
    for added, expected in ((["libfoo-dev"], ("libfoo-dev",)), ([], ("libfoo-dev",)), (["libpq-dev"], ("libfoo-dev", "libpq-dev"))):
        lock, _ = lock_project(services, "shop-1.0.tar.gz", folder=HERE, upgrade=False, check=False, wanted=Wanted(added=tuple(added)))
        assert lock.environments["build"].added == expected
    lock_project(services, "shop-1.0.tar.gz", folder=HERE, upgrade=False, check=True)


def test_the_written_recipe_has_what_was_added(services: MemoryServices) -> None:
    sdist(services)
    recipe = infer_recipe(services, "shop-1.0.tar.gz", wanted=Wanted(added=("libfoo-dev", "gcc")))
    assert recipe.environments["build"].packages == tuple(sorted((*PACKAGES, "libfoo-dev")))
    assert infer_recipe(services, "shop-1.0.tar.gz").environments["build"].packages == PACKAGES


# Failed steps that are kept, and a command of one's own

STEPS = """
[step.first]
inputs = ["src/**"]
run = ["cat", "first.txt"]
outputs = ["first.txt"]
[step.second]
needs = ["first"]
inputs = ["tests/**"]
run = ["fail", "a b"]
outputs = ["never"]
[step.third]
needs = ["second"]
run = ["constant", "x"]
outputs = ["x"]
"""


def test_a_failed_step_is_kept_and_the_error_says_where(services: MemoryServices, commit: Commit, tmp_path: Path) -> None:
    project = commit(services, recipe=STEPS)
    plan = make_plan(project.recipe, project.lock, project.source)
    with pytest.raises(StepNotDone) as caught:
        build(services, plan, keep=tmp_path)
    assert caught.value.details["kept"] == str(tmp_path / "second")
    assert (tmp_path / "second" / "first.txt").exists()
    assert not (tmp_path / "first").exists()
    with pytest.raises(StepNotDone) as caught:
        build(services, plan)
    assert caught.value.details["kept"] is None


def test_a_failed_test_is_kept_as_well(services: MemoryServices, commit: Commit, tmp_path: Path) -> None:
    outcome = run_tests(services, commit(services, {"tests/failing": b""}), keep=tmp_path)
    assert not outcome.passed
    assert outcome.failure(services).details["kept"] == str(tmp_path / "unit")
    assert (tmp_path / "unit" / "tests" / "failing").exists()


def looks(workspace: Workspace) -> int:
    workspace.log += f"{sorted(workspace.files)} {workspace.variables[RUN_VARIABLE]}\n".encode()
    return 7


def test_a_command_finds_what_its_step_would_find(services: MemoryServices, commit: Commit, capsys: pytest.CaptureFixture[str]) -> None:
    project = commit(services, recipe=STEPS)
    services.commands["/bin/sh"] = looks
    place = entrance(services, project, StepName("second"))
    assert place.shown == place.line == "fail 'a b'"
    runs, cached = services.runs.latest(), len(services.cache.results)
    assert enter(services, place, "ls", Attached.OUTPUT) == 7
    assert enter(services, place, None, Attached.STREAMS) == 7
    said = capsys.readouterr().out.splitlines()
    assert said == ["['first.txt', 'tests/test_shop.py'] fail 'a b'"] * 2
    assert (services.runs.latest(), len(services.cache.results)) == (runs, cached), "nothing is recorded or cached"


def test_a_step_whose_needs_fail_cannot_be_entered(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=STEPS)
    with pytest.raises(StepNotDone) as caught:
        entrance(services, project, StepName("third"))
    assert caught.value.details["step"] == "second"
    with pytest.raises(NoSuchStep):
        entrance(services, project, StepName("fourth"))


def test_the_question_to_a_backend_can_be_entered(services: MemoryServices) -> None:
    sdist(services, **{"hooks-need-it": b""})
    place = entrance(services, prepare_to_ask(services, "shop-1.0.tar.gz"), HOOK_STEP)
    services.commands["/bin/sh"] = looks
    assert enter(services, place, "ls", Attached.OUTPUT) == 7
