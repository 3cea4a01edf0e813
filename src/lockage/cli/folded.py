"""A step's output as a section that the log of a CI service folds.

GitHub: docs.github.com, "Workflow commands for GitHub Actions". GitLab: docs.gitlab.com, "Custom collapsible sections".
What a step prints is nobody's command: on GitHub commands are stopped around it with a word that it cannot know, on GitLab
the marks of sections are taken out.
"""

from __future__ import annotations

import re

from lockage.wiring.terminal import Log

__all__ = ["folded"]


def folded(log: Log, name: str, title: str, output: bytes, *, secret: str, began: int, ended: int) -> str:
    """The section, without its last line's end; ``secret`` is a word that the output cannot hold, times are Unix times."""
    text = output.decode(errors="backslashreplace").rstrip("\n")
    if log is Log.GITHUB:
        return f"::group::{title}\n::stop-commands::{secret}\n{text}\n::{secret}::\n::endgroup::"
    if log is Log.GITLAB:
        section = "lockage_" + re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        text = re.sub(r"\x1b\[0K|section_(?:start|end):", "", text).replace("\r", "")
        begin = f"\x1b[0Ksection_start:{int(began)}:{section}[collapsed=true]\r\x1b[0K{title}"
        return f"{begin}\n{text}\n\x1b[0Ksection_end:{int(ended)}:{section}\r\x1b[0K"
    return f"{title}\n{text}"
