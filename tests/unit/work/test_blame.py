"""Who is to blame, over fakes: the axes, the step in which it began, the bytes, and how many rebuilds that took."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.path import RelPath
from lockage.variation import AXES
from lockage.work.prepare import Project
from lockage.work.verify import verify_project

if TYPE_CHECKING:
    from lockage.adapters.memory.executor import Workspace
    from lockage.compare.blame import Blame, Blamed

Commit = Callable[..., Project]

TWO_STEPS = """
[step.first]
inputs = []
run = ["first"]
outputs = ["made"]
[step.second]
inputs = []
needs = ["first"]
run = ["second"]
outputs = ["out"]
artifacts = ["out/*"]
"""


def second(workspace: Workspace) -> int:
    workspace.write("out/product.txt", b"".join(data for path, data in sorted(workspace.files.items()) if path.startswith("made/")))
    return 0


def blamed(commit: Commit, first: Callable[[Workspace], int], *, most: int = 60) -> tuple[Blamed, MemoryServices]:
    services = MemoryServices({"first": first, "second": second})
    found = verify_project(services, commit(services, recipe=TWO_STEPS), blaming=most)
    assert found.blamed is not None
    return found.blamed, services


def only(found: Blamed) -> Blame:
    (one,) = found.found
    return one


def test_one_axis(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        workspace.write("made/x", f"built on {workspace.request.world.hostname}.".encode())
        return 0

    found, _ = blamed(commit, first)
    one = only(found)
    assert (one.axes, one.cause, one.step, one.artifact, one.member) == (("hostname",), "host-name-written", "first", "product.txt", "")
    assert (one.offset, one.length) == (9, len("other-host"))
    assert found.rebuilds == 4, "the bytes tell the axis: nothing varied, that axis, all but that axis; and one to see the process"
    assert one.process == ("first",)
    assert not found.exhausted


def test_what_differs_by_itself_is_not_laid_on_an_axis_that_makes_something_else_differ(commit: Commit) -> None:
    count = iter(range(1000))

    def first(workspace: Workspace) -> int:
        workspace.write("made/x", f"nice {workspace.request.world.niceness}".encode())
        workspace.write("made/y", f"number {next(count)}".encode())
        return 0

    def copied(workspace: Workspace) -> int:
        for name in "xy":
            workspace.write(f"out/{name}.txt", workspace.files[RelPath(f"made/{name}")])
        return 0

    services = MemoryServices({"first": first, "second": copied})
    found = verify_project(services, commit(services, recipe=TWO_STEPS), blaming=60)
    assert found.blamed is not None
    assert {one.artifact: one.axes for one in found.blamed.found} == {"x.txt": ("priority",), "y.txt": ()}


@pytest.mark.parametrize("axis", [axis.name for axis in AXES if not axis.severe])
def test_every_axis_is_found_although_the_bytes_tell_nothing(commit: Commit, axis: str) -> None:
    field, value = next(each for each in AXES if each.name == axis).fields[0]

    def first(workspace: Workspace) -> int:
        workspace.write("made/x", b"one thing" if getattr(workspace.request.world, field) != value else b"another")
        return 0

    found, _ = blamed(commit, first)
    assert only(found).axes == (axis,)
    assert found.rebuilds <= 17


def test_two_that_only_together_do_it(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        world = workspace.request.world
        workspace.write("made/x", b"both" if world.uid != 1000 and world.umask != 0o022 else b"not both")
        return 0

    assert only(blamed(commit, first)[0]).axes == ("user", "umask")


def test_two_that_each_do_it_are_both_named(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        world = workspace.request.world
        workspace.write("made/x", f"{world.home} {world.umask}".encode())
        return 0

    found, _ = blamed(commit, first)
    assert {one.axes for one in found.found} == {("home",), ("umask",)}


def test_who_writes_every_variable_down_is_told_so_once(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        workspace.write("made/x", f"{workspace.request.world.added}".encode())
        return 0

    found, _ = blamed(commit, first)
    assert (only(found).axes, only(found).cause) == (("environment",), "environment-written")
    assert found.rebuilds <= 6


def test_a_variable_does_not_hide_another_cause(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        world = workspace.request.world
        workspace.write("made/x", f"{world.added} {world.home}".encode())
        return 0

    found, _ = blamed(commit, first)
    assert {one.axes for one in found.found} == {("environment",), ("home",)}


def test_what_differs_by_itself(commit: Commit) -> None:
    count = iter(range(4711, 9999))

    def first(workspace: Workspace) -> int:
        workspace.write("made/x", f"pid {next(count)} of many".encode())
        return 0

    found, _ = blamed(commit, first)
    assert (only(found).axes, only(found).cause) == ((), "process-number")
    assert found.rebuilds == 2


def test_a_rebuild_that_fails(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        workspace.write("made/x", b"x")
        return int(workspace.request.world.build_path != "/build")

    one = only(blamed(commit, first)[0])
    assert (one.axes, one.cause, one.step, one.aspect) == (("build-path",), "rebuild-fails", "first", "failed")


@pytest.mark.parametrize(
    ("axis", "cause", "name"),
    [("architecture", "platform-in-file-name", "product-True.txt"), ("hostname", "other-file-name", "product-other-host.txt")],
)
def test_a_rebuild_that_delivers_another_name(commit: Commit, axis: str, cause: str, name: str) -> None:
    (field, _), *_ = next(each for each in AXES if each.name == axis).fields

    def first(workspace: Workspace) -> int:
        workspace.write("made/x", b"x")
        return 0

    def naming(workspace: Workspace) -> int:
        workspace.write(f"out/product-{getattr(workspace.request.world, field)}.txt", b"x")
        return 0

    services = MemoryServices({"first": first, "second": naming})
    found = verify_project(services, commit(services, recipe=TWO_STEPS), axes=(axis,), blaming=60)
    assert found.robust == "failed"
    assert found.blamed is not None
    one = only(found.blamed)
    assert (one.axes, one.cause, one.step, one.aspect) == ((axis,), cause, "second", "missing")
    assert one.says.endswith(f"; it delivers {name}")


def test_what_the_rebuilds_do_not_suffice_for_is_said(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        workspace.write("made/x", b"one thing" if workspace.request.world.niceness else b"another")
        return 0

    found, _ = blamed(commit, first, most=2)
    assert found.exhausted
    assert found.rebuilds == 2
    assert found.found == ()


def test_what_is_identical_is_not_looked_into(commit: Commit) -> None:
    def first(workspace: Workspace) -> int:
        workspace.write("made/x", b"always")
        return 0

    services = MemoryServices({"first": first, "second": second})
    assert verify_project(services, commit(services, recipe=TWO_STEPS), blaming=60).blamed is None


def test_the_step_is_one_that_the_artifact_was_made_by(commit: Commit) -> None:
    steps = "".join(
        f'[step.{name}]\ninputs = []\nrun = ["{name}"]\noutputs = ["{name}"]\nartifacts = ["{name}/*"]\n' for name in ("one", "two")
    )

    def making(name: str) -> Callable[[Workspace], int]:
        def make(workspace: Workspace) -> int:
            workspace.write(f"{name}/{name}.txt", f"built on {workspace.request.world.hostname}.".encode())
            return 0

        return make

    services = MemoryServices({"one": making("one"), "two": making("two")})
    found = verify_project(services, commit(services, recipe=steps), blaming=60).blamed
    assert found is not None
    assert {one.artifact: one.step for one in found.found} == {"one.txt": "one", "two.txt": "two"}
