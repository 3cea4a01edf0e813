"""A recording out of what is kept of it, whatever its form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.tree import FileNode, LinkNode, read_tree
from lockage.recipe.service import Form
from lockage.replay.model import InvalidRecording, Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.base.digest import BlobRef

__all__ = ["private_headers", "read_recording"]

#: What says who somebody is, and does not belong into a repository.
_PRIVATE = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"})


def read_recording(form: Form, content: BlobRef, get: Callable[[BlobRef], bytes], *, file: str, hosts: tuple[str, ...]) -> Recording:
    """The recording in ``content``: a HAR file, or the tree of a folder; ``file`` is what errors call it.

    With ``hosts`` a HAR file is read for what was asked of these. Raises :class:`InvalidRecording`.
    """
    if form is Form.HAR:
        from lockage.replay.har import read_har

        found = read_har(get(content), file, hosts)
    else:
        from lockage.replay.folder import read_folder

        nodes = tuple(read_tree(content, get))
        for node in nodes:
            if isinstance(node, LinkNode):
                raise InvalidRecording(f"{file}/{node.path}: a symbolic link; responses are files", file=f"{file}/{node.path}")
        found = read_folder({node.path: get(node.blob) for node in nodes if isinstance(node, FileNode)}, file)
    if not found.exchanges:
        of = f" of {', '.join(hosts)}" if hosts and form is Form.HAR else ""
        raise InvalidRecording(f"{file}: no response{of} is recorded in it", file=file)
    return found


def private_headers(recording: Recording) -> tuple[str, ...]:
    """The headers of requests and responses that say who somebody is."""
    names = {name for one in recording.exchanges for name, _ in one.request.headers}
    names |= {name.lower() for one in recording.exchanges for name, _ in one.response.headers}
    return tuple(sorted(names & _PRIVATE))
