"""Why a sandbox could not be made: which setting of the host forbids it, and what to do."""

from __future__ import annotations

from pathlib import Path

from lockage.ports import SandboxUnavailable

__all__ = ["explain", "unavailable"]

_DOCS = "(docs/sandbox.md)"
_CONTAINER = "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"

#: Settings that forbid unprivileged user namespaces: where, the value that forbids, and the remedy.
_SETTINGS = (
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        "Let an AppArmor profile allow bubblewrap `userns`, or run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
    ("kernel.unprivileged_userns_clone", "0", "Run `sudo sysctl -w kernel.unprivileged_userns_clone=1`"),
    ("user.max_user_namespaces", "0", "Run `sudo sysctl -w user.max_user_namespaces=15000`"),
)

_NAMESPACES = ("namespace", "uid map", "gid map", "setgroups", "clone", "unshare")


def explain(words: str, read: dict[str, str]) -> tuple[str, str]:
    """A message and a hint for bubblewrap's words and the kernel settings' values by name."""
    if "max_user_namespaces" in words:
        return (
            f"the sandbox cannot write /proc/sys/user/max_user_namespaces: {words}",
            f"Run the container with an unmasked /proc (docker: --security-opt systempaths=unconfined) {_DOCS}.",
        )
    if any(word in words.lower() for word in _NAMESPACES):
        for name, value, remedy in _SETTINGS:
            if read.get(name) == value:
                return f"{name}={value} forbids unprivileged user namespaces: {words}", f"{remedy} {_DOCS}."
        if "ENOSPC" in words:
            return f"user.max_user_namespaces is exhausted or 0 here: {words}", f"{_SETTINGS[2][2]} {_DOCS}."
        return (
            f"user namespaces are not allowed here: {words}",
            f"In a container, allow them with its options (docker: {_CONTAINER}) {_DOCS}.",
        )
    if "loopback" in words.lower() or "rtm_new" in words.lower():
        name = "kernel.apparmor_restrict_unprivileged_userns"
        return f"the sandbox may not set up its own network ({name}): {words}", f"{_SETTINGS[0][2]} {_DOCS}."
    if "proc" in words.lower() and ("permitted" in words or "mount" in words):
        return (
            f"the sandbox may not mount its own /proc: {words}",
            f"Run the container with an unmasked /proc (docker: --security-opt systempaths=unconfined) {_DOCS}.",
        )
    return f"bubblewrap could not make the sandbox: {words}", f"Read what bubblewrap says, and allow it on this host {_DOCS}."


def unavailable(words: str) -> SandboxUnavailable:
    """The error for bubblewrap's words on this host."""
    message, hint = explain(words, _settings())
    return SandboxUnavailable(message, hint=hint, said=words)


def _settings() -> dict[str, str]:
    found = {}
    for name, _, _ in _SETTINGS:
        try:
            found[name] = Path("/proc/sys", *name.split(".")).read_text().strip()
        except OSError:
            continue
    return found
