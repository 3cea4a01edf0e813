"""Sandboxes that are made before their turn, through the router that chooses who makes them."""

from __future__ import annotations

from lockage.adapters.executor_router import ExecutorRouter
from lockage.adapters.memory.executor import MemoryExecutor
from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.digest import Digest
from lockage.base.tree import EMPTY_TREE
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.ports import ExecutionRequest, RealisedRoot
from lockage.recipe.model import Resources
from lockage.variation.world import CONTRACT

TREE, FOLDERS = EMPTY_TREE.encode()
REF = RootRef(tree=TREE, metadata=Digest.of(b""))
ACTION = Action(arguments=("true",), variables=(), outputs=(), workspace=TREE, root=REF, cpus=1, architecture="amd64")


def test_what_is_prepared_comes_to_who_executes_it_and_only_where_that_helps() -> None:
    blobs = MemoryBlobs()
    blobs.put_many(FOLDERS.values())
    executor = MemoryExecutor(blobs, {"true": lambda _: 0})
    router = ExecutorRouter(sandbox=lambda: executor, host=lambda: executor)
    request = ExecutionRequest(action=ACTION, root=RealisedRoot(ref=REF, layers=()), resources=Resources(), world=CONTRACT)
    assert not router.prepares, "nothing is made only to ask it"
    router.prepare(request)
    assert not executor.prepared
    executor.prepares = True
    assert router.prepares
    router.prepare(request)
    assert executor.waiting is request
    router.dismiss()
    assert executor.waiting is None
    router.prepare(request)
    router.execute(request)
    assert (executor.waiting, len(executor.prepared)) == (None, 2)
