"""Services in a plan: where a step finds them, and what of them is part of its action."""

from __future__ import annotations

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.name import ServiceName
from lockage.base.path import RelPath
from lockage.base.tree import EMPTY_TREE, FileNode, Tree
from lockage.environment.lock import RootRef
from lockage.plan.action import Action, Stub, read_action
from lockage.plan.difference import ChangeKind, action_changes
from lockage.recipe.service import Form, Matching

STUB = Stub(name=ServiceName("github"), form=Form.HAR, content=BlobRef.of(b"{}"), port=80, hosts=("a.example",))


def action(*stubs: Stub) -> Action:
    root = RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b""))
    workspace = Tree.of([FileNode(RelPath("a"), BlobRef.of(b"a"))]).ref
    return Action(
        arguments=("true",), variables=(), outputs=(), workspace=workspace, root=root, cpus=1, architecture="amd64", services=stubs
    )


def test_an_action_with_services_can_be_read_again() -> None:
    one = action(STUB, msgspec.structs.replace(STUB, name=ServiceName("prices"), hosts=(), matching=Matching(headers=("accept",))))
    encoded = one.encode()
    blobs = {BlobRef.of(data): data for data in (encoded.action, encoded.command, one.input_root)}
    assert read_action(encoded.ref, blobs.__getitem__) == one
    assert [address for address, _ in one.listening] == ["127.0.2.1", "127.0.0.1"]


def test_an_action_without_services_has_no_trace_of_them() -> None:
    assert b"lockage-services" not in action().encode().command
    assert b"lockage-services" in action(STUB).encode().command


@pytest.mark.parametrize(
    "changed",
    [
        {"content": BlobRef.of(b"other")},
        {"form": Form.FOLDER},
        {"port": 81},
        {"hosts": ()},
        {"matching": Matching(must_use_all=True)},
        {"name": ServiceName("other")},
    ],
)
def test_every_part_of_a_service_changes_the_action(changed: dict[str, object]) -> None:
    other = action(msgspec.structs.replace(STUB, **changed))
    assert other.encode().ref != action(STUB).encode().ref
    changes = action_changes(action(STUB), other, (EMPTY_TREE, EMPTY_TREE), ())
    assert {change.kind for change in changes} == {ChangeKind.SERVICE}


def test_a_service_that_comes_or_goes_is_told() -> None:
    (came,) = action_changes(action(), action(STUB), (EMPTY_TREE, EMPTY_TREE), ())
    assert (came.name, came.before) == ("github", None)
    assert action_changes(action(STUB), action(STUB), (EMPTY_TREE, EMPTY_TREE), ()) == ()
