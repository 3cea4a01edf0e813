"""The fixed files that a sandbox shows in place of the host's: pure functions of the world.

Invariant: nothing here depends on the host, so that every sandbox of one world shows the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from lockage.variation.world import World

__all__ = ["LEFTOVERS", "REPOSITORY", "SETTINGS", "cpu_tree", "etc_files", "fixed_random", "proc_files"]

#: What every x86-64 (psABI level 1) and every armv8 CPU has; real features are an exception of the contract.
_FEATURES = {
    "amd64": "flags\t\t: fpu cx8 cmov mmx fxsr sse sse2 syscall lm",
    "arm64": "Features\t: fp asimd",
}
#: What stands in a home directory that somebody uses; none of it changes what a tool does for a build.
SETTINGS = {
    ".bashrc": b"alias ll='ls -l'\n",
    ".config/pip/pip.conf": b"[global]\ntimeout = 61\n",
    ".gitconfig": b"[user]\n\tname = Vera Verifier\n\temail = vera@example.invalid\n",
    ".profile": b"umask 022\n",
}
#: What others leave in a folder for temporary files.
LEFTOVERS = {"build.log": b"done\n", "tmp.k3Zb/part": b"0\n", "yesterday.lock": b""}
#: A git repository without a commit (gitrepository-layout(5)); what ends with a slash is a folder.
REPOSITORY = {
    ".git/HEAD": b"ref: refs/heads/main\n",
    ".git/config": b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n",
    ".git/objects/": b"",
    ".git/refs/heads/": b"",
}
_LOOKUPS = ("passwd", "group", "shadow", "hosts", "networks", "protocols", "services")


def etc_files(world: World) -> dict[str, bytes]:
    """Files of /etc that say who and where the step is, by path; the root's compilers read what maps its folders away."""
    passwd = (
        "root:x:0:0:root:/root:/bin/sh\n"
        f"{world.user}:x:{world.uid}:{world.gid}:{world.full_name}:{world.home}:{world.login_shell}\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    texts = {
        "/etc/compiler-options": f"-ffile-prefix-map={world.build_path}=.\n-ffile-prefix-map={world.temporary}={CONTRACT.temporary}\n",
        "/etc/group": f"root:x:0:\n{world.group}:x:{world.gid}:\nnogroup:x:65534:\n",
        "/etc/hostname": f"{world.hostname}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {world.hostname}\n",
        "/etc/machine-id": f"{world.machine_id}\n",
        "/etc/nsswitch.conf": "".join(f"{kind}: files\n" for kind in _LOOKUPS),
        "/etc/passwd": passwd,
        "/etc/resolv.conf": "",
    }
    return {path: text.encode() for path, text in texts.items()}


def proc_files(world: World, cpus: int, architecture: str) -> dict[str, bytes]:
    """Files of /proc that would tell about the machine and are cheap to replace, by path."""
    feature = _FEATURES.get(architecture, _FEATURES["amd64"])
    cpuinfo = "".join(f"processor\t: {number}\nmodel name\t: {world.cpu_model}\n{feature}\n\n" for number in range(cpus))
    memory = world.memory << 10
    meminfo = "".join(
        f"{name + ':':<16}{value:>8} kB\n"
        for name, value in (
            ("MemTotal", memory),
            ("MemFree", memory // 2),
            ("MemAvailable", memory // 2),
            ("Buffers", 0),
            ("Cached", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
        )
    )
    return {
        "/proc/cpuinfo": cpuinfo.encode(),
        "/proc/meminfo": meminfo.encode(),
        "/proc/sys/kernel/random/boot_id": f"{world.boot_id}\n".encode(),
    }


def cpu_tree(cpus: int) -> dict[str, bytes]:
    """The whole of /sys: the CPUs that the step declared, where the C library and others count them. Paths below /sys."""
    span = "0" if cpus == 1 else f"0-{cpus - 1}"
    base = "devices/system/cpu"
    files = {f"{base}/{name}": f"{span}\n".encode() for name in ("online", "possible", "present")}
    files[f"{base}/kernel_max"] = f"{cpus - 1}\n".encode()
    for number in range(cpus):
        topology = f"{base}/cpu{number}/topology"
        files[f"{topology}/core_id"] = f"{number}\n".encode()
        files[f"{topology}/physical_package_id"] = b"0\n"
        files[f"{topology}/thread_siblings_list"] = f"{number}\n".encode()
    return files


def fixed_random() -> bytes:
    """The 1 MiB that the devices give in the mode fixed-random: sha256 of a counter. Anybody can know it."""
    return bytes.fromhex("".join(Digest.of(f"fixed-random {number}".encode()) for number in range(1 << 15)))
