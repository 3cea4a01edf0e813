"""Why a sandbox could not be made: which setting of the host forbids it, and what to do."""

from __future__ import annotations

from pathlib import Path

from lockage.ports import SandboxUnavailable

__all__ = ["explain", "forbidden", "masked", "unavailable"]

_DOCS = "(docs/sandbox.md)"
#: The way out that gives up what the sandbox is for, named last.
_WITHOUT = (
    'Where none of that can be had, `host = "unpinned"` in the recipe builds without a sandbox, which no default policy promotes '
    "(docs/hosts.md)."
)
#: What a container must be started with; the three go together, as each alone only leads to the next refusal.
_OPTIONS = "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
_POD = "hostUsers: false` for the pod and `securityContext: {procMount: Unmasked, seccompProfile: {type: Unconfined}}"
_REMEDIES = {
    "docker": f"Start the container with `docker run {_OPTIONS}` {_DOCS}.",
    "podman": f"Start the container with `podman run {_OPTIONS}` {_DOCS}.",
    "kubernetes": f"Set `{_POD}` for the container {_DOCS}.",
}
_ANY_CONTAINER = f"In a container, start it with `docker run {_OPTIONS}`, or set `{_POD}` {_DOCS}."
#: Files and folders that tell which runtime made a container, the most telling first.
_MARKS = (("kubernetes", "/run/secrets/kubernetes.io"), ("podman", "/run/.containerenv"), ("docker", "/.dockerenv"))

_PROFILE = "Install the AppArmor profile for bubblewrap that docs/sandbox.md gives, which allows it `userns`"
#: Settings that forbid unprivileged user namespaces: where, the value that forbids, and the remedy.
_SETTINGS = (
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        f"{_PROFILE}, or run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
    ("kernel.unprivileged_userns_clone", "0", "Run `sudo sysctl -w kernel.unprivileged_userns_clone=1`"),
    ("user.max_user_namespaces", "0", "Run `sudo sysctl -w user.max_user_namespaces=15000`"),
)

_NAMESPACES = ("namespace", "uid map", "gid map", "setgroups", "clone", "unshare")


def explain(words: str, read: dict[str, str]) -> tuple[str, str]:
    """A message and a hint for bubblewrap's words and what :func:`_host` read."""
    remedy = _REMEDIES.get(read.get("container", ""), _ANY_CONTAINER)
    if "max_user_namespaces" in words:
        return f"the sandbox cannot write /proc/sys/user/max_user_namespaces: {words}", remedy
    if any(word in words.lower() for word in _NAMESPACES):
        for name, value, what in _SETTINGS:
            if read.get(name) == value:
                return f"{name}={value} forbids unprivileged user namespaces: {words}", f"{what} {_DOCS}."
        if "ENOSPC" in words:
            return f"user.max_user_namespaces is exhausted or 0 here: {words}", f"{_SETTINGS[2][2]} {_DOCS}."
        if read.get("seccomp") == "2":
            return f"a seccomp filter, as container runtimes set one, forbids new user namespaces: {words}", remedy
        return f"user namespaces are not allowed here: {words}", remedy
    if "loopback" in words.lower() or "rtm_new" in words.lower():
        name = "kernel.apparmor_restrict_unprivileged_userns"
        return f"the sandbox may not set up its own network ({name}): {words}", f"{_SETTINGS[0][2]} {_DOCS}."
    if "proc" in words.lower() and ("permitted" in words or "mount" in words):
        why = f", as parts of this container's are masked ({read['masked']})" if read.get("masked") else ""
        return f"the sandbox may not mount its own /proc{why}: {words}", remedy
    return f"bubblewrap could not make the sandbox: {words}", f"Read what bubblewrap says, and allow it on this host {_DOCS}."


def forbidden(call: str) -> SandboxUnavailable:
    """The error for a system call that lockage itself needs and may not make: only a filter takes it away."""
    read = _host()
    filtered = "a seccomp filter, as container runtimes set one," if read.get("seccomp") == "2" else "this host"
    remedy = _REMEDIES.get(read.get("container", ""), _ANY_CONTAINER)
    return SandboxUnavailable(f"{filtered} forbids the system call {call}", hint=f"{remedy} {_WITHOUT}")


def unavailable(words: str) -> SandboxUnavailable:
    """The error for bubblewrap's words on this host."""
    message, hint = explain(words, _host())
    return SandboxUnavailable(message, hint=f"{hint} {_WITHOUT}", said=words)


def _host() -> dict[str, str]:
    """The kernel's settings by name, the kind of container, the seccomp mode, and what is masked in /proc; only what is known."""
    found = {}
    for name, _, _ in _SETTINGS:
        text = _text(Path("/proc/sys", *name.split(".")))
        if text:
            found[name] = text.strip()
    for kind, mark in _MARKS:
        if Path(mark).exists():
            found["container"] = kind
            break
    for line in _text(Path("/proc/self/status")).splitlines():
        if line.startswith("Seccomp:"):
            found["seccomp"] = line.split()[1]
    return {**found, "masked": masked(_text(Path("/proc/self/mountinfo")))}


def masked(mountinfo: str) -> str:
    """The mounts over parts of /proc, the first few of them: with any, the kernel lets no user namespace mount a new /proc."""
    places = [line.split()[4] for line in mountinfo.splitlines() if len(line.split()) > 4]
    over = [place for place in dict.fromkeys(places) if place.startswith("/proc/") and place != "/proc/sys/fs/binfmt_misc"]
    return ", ".join(over[:3]) + (" …" if len(over) > 3 else "")


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
