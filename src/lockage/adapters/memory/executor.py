"""An executor that runs Python callables instead of commands: for tests of everything above the sandbox."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import msgspec

from lockage.base.path import RelPath, link_stays_inside
from lockage.base.tree import EMPTY_TREE, Directory, FileNode, LinkNode, Node, Tree, read_tree
from lockage.base.units import human_duration
from lockage.ports import ExecutionFailed, Observed, TooManyCpus, Writer
from lockage.ports.workers import HELD
from lockage.record.result import ActionResult, Exceeded
from lockage.replay import Replay, Request, Response, read_recording
from lockage.variation import held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockage.ports import Attached, Blobs, ExecutionRequest
    from lockage.ports.workers import Performance

    Command = Callable[["Workspace"], int]

__all__ = ["MemoryExecutor", "Workspace"]


class Workspace:
    """What a callable sees and changes: files by path, links, empty folders, the request and a log to write to."""

    def __init__(
        self, request: ExecutionRequest, files: dict[RelPath, bytes], links: dict[RelPath, str], executables: set[RelPath]
    ) -> None:
        self.request = request
        self.variables = dict(request.action.variables)
        self.files = files
        self.links = links
        self.folders: set[RelPath] = set()
        self.executables = executables
        self.log = bytearray()
        self.replays: dict[str, Replay] = {}

    def ask(self, service: str, method: str, target: str, body: bytes = b"") -> Response | None:
        """What a service answers; None where it has recorded nothing of the kind, which will make the step fail."""
        found = self.replays[service].answer(Request.of(method, target, body=body))
        return found if isinstance(found, Response) else None

    def write(self, path: str, data: bytes, *, executable: bool = False) -> None:
        """Make a file."""
        self.files[RelPath(path)] = data
        if executable:
            self.executables.add(RelPath(path))


class Ended(msgspec.Struct, frozen=True):
    """One execution that took place: for tests that count them."""

    arguments: tuple[str, ...]
    outcome: ActionResult | ExecutionFailed


class MemoryExecutor:
    """Implements :class:`lockage.ports.Executor`. ``commands`` are found by an action's arguments joined with spaces, or by the first.

    ``ran`` lists what was executed. A command that raises TimeoutError exceeds its time limit.
    """

    def __init__(self, blobs: Blobs, commands: Mapping[str, Command], *, host_cpus: int = 64) -> None:
        self._blobs = blobs
        self._commands = commands
        self._host_cpus = host_cpus
        self.ran: list[Ended] = []
        self.cancelled = False
        #: Set by tests: whether it performs in pieces.
        self.performs = False
        #: Set by tests: why writers cannot be told.
        self.unobserved: str | None = None
        self._written: set[str] = set()

    def perform(self, request: ExecutionRequest) -> Performance | None:
        return self._pieces(request) if self.performs else None

    def _pieces(self, request: ExecutionRequest) -> Performance:
        yield HELD
        return self.execute(request)

    def observe(self, request: ExecutionRequest) -> Observed:
        """Everything that was written was written by the action's own command."""
        if self.unobserved is not None:
            return Observed(outcome=self.execute(request), unobserved=self.unobserved)
        outcome = self.execute(request)
        given = {str(node.path) for node in read_tree(request.action.workspace, self._blobs.get)}
        place = request.world.build_path
        paths = sorted(path for path in self._written if path not in given)
        return Observed(outcome=outcome, writers=tuple(Writer(path=f"{place}/{path}", argv=request.action.arguments) for path in paths))

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed:
        action = request.action
        if action.cpus > self._host_cpus:
            raise TooManyCpus(
                f"the step declares {action.cpus} CPUs, this host has {self._host_cpus}", expected=action.cpus, found=self._host_cpus
            )
        workspace = self._filled(request)
        command = self._commands.get(" ".join(action.arguments)) or self._commands.get(action.arguments[0])
        outcome: ActionResult | ExecutionFailed
        if command is None:
            workspace.log += f"{action.arguments[0]}: not found\n".encode()
            outcome = self._ended(workspace, 127)
        else:
            try:
                outcome = self._ended(workspace, command(workspace))
            except TimeoutError:
                limit = request.resources.timeout
                outcome = self._failed(workspace, "timeout", f"the step ran longer than its limit of {human_duration(limit)}")
                outcome = msgspec.structs.replace(outcome, exceeded=Exceeded(limit="timeout", allowed=limit, reached=limit))
        self.ran.append(Ended(action.arguments, outcome))
        self._written = {str(path) for path in (*workspace.files, *workspace.links)}
        if request.keep is not None and (isinstance(outcome, ExecutionFailed) or outcome.exit_code != 0):
            shutil.rmtree(request.keep, ignore_errors=True)
            for path, data in workspace.files.items():
                target = request.keep / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        return outcome

    def enter(self, request: ExecutionRequest, attached: Attached) -> int:  # noqa: ARG002 (callables read nothing)
        """Runs the callable and writes its log to standard output."""
        workspace = self._filled(request)
        arguments = request.action.arguments
        command = self._commands.get(" ".join(arguments)) or self._commands.get(arguments[0])
        code = 127 if command is None else command(workspace)
        sys.stdout.write(workspace.log.decode())
        return code

    def cancel(self) -> None:
        self.cancelled = True

    def _filled(self, request: ExecutionRequest) -> Workspace:
        request = msgspec.structs.replace(request, world=held(request.world, request.action.modes, services=bool(request.action.services)))
        workspace = Workspace(request, {}, {}, set())
        for stub in request.action.services:
            recording = read_recording(stub.form, stub.content, self._blobs.get, file=stub.name, hosts=stub.hosts)
            workspace.replays[stub.name] = Replay(recording, stub.matching, stub.hosts)
        for node in read_tree(request.action.workspace, self._blobs.get):
            if isinstance(node, FileNode):
                workspace.write(node.path, self._blobs.get(node.blob), executable=node.executable)
            elif isinstance(node, LinkNode):
                workspace.links[node.path] = node.target
            else:
                workspace.folders.add(node.path)
        return workspace

    def _failed(self, workspace: Workspace, reason: str, message: str) -> ExecutionFailed:
        return ExecutionFailed(reason=reason, message=message, log=self._blobs.put(bytes(workspace.log)))

    def _ended(self, workspace: Workspace, exit_code: int) -> ActionResult | ExecutionFailed:
        for name, replay in workspace.replays.items():
            if replay.unexpected:
                message = f"service {name!r} was asked for what is not recorded: {replay.unexpected[0]}"
                return self._failed(workspace, "service-mismatch", message)
        for stub in workspace.request.action.services:
            unused = workspace.replays[stub.name].unused() if stub.matching.must_use_all and exit_code == 0 else ()
            if unused:
                message = f"service {stub.name!r} was not asked for all that is recorded: {unused[0].place}, {unused[0].request}"
                return self._failed(workspace, "service-unused", message)
        tree = EMPTY_TREE
        if exit_code == 0:
            nodes: list[Node] = []
            for output in workspace.request.action.outputs:
                found = self._under(workspace, output)
                if not found:
                    return self._failed(workspace, "output-missing", f"the step did not make its output {output}")
                nodes += found
            for node in nodes:
                if isinstance(node, LinkNode) and not link_stays_inside(node.path, node.target):
                    message = f"the output {node.path} is a link that leads out of the tree, to {node.target}"
                    return self._failed(workspace, "output-unsafe-link", message)
            tree = Tree.of(nodes)
        ref, directories = tree.encode()
        self._blobs.put_many(directories.values())
        return ActionResult(exit_code=exit_code, outputs=ref, log=self._blobs.put(bytes(workspace.log)))

    def _under(self, workspace: Workspace, output: RelPath) -> list[Node]:
        nodes: list[Node] = [Directory(path) for path in workspace.folders if path.is_under(output)]
        nodes += [LinkNode(path, target) for path, target in workspace.links.items() if path.is_under(output)]
        nodes += [
            FileNode(path, self._blobs.put(data), path in workspace.executables)
            for path, data in workspace.files.items()
            if path.is_under(output)
        ]
        return nodes
