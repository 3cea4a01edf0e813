"""The parts of the sandbox that need no sandbox: the layout of ``/``, variables, fixed files, orders, diagnoses, outputs."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.sandbox_bwrap.arguments import READY, READY_FD, arguments, places
from lockage.adapters.sandbox_bwrap.contents import cpu_tree, etc_files
from lockage.adapters.sandbox_bwrap.diagnose import explain
from lockage.adapters.sandbox_bwrap.fixtures import Fixtures
from lockage.adapters.sandbox_bwrap.instruments import clock_library, locale_sources, without_sleeping
from lockage.adapters.sandbox_bwrap.layout import arrange
from lockage.adapters.sandbox_bwrap.sandbox import Sandbox
from lockage.adapters.sandbox_bwrap.support import in_root, lacking, other_shell
from lockage.adapters.sandbox_bwrap.variables import variables
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath, link_stays_inside
from lockage.base.tree import EMPTY_TREE, Directory, FileNode, LinkNode, Tree, read_tree
from lockage.environment.lock import RootRef
from lockage.environment.root.rules import FILES
from lockage.plan.action import Action
from lockage.ports import RealisedRoot
from lockage.running.harvest import Unharvestable, harvest
from lockage.running.workspace import ordered, populate, scatter
from lockage.variation import CONTRACT, vary

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / "root"
    for folder in ("usr/bin", "usr/local", "etc/opt", "var/lib/dpkg", "var/log/x", "srv", "proc", "sys", "dev", "build", "tmp", "home"):
        (base / folder).mkdir(parents=True)
    (base / "usr/bin/true").touch()
    (base / "var/lib/dpkg/status").touch()
    (base / "bin").symlink_to("usr/bin")
    for path, content in etc_files(CONTRACT).items():
        (base / path.lstrip("/")).write_bytes(content)
    return base


def fixed(tmp_path: Path, **changes: str) -> dict[str, Path]:
    fixtures = Fixtures(tmp_path / "fixed")
    return {path: fixtures.file(content) for path, content in etc_files(msgspec.structs.replace(CONTRACT, **changes)).items()}


def test_the_contract_binds_the_root_as_it_is(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root),), fixed(tmp_path), ["/build", "/tmp", "/home/builder"])
    assert (layout.whole, layout.covered) == (str(root), ("home",))
    assert (layout.folders, layout.links, layout.binds) == ((), (), ())
    assert layout.arguments() == ["--ro-bind", str(root), "/", "--size", "1048576", "--perms", "0755", "--tmpfs", "/home"]
    assert layout.made == (("home", 0o755),)


def test_a_root_without_the_mount_points_is_bound_folder_by_folder(root: Path, tmp_path: Path) -> None:
    (root / "build").rmdir()
    layout = arrange((("", root),), fixed(tmp_path), ["/build", "/tmp", "/home/builder"])
    assert layout.whole is None
    assert [path for _, path in layout.binds] == ["etc", "usr", "var"]
    assert layout.links == (("bin", "usr/bin"),)
    assert [path for path, _ in layout.folders] == ["home", "srv"]


def test_a_mount_point_deep_in_an_empty_folder_covers_it(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root),), fixed(tmp_path), ["/build", "/srv/homes/verifier"])
    assert layout.covered == ("srv",)
    assert layout.folders == (("srv/homes", 0o755),)


def test_a_build_path_inside_the_root_takes_its_folder_apart(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root),), fixed(tmp_path), ["/var/tmp/deep/build", "/tmp", "/home/builder"])
    assert [path for _, path in layout.binds] == ["etc", "usr", "var/lib", "var/log"]
    assert {"var", "var/tmp", "var/tmp/deep"} <= {path for path, _ in layout.folders}


def test_changed_identity_binds_only_the_files_that_change(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root),), fixed(tmp_path, hostname="other"), ["/build"])
    assert [path for _, path in layout.binds] == ["etc/hostname", "etc/hosts"]


def test_further_layers_come_after_the_base(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root), ("usr/local", tmp_path / "python")), fixed(tmp_path), ["/build"])
    assert layout.binds[-1] == (str(tmp_path / "python"), "usr/local")


def test_the_realised_root_has_the_contracts_own_files() -> None:
    for path, content in etc_files(CONTRACT).items():
        assert FILES[path.lstrip("/")].encode() == content


def test_every_cpu_is_counted_in_the_same_way() -> None:
    files = cpu_tree(3)
    assert files["devices/system/cpu/online"] == b"0-2\n"
    assert {path.split("/")[3] for path in files if "topology" in path} == {"cpu0", "cpu1", "cpu2"}
    assert cpu_tree(1)["devices/system/cpu/possible"] == b"0\n"


def test_the_workspace_comes_first_among_the_writable_places() -> None:
    found = places(msgspec.structs.replace(CONTRACT, temporary="/scratch"), 1 << 20)
    assert [(place.path, oct(place.mode)) for place in found] == [
        ("/build", "0o755"),
        ("/home/builder", "0o755"),
        ("/tmp", "0o1777"),
        ("/scratch", "0o1777"),
    ]


def test_arguments_put_the_size_before_its_tmpfs_and_name_user_namespaces(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root),), fixed(tmp_path), ["/build"])
    found = arguments(world=CONTRACT, layout=layout, writable=places(CONTRACT, 1 << 20), over=(), variables=()).decode().split("\0")
    at = found.index("/build", found.index("--proc"))
    assert found[at - 5 : at] == ["--size", "1048576", "--perms", "0755", "--tmpfs"]
    assert "--unshare-user" in found
    assert "--disable-userns" in found


def _action(**given: str) -> Action:
    ref = RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b""))
    return Action(
        arguments=("true",), variables=tuple(given.items()), outputs=(), workspace=EMPTY_TREE.ref, root=ref, cpus=1, architecture="amd64"
    )


def test_that_the_mounts_are_made_is_told_after_the_last_of_them(root: Path, tmp_path: Path) -> None:
    layout = arrange([("", root)], {}, [place.path for place in places(CONTRACT, 1 << 20)])
    found = arguments(world=CONTRACT, layout=layout, writable=places(CONTRACT, 1 << 20), over=(), variables=()).decode().split("\0")
    last = max(place.path for place in places(CONTRACT, 1 << 20))
    told = found.index("--file")
    assert found[told + 1 : told + 3] == [str(READY_FD), f"{last}/{READY}"]
    mounts = [place for place, word in enumerate(found) if word in ("--tmpfs", "--bind", "--ro-bind", "--proc", "--dev", "--remount-ro")]
    assert max(mounts) < told


def test_the_contract_changes_no_variable(tmp_path: Path) -> None:
    assert variables(_action(A="1", HOME="/x"), CONTRACT, root=tmp_path, clock=False, locale=False) == (("A", "1"), ("HOME", "/x"))


def test_variables_that_nobody_asked_for_give_way_to_those_of_the_step(tmp_path: Path) -> None:
    world = msgspec.structs.replace(CONTRACT, ci=(("CI", "true"), ("A", "2")), perl_seed="7", search_path=("/x", "/y"))

    def found(**given: str) -> dict[str, str]:
        return dict(variables(_action(**given), world, root=tmp_path, clock=False, locale=False))

    assert found(A="1", PATH="/usr/bin", PERL_HASH_SEED="0") == {"CI": "true", "A": "1", "PATH": "/x:/usr/bin:/y", "PERL_HASH_SEED": "7"}
    assert found(PERL_HASH_SEED="3", PATH="")["PERL_HASH_SEED"] == "3", "a recipe's own"
    assert "PERL_HASH_SEED" not in found(PATH="")


def test_the_order_of_variables_can_be_the_other_way_round(tmp_path: Path) -> None:
    world = msgspec.structs.replace(CONTRACT, variable_order="reversed")
    assert variables(_action(A="1", B="2"), world, root=tmp_path, clock=False, locale=False) == (("B", "2"), ("A", "1"))


def test_a_workspace_on_disk_is_bound_and_the_others_are_in_memory(root: Path, tmp_path: Path) -> None:
    layout = arrange((("", root),), fixed(tmp_path), ["/build"])
    writable = places(msgspec.structs.replace(CONTRACT, room=2), 1 << 20, "/disk/x")
    found = arguments(world=CONTRACT, layout=layout, writable=writable, over=(), variables=()).decode().split("\0")
    assert found[found.index("--bind") :][:3] == ["--bind", "/disk/x", "/build"]
    assert {place.size for place in writable} == {2 << 20}


def test_the_shell_is_another_where_the_root_has_two(root: Path) -> None:
    realised = RealisedRoot(ref=RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"")), layers=(("", root),))
    assert other_shell(realised) is None
    (root / "usr/bin/sh").symlink_to("dash")
    (root / "usr/bin/dash").touch()
    assert other_shell(realised) is None
    (root / "usr/bin/bash").touch()
    assert other_shell(realised) == (root / "usr/bin/bash", "/usr/bin/dash")


def test_what_lies_in_a_root_is_looked_for_in_its_deepest_layer(root: Path, tmp_path: Path) -> None:
    layer = tmp_path / "python"
    layer.mkdir()
    realised = RealisedRoot(ref=RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"")), layers=(("", root), ("usr/local", layer)))
    (layer / "here").touch()
    assert in_root(realised, "usr/local/here") == layer / "here"
    assert in_root(realised, "usr/bin/true") == root / "usr/bin/true"
    assert in_root(realised, "usr/bin/false") is None


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        ("clock", "libfaketime"),
        ("locale", "tr_TR"),
        ("locale=et_EE", "et_EE"),
        ("shell", "one shell"),
        ("second-run", "no shell"),
        ("cpu-count", "2 CPUs"),
        ("cpu-affinity", "one CPU"),
    ],
)
def test_what_is_lacking_is_told(root: Path, tmp_path: Path, choice: str, why: str) -> None:
    realised = RealisedRoot(ref=RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"")), layers=(("", root),))
    (said,) = lacking(vary([choice]), None, realised, tmp_path, host_cpus=(0,)).values()
    assert why in said


def test_the_contract_lacks_nothing(root: Path, tmp_path: Path) -> None:
    realised = RealisedRoot(ref=RootRef(tree=EMPTY_TREE.ref, metadata=Digest.of(b"")), layers=(("", root),))
    assert lacking(CONTRACT, None, realised, tmp_path) == {}
    assert lacking(vary(["locale=C", "umask"]), None, realised, tmp_path) == {}


def test_a_world_changes_the_variables_of_its_axes_only(tmp_path: Path) -> None:
    world = msgspec.structs.replace(CONTRACT, user="verifier", timezone="Asia/Kathmandu", clock_offset=-60, noise=(("A", "2"), ("B", "3")))
    found = dict(variables(_action(A="1"), world, root=tmp_path, clock=True, locale=False))
    assert found.pop("LD_PRELOAD").startswith("/run/instruments/")
    assert found == {
        "A": "1",
        "B": "3",
        "USER": "verifier",
        "LOGNAME": "verifier",
        "TZ": "<+0545>-5:45",
        "FAKETIME": "-60",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    (tmp_path / "usr/share/zoneinfo/Asia").mkdir(parents=True)
    (tmp_path / "usr/share/zoneinfo/Asia/Kathmandu").touch()
    assert dict(variables(_action(), world, root=tmp_path, clock=False, locale=False))["TZ"] == "Asia/Kathmandu"


def test_instruments_are_found_where_their_packages_put_them(tmp_path: Path) -> None:
    assert clock_library(None) is clock_library(tmp_path) is locale_sources("tr_TR.UTF-8", tmp_path) is None
    for path in (
        "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "usr/share/i18n/locales/tr_TR",
        "usr/share/i18n/charmaps/UTF-8.gz",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert clock_library(tmp_path) == tmp_path / "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    assert locale_sources("tr_TR.UTF-8", tmp_path) == tmp_path / "usr/share/i18n"


def test_a_damaged_fixed_file_is_made_anew(tmp_path: Path) -> None:
    made = Fixtures(tmp_path).file(b"fixed")
    made.chmod(0o644)
    made.write_bytes(b"torn")
    assert Fixtures(tmp_path).file(b"fixed").read_bytes() == b"fixed"
    assert [entry.name for entry in tmp_path.iterdir()] == [made.parent.name]
    assert made.stat().st_mtime == 315532800


def _entries(*names: str) -> Iterator[tuple[str, LinkNode]]:
    return ((name, LinkNode(RelPath(name), "x")) for name in names)


def test_orders_of_files() -> None:
    assert [name for name, _ in ordered(_entries("b", "Z", "a"), "sorted", "")] == ["Z", "a", "b"]
    assert [name for name, _ in ordered(_entries("b", "Z", "a"), "reversed", "")] == ["b", "a", "Z"]
    names = [str(number) for number in range(20)]
    one, two = ([name for name, _ in ordered(_entries(*names), f"shuffled:{seed}", "")] for seed in (1, 2))
    assert sorted(one) == sorted(two) == sorted(names)
    assert one != two
    with pytest.raises(ValueError, match="not an order"):
        ordered(_entries("a"), "random", "")


REFUSED = "bwrap: Creating new namespace failed:"


@pytest.mark.parametrize(
    ("words", "settings", "named", "remedy"),
    [
        (f"{REFUSED} No permissions", {"kernel.unprivileged_userns_clone": "0"}, "unprivileged_userns_clone=0", "sysctl"),
        (f"{REFUSED} (ENOSPC)", {"user.max_user_namespaces": "0"}, "user.max_user_namespaces=0", "sysctl"),
        (f"{REFUSED} (ENOSPC)", {"user.max_user_namespaces": "9"}, "user.max_user_namespaces is exhausted", "sysctl"),
        ("setting up uid map: Permission denied", {"kernel.apparmor_restrict_unprivileged_userns": "1"}, "apparmor_restrict", "AppArmor"),
        ("loopback: Failed RTM_NEWADDR: Operation not permitted", {}, "apparmor_restrict", "AppArmor"),
        ("Can't mount proc on /newroot/proc: Operation not permitted", {}, "/proc", "systempaths"),
        ("cannot open /proc/sys/user/max_user_namespaces: Read-only file system", {}, "max_user_namespaces", "systempaths"),
        (f"{REFUSED} No permissions", {}, "not allowed here", "seccomp"),
    ],
)
def test_what_forbids_the_sandbox_is_named_with_its_remedy(words: str, settings: dict[str, str], named: str, remedy: str) -> None:
    message, hint = explain(words, settings)
    assert named in message
    assert remedy in hint
    assert words in message
    assert hint.endswith("(docs/sandbox.md).")


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("l", "a", True),
        ("l", "./a//b", True),
        ("d/l", "../a", True),
        ("d/l", "../../a", False),
        ("l", "..", False),
        ("l", "/etc", False),
        ("d/l", "x/../y", False),
        ("l", "", False),
    ],
)
def test_links_that_stay_inside(path: str, target: str, inside: bool) -> None:
    assert link_stays_inside(RelPath(path), target) is inside


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    place = tmp_path / "workspace"
    place.mkdir()
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    yield place, descriptor
    os.close(descriptor)


def test_what_is_filled_in_is_harvested_again(folder: tuple[Path, int]) -> None:
    place, descriptor = folder
    blobs = MemoryBlobs()
    big = blobs.put(b"x" * (5 << 20))
    tree = Tree.of(
        [
            FileNode(RelPath("out/a/run"), blobs.put(b"#!"), executable=True),
            FileNode(RelPath("out/big"), big),
            LinkNode(RelPath("out/l"), "a/run"),
            Directory(RelPath("out/empty")),
        ]
    )
    ref, directories = tree.encode()
    blobs.put_many(directories.values())
    populate(descriptor, ref, blobs, order="sorted", time=315532800)
    assert {path.lstat().st_mtime for path in (place, *place.rglob("*"))} == {315532800}
    assert oct((place / "out/a/run").stat().st_mode & 0o7777) == "0o755"
    assert oct((place / "out/big").stat().st_mode & 0o7777) == "0o644"
    found = harvest(descriptor, [RelPath("out")], blobs, limit=6 << 20)
    assert read_tree(found, blobs.get) == tree
    with pytest.raises(Unharvestable, match="disk limit"):
        harvest(descriptor, [RelPath("out")], blobs, limit=5 << 20)
    assert isinstance(found, BlobRef)


@pytest.mark.parametrize(
    ("modes", "found"), [("plain", (0o644, 0o755, 0o755)), ("shared", (0o664, 0o775, 0o2775)), ("private", (0o600, 0o700, 0o700))]
)
@pytest.mark.parametrize("epoch", [315532800, 1_700_000_000])
def test_times_and_modes_of_the_source_can_be_others(folder: tuple[Path, int], modes: str, found: tuple[int, int, int], epoch: int) -> None:
    place, descriptor = folder
    blobs = MemoryBlobs()
    files = [FileNode(RelPath(f"d/{name}"), blobs.put(b""), executable=name == "run") for name in ("a", "b", "run")]
    ref, directories = Tree.of(files).encode()
    blobs.put_many(directories.values())
    populate(descriptor, ref, blobs, order="sorted", time=epoch, times="spread", modes=modes)
    assert tuple((place / path).stat().st_mode & 0o7777 for path in ("d/a", "d/run", "d")) == found
    times = {path.stat().st_mtime for path in place.rglob("*")}
    assert len(times) == 4
    assert all(time >= 315532800 and abs(time - epoch) <= 200 * 86400 for time in times), "a zip file can hold them"


def test_all_times_of_the_source_can_be_earlier(folder: tuple[Path, int]) -> None:
    place, descriptor = folder
    blobs = MemoryBlobs()
    ref, directories = Tree.of([FileNode(RelPath("d/a"), blobs.put(b""))]).encode()
    blobs.put_many(directories.values())
    populate(descriptor, ref, blobs, order="sorted", time=1_700_000_000, times="earlier")
    assert {path.stat().st_mtime for path in (place, *place.rglob("*"))} == {1_700_000_000 - 100 * 86400}


def test_what_is_scattered_has_one_time_and_leaves_what_is_there(folder: tuple[Path, int]) -> None:
    place, descriptor = folder
    (place / "kept").write_bytes(b"own")
    scatter(descriptor, {"kept": b"other", "a/b/c": b"new", "a/d/": b""}, time=1_000_000_000)
    assert (place / "kept").read_bytes() == b"own"
    assert (place / "a/b/c").read_bytes() == b"new"
    assert (place / "a/d").is_dir()
    assert {path.stat().st_mtime for path in place.glob("a/**/*")} == {1_000_000_000}


def _library(*names: bytes) -> bytes:
    """An ELF file of a header, a loaded table of names, another one that is not loaded, and their section headers."""
    strings = b"\0" + b"".join(name + b"\0" for name in names)
    header = b"\x7fELF\x02\x01".ljust(0x28, b"\0") + struct.pack("<Q", 64 + 2 * len(strings)) + bytes(10) + struct.pack("<HHH", 64, 2, 0)
    sections = [struct.pack("<IIQQQQ", 0, 3, flags, 0, 64 + place * len(strings), len(strings)) for place, flags in ((0, 0), (1, 2))]
    return header + 2 * strings + b"".join(section.ljust(64, b"\0") for section in sections)


def test_a_clock_that_moves_leaves_sleeping_alone() -> None:
    library = _library(b"time", b"clock_nanosleep")
    changed = without_sleeping(library)
    assert [place for place, byte in enumerate(library) if byte != changed[place]] == [library.rindex(b"clock_nanosleep")]
    assert without_sleeping(changed) == changed
    for other in (_library(b"time"), b"", b"\x7fELF\x01\x01 of 32 bits clock_nanosleep", b"\0clock_nanosleep\0"):
        assert without_sleeping(other) == other


def test_compilers_map_the_folders_of_every_world_to_the_same_names() -> None:
    world = msgspec.structs.replace(CONTRACT, build_path="/srv/b", temporary="/var/cache/t")
    assert etc_files(world)["/etc/compiler-options"] == b"-ffile-prefix-map=/srv/b=.\n-ffile-prefix-map=/var/cache/t=/tmp\n"


def test_what_is_found_in_the_place_of_a_folder_that_is_gone_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    for root, below, there in ((tmp_path, "tmp", False), (tmp_path, "none", False), (Path("/"), "proc", True)):
        sandbox = Sandbox()
        sandbox.root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        sandbox.unopened.append(below)
        found = sandbox.open_others([])
        assert (len(found), sandbox.open_others(found) is found, len(found)) == (there, True, there)
        os.close(sandbox.root)
        sandbox.close()
