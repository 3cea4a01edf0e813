"""Why a container's sandbox cannot be made: what is in the way is named, with the options of the runtime that made it."""

import pytest

from lockage.adapters.sandbox_bwrap.diagnose import explain, masked

#: As bubblewrap 0.11 says it in a container of Docker's, with its default profile and with seccomp=unconfined only.
NO_NAMESPACE = (
    "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user namespaces. "
    "See <https://deb.li/bubblewrap> or <file:///usr/share/doc/bubblewrap/README.Debian.gz>."
)
NO_PROC = "bwrap: Can't mount proc on /newroot/proc: Operation not permitted"
READ_ONLY = "bwrap: cannot open /proc/sys/user/max_user_namespaces: Read-only file system"
#: Of a container of Docker's (mount ids shortened).
MOUNTS = """\
1003 1002 0:98 / / rw,relatime master:500 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
1004 1003 0:101 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1005 1003 0:102 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
800 1004 0:101 /bus /proc/bus ro,nosuid,nodev,noexec,relatime - proc proc rw
801 1004 0:101 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
802 1004 0:103 / /proc/acpi ro,relatime - tmpfs tmpfs ro
803 1004 0:102 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
"""


@pytest.mark.parametrize(
    ("words", "read", "named"),
    [
        (NO_NAMESPACE, {"seccomp": "2"}, "a seccomp filter, as container runtimes set one, forbids new user namespaces"),
        (NO_NAMESPACE, {"seccomp": "0"}, "user namespaces are not allowed here"),
        (NO_PROC, {"masked": "/proc/bus, /proc/sys"}, "as parts of this container's are masked (/proc/bus, /proc/sys)"),
        (NO_PROC, {"masked": ""}, "the sandbox may not mount its own /proc:"),
        (READ_ONLY, {}, "cannot write /proc/sys/user/max_user_namespaces"),
    ],
)
@pytest.mark.parametrize(
    ("container", "remedy"),
    [
        (
            "docker",
            "`docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`",
        ),
        ("podman", "`podman run --security-opt"),
        ("kubernetes", "procMount: Unmasked, seccompProfile: {type: Unconfined}"),
        ("", "docker run"),
    ],
)
def test_a_container_is_told_its_own_options(words: str, read: dict[str, str], named: str, container: str, remedy: str) -> None:
    message, hint = explain(words, {**read, **({"container": container} if container else {})})
    assert named in message
    assert words in message
    assert remedy in hint
    assert hint.endswith("(docs/sandbox.md).")


def test_a_setting_of_the_kernel_is_named_even_in_a_container() -> None:
    message, hint = explain(NO_NAMESPACE, {"seccomp": "2", "container": "docker", "kernel.unprivileged_userns_clone": "0"})
    assert "kernel.unprivileged_userns_clone=0" in message
    assert "sysctl" in hint


def test_ubuntus_limit_names_the_profile() -> None:
    for words in ("bwrap: setting up uid map: Permission denied", "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted"):
        message, hint = explain(words, {"kernel.apparmor_restrict_unprivileged_userns": "1"})
        assert "kernel.apparmor_restrict_unprivileged_userns" in message
        assert "Install the AppArmor profile for bubblewrap that docs/sandbox.md gives" in hint


def test_what_is_masked_is_read_from_the_mounts() -> None:
    assert masked(MOUNTS) == "/proc/bus, /proc/sys, /proc/acpi …"
    assert masked(MOUNTS[: MOUNTS.index("800")]) == ""
    assert masked("1 2 0:1 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n") == ""
