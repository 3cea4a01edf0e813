"""The fixed files that a sandbox shows in place of the host's: pure functions of the world.

Invariant: nothing here depends on the host, so that every sandbox of one world shows the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from lockage.variation.world import World

__all__ = ["cpu_tree", "etc_files", "proc_files"]

_MACHINE_ID = "6c6f636b616765000000000000000001"
_BOOT_ID = "6c6f636b-6167-4500-8000-000000000001"
#: What every x86-64 (psABI level 1) and every armv8 CPU has; real features are an exception of the contract.
_FEATURES = {
    "amd64": "flags\t\t: fpu cx8 cmov mmx fxsr sse sse2 syscall lm",
    "arm64": "Features\t: fp asimd",
}
_MEMORY_KIB = 8 << 20
_LOOKUPS = ("passwd", "group", "shadow", "hosts", "networks", "protocols", "services")


def etc_files(world: World) -> dict[str, bytes]:
    """Files of /etc that say who and where the step is, by path; the root's compilers read what maps its folders away."""
    passwd = (
        "root:x:0:0:root:/root:/bin/sh\n"
        f"{world.user}:x:{world.uid}:{world.gid}:{world.user}:{world.home}:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    texts = {
        "/etc/compiler-options": f"-ffile-prefix-map={world.build_path}=.\n-ffile-prefix-map={world.temporary}={CONTRACT.temporary}\n",
        "/etc/group": f"root:x:0:\n{world.user}:x:{world.gid}:\nnogroup:x:65534:\n",
        "/etc/hostname": f"{world.hostname}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {world.hostname}\n",
        "/etc/machine-id": f"{_MACHINE_ID}\n",
        "/etc/nsswitch.conf": "".join(f"{kind}: files\n" for kind in _LOOKUPS),
        "/etc/passwd": passwd,
        "/etc/resolv.conf": "",
    }
    return {path: text.encode() for path, text in texts.items()}


def proc_files(cpus: int, architecture: str) -> dict[str, bytes]:
    """Files of /proc that would tell about the machine and are cheap to replace, by path."""
    feature = _FEATURES.get(architecture, _FEATURES["amd64"])
    cpuinfo = "".join(f"processor\t: {number}\nmodel name\t: lockage\n{feature}\n\n" for number in range(cpus))
    meminfo = "".join(
        f"{name + ':':<16}{value:>8} kB\n"
        for name, value in (
            ("MemTotal", _MEMORY_KIB),
            ("MemFree", _MEMORY_KIB // 2),
            ("MemAvailable", _MEMORY_KIB // 2),
            ("Buffers", 0),
            ("Cached", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
        )
    )
    return {
        "/proc/cpuinfo": cpuinfo.encode(),
        "/proc/meminfo": meminfo.encode(),
        "/proc/sys/kernel/random/boot_id": f"{_BOOT_ID}\n".encode(),
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
