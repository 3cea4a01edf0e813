"""What becomes of a step that has ended: its log and outputs kept, or why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.tree import EMPTY_TREE
from lockage.ports import ExecutionFailed
from lockage.record.result import ActionResult, Usage
from lockage.running.harvest import Unharvestable, harvest

if TYPE_CHECKING:
    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs, ExecutionRequest
    from lockage.running.log import Log
    from lockage.running.watch import Watch

__all__ = ["failed", "finished", "keep_failed"]


def keep_failed(request: ExecutionRequest, watch: Watch, workspace: int) -> None:
    """Keep what a failed step left, if that was asked for; one that was cancelled has not failed."""
    if request.keep is not None and watch.reason != "cancelled":
        from lockage.running.keep import keep_workspace  # only on the way to an error

        keep_workspace(workspace, request.keep)


def failed(blobs: Blobs, watch: Watch, log: Log, usage: Usage | None = None) -> ExecutionFailed:
    """What is returned of a step that the watch ended."""
    assert watch.reason is not None
    usage = Usage() if usage is None else usage
    return ExecutionFailed(reason=watch.reason, message=watch.message, log=log.keep(blobs), exceeded=watch.exceeded, usage=usage)


def finished(
    blobs: Blobs, request: ExecutionRequest, watch: Watch, log: Log, workspace: int, exit_code: int, usage: Usage
) -> ActionResult | ExecutionFailed:
    """What is returned of a step that came to its own end, its outputs kept if it went well."""
    if exit_code != 0:
        keep_failed(request, watch, workspace)
    try:
        outputs = _outputs(blobs, request, workspace, exit_code)
    except Unharvestable as error:
        watch.end(error.reason, error.message, error.exceeded)
        keep_failed(request, watch, workspace)
        return failed(blobs, watch, log, usage)
    return ActionResult(exit_code=exit_code, outputs=outputs, log=log.keep(blobs), usage=usage)


def _outputs(blobs: Blobs, request: ExecutionRequest, workspace: int, exit_code: int) -> BlobRef:
    if exit_code == 0:
        return harvest(workspace, request.action.outputs, blobs, limit=request.resources.disk)
    ref, directories = EMPTY_TREE.encode()
    blobs.put_soon(directories.values())
    return ref
