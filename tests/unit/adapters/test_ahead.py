"""Sandboxes that are made before their turn, through the router that chooses who makes them."""

from __future__ import annotations

import threading
from pathlib import Path

from lockage.adapters.executor_router import ExecutorRouter
from lockage.adapters.memory.executor import MemoryExecutor
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.sandbox_bwrap.ahead import Early
from lockage.adapters.sandbox_bwrap.sandbox import Sandbox
from lockage.base.digest import Digest
from lockage.base.tree import EMPTY_TREE
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.ports import ExecutionRequest, RealisedRoot
from lockage.recipe.model import Resources
from lockage.running.log import Log
from lockage.running.watch import Watch
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


def early_sandbox() -> Early:
    request = ExecutionRequest(action=ACTION, root=RealisedRoot(ref=REF, layers=()), resources=Resources(), world=CONTRACT)
    sandbox, log = Sandbox(), Log(Path("nowhere"))
    return Early(request, sandbox, Watch(request.resources, log, sandbox.kill), log)


def test_what_is_discarded_before_its_making_began_is_neither_made_nor_waited_for() -> None:
    """As when a signal comes between the two halves of beginning."""
    early = early_sandbox()
    made: list[Early] = []

    def make(one: Early) -> list[int]:
        made.append(one)
        return []

    early.discard()
    early.make(make)
    early.discard()
    assert (made, early.log.closed) == ([], True)


def test_what_is_discarded_while_it_is_made_is_waited_for() -> None:
    making, killed, seen = threading.Event(), threading.Event(), []
    early = early_sandbox()
    early.sandbox.kill = killed.set  # type: ignore[method-assign]  # to see it

    def make(_: Early) -> list[int]:
        making.set()
        assert killed.wait(60)
        seen.append(early.log.closed)
        return []

    maker = threading.Thread(target=early.make, args=(make,))
    maker.start()
    assert making.wait(60)
    early.discard()
    maker.join(60)
    assert (seen, early.log.closed) == ([False], True)
