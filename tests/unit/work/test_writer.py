"""Which of the files that were written is the one that a member or an artifact is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.ports import Writer
from lockage.work.prepare import Project
from lockage.work.verify import verify_project
from lockage.work.writer import inner_path, writer_of

if TYPE_CHECKING:
    from lockage.adapters.memory.executor import Workspace

Commit = Callable[..., Project]

#: In the order of their last writes.
WRITTEN = (
    ("/build/pkg/__init__.py", "cp"),
    ("/tmp/x/tool.o", "as"),
    ("/build/build/lib/pkg/ext.so", "ld"),
    ("/build/build/wheel/pkg/ext.so", "python3 copy"),
    ("/build/other/__init__.py", "touch"),
    ("/build/dist/pkg-1.whl", "python3 zip"),
)


@pytest.mark.parametrize(
    ("path", "writer"),
    [
        ("pkg/ext.so", "ld"),
        ("deep/er/pkg/ext.so", "ld"),
        ("other/__init__.py", "touch"),
        ("pkg/__init__.py", "cp"),
        ("pkg-1.whl", "python3 zip"),
        ("nobody/wrote.this", None),
        ("", None),
    ],
)
def test_the_nearest_path_and_of_equals_the_first(path: str, writer: str | None) -> None:
    found = writer_of([Writer(path=path, argv=tuple(argv.split())) for path, argv in WRITTEN], path)
    assert found == (None if writer is None else tuple(writer.split()))


@pytest.mark.parametrize(
    ("artifact", "member", "inner"),
    [
        ("shop-1.2.tar.gz", "shop-1.2/src/shop/x.py", "src/shop/x.py"),
        ("dist/shop-1.2.zip", "shop-1.2/x.py", "x.py"),
        ("shop-1.2-py3-none-any.whl", "shop/x.py", "shop/x.py"),
        ("shop-1.2-py3-none-any.whl", "shop-1.2.dist-info/RECORD", "shop-1.2.dist-info/RECORD"),
        ("shop.tar", "shop", "shop"),
    ],
)
def test_the_folder_around_everything_does_not_count(artifact: str, member: str, inner: str) -> None:
    assert inner_path(artifact, member) == inner


TWO_STEPS = """
[step.first]
inputs = []
run = ["first"]
outputs = ["shop"]
[step.second]
inputs = []
needs = ["first"]
run = ["second"]
outputs = ["dist"]
artifacts = ["dist/*"]
"""


def first(workspace: Workspace) -> int:
    workspace.write("shop/host.py", workspace.request.world.hostname.encode())
    return 0


def second(workspace: Workspace) -> int:
    members = {str(path): data for path, data in workspace.files.items() if path.startswith("shop/")}
    members["shop/user.py"] = workspace.request.world.user.encode()
    workspace.write("dist/shop-1.0-py3-none-any.whl", make_wheel("shop", members, version="1.0"))
    return 0


def test_a_member_is_followed_to_the_step_that_wrote_it(commit: Commit) -> None:
    services = MemoryServices({"first": first, "second": second})
    blamed = verify_project(services, commit(services, recipe=TWO_STEPS), blaming=60).blamed
    assert blamed is not None
    assert {one.member: one.process for one in blamed.found} == {"shop/host.py": ("first",), "shop/user.py": ("second",)}
    assert blamed.unobserved is None


def test_why_it_is_not_known_is_said_once(commit: Commit) -> None:
    services = MemoryServices({"first": first, "second": second})
    services.executor.unobserved = "this host does not allow it"
    blamed = verify_project(services, commit(services, recipe=TWO_STEPS), blaming=60).blamed
    assert blamed is not None
    assert {one.process for one in blamed.found} == {None}
    assert blamed.unobserved == "this host does not allow it"


def test_no_rebuild_is_left_for_it(commit: Commit) -> None:
    services = MemoryServices({"first": lambda workspace: first(workspace), "second": second})
    blamed = verify_project(services, commit(services, recipe=TWO_STEPS), blaming=1).blamed
    assert blamed is not None
    assert blamed.exhausted
    assert blamed.rebuilds == 1
    assert all(one.process is None for one in blamed.found)
