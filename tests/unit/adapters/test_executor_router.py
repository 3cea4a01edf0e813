"""Who executes what: the action says it, and nobody is made that no action asks for."""

import pytest

from lockage.adapters.executor_router import ExecutorRouter
from lockage.adapters.memory.executor import MemoryExecutor
from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.base.tree import EMPTY_TREE
from lockage.environment.lock import HOST_METADATA, RootRef
from lockage.plan.action import Action
from lockage.ports import ExecutionRequest, Executor, RealisedRoot, SandboxUnavailable
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.variation.world import CONTRACT

ROOT = RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"a root's"))
HOST = RootRef(tree=BlobRef.of(b"a fingerprint"), metadata=HOST_METADATA)


def request(root: RootRef) -> ExecutionRequest:
    action = Action(arguments=("true",), variables=(), outputs=(), workspace=EMPTY_TREE.ref, root=root, cpus=1, architecture="amd64")
    return ExecutionRequest(action=action, root=RealisedRoot(ref=root, layers=()), resources=Resources(), world=CONTRACT)


class Bench:
    def __init__(self, *, sandbox: bool = True) -> None:
        self.blobs = MemoryBlobs()
        for data in EMPTY_TREE.encode()[1].values():
            self.blobs.put(data)
        self.made: list[str] = []
        self.sandbox = sandbox
        self.router = ExecutorRouter(sandbox=lambda: self.make("sandbox"), host=lambda: self.make("host"))

    def make(self, kind: str) -> Executor:
        if kind == "sandbox" and not self.sandbox:
            raise SandboxUnavailable("no namespaces here")
        self.made.append(kind)
        return MemoryExecutor(self.blobs, {"true": lambda workspace: 0})


def test_an_action_goes_to_whom_its_root_says_and_each_is_made_once() -> None:
    bench = Bench()
    for root in (ROOT, HOST, ROOT, HOST):
        assert isinstance(bench.router.execute(request(root)), ActionResult)
    assert bench.made == ["sandbox", "host"]


def test_a_host_without_a_sandbox_builds_on_itself() -> None:
    bench = Bench(sandbox=False)
    assert isinstance(bench.router.execute(request(HOST)), ActionResult)
    assert isinstance(bench.router.observe(request(HOST)).outcome, ActionResult)
    with pytest.raises(SandboxUnavailable):
        bench.router.execute(request(ROOT))


def test_nobody_is_made_to_be_cancelled() -> None:
    bench = Bench()
    bench.router.cancel()
    assert bench.made == []
