"""Hosts in a lock: nothing of them is pinned, and using a lock does not change its bytes."""

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.environment.base import HostBase, OsBase
from lockage.environment.lock import HOST_METADATA, UNPINNED, InvalidLock, Lock, LockedEnvironment, RootRef
from lockage.plan.action import Action, read_action

HOST = LockedEnvironment(declaration=Digest.of(b"d"), host=HostBase(path=("/opt/a",)), architecture="amd64")
SUITE = LockedEnvironment(
    declaration=Digest.of(b"s"),
    os=OsBase(distribution="debian", suite="bookworm"),
    architecture="amd64",
    release_date="2026-07-11T10:16:37Z",
    release_sha256=Digest.of(b"r"),
    root=RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b"")),
    packages=(),
)
MACHINE = RootRef(tree=BlobRef.of(b"a fingerprint"), metadata=HOST_METADATA)
LOCK = Lock.of({"build": HOST, "test": SUITE})


def test_a_host_has_its_base_and_nothing_else() -> None:
    written = msgspec.json.decode(LOCK.encode())["environments"]["build"]
    assert written == {"declaration": Digest.of(b"d"), "host": {"path": ["/opt/a"]}, "architecture": "amd64"}
    assert Lock.decode(LOCK.encode()).environments == LOCK.environments


def test_a_lock_that_is_used_on_a_machine_keeps_its_bytes() -> None:
    used = LOCK.bound({HostBase(path=("/opt/a",)): MACHINE}, "amd64")
    assert used.environments["build"].root == MACHINE
    assert used.environments["test"] == SUITE
    assert (used.encode(), used.digest) == (LOCK.encode(), LOCK.digest)


def test_the_view_of_one_platform_and_the_whole_are_both_known() -> None:
    used = Lock.decode(LOCK.encode()).on("amd64").bound({HostBase(path=("/opt/a",)): MACHINE}, "amd64")
    assert used.platform == "amd64"
    assert used.environments["build"].root == used.complete.environments["build"].root == MACHINE
    assert used.digest == LOCK.digest


@pytest.mark.parametrize("other", ["arm64", "amd64"])
def test_a_host_of_another_platform_or_path_stays_unknown(other: str) -> None:
    path = ("/opt/a",) if other == "arm64" else ("/opt/b",)
    used = LOCK.bound({HostBase(path=path): MACHINE}, "arm64" if other == "arm64" else "amd64")
    assert used.environments["build"].root == UNPINNED


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"root": {"tree": {"sha256": "0" * 64, "size": 1}, "metadata": "0" * 64}}, "has a root, and is a host"),
        ({"os": {"distribution": "debian", "suite": "bookworm"}}, "more than one of os, image and host"),
        ({"host": None}, "none of os, image and host"),
    ],
)
def test_a_lock_that_says_more_of_a_host_is_refused(change: dict[str, object], what: str) -> None:
    document = msgspec.json.decode(LOCK.encode())
    document["environments"]["build"] |= change
    document["environments"]["build"] = {key: value for key, value in document["environments"]["build"].items() if value is not None}
    with pytest.raises(InvalidLock, match=what):
        Lock.decode(msgspec.json.encode(document))


def test_an_action_on_a_host_is_read_as_it_was_written_and_is_none_of_a_root() -> None:
    action = Action(arguments=("make",), variables=(), outputs=(), workspace=BlobRef.of(b""), root=MACHINE, cpus=1, architecture="amd64")
    encoded = action.encode()
    kept = dict(encoded.messages)
    assert read_action(encoded.ref, kept.__getitem__) == action
    other = msgspec.structs.replace(action, root=RootRef(tree=MACHINE.tree, metadata=Digest.of(b"a root's")))
    assert other.encode().ref != encoded.ref
    assert b"chrootRootDigest" not in encoded.command
