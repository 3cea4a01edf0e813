"""An image on a base, with the base's layers: unpacked by umoci and by a reader of this test, it is the root.

The base has what no root has: setuid, capabilities, a device, a pipe, files that nobody may read; and a Python package that gives way.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.environment.lock import Lock
from lockage.environment.root import node_rows, stacked
from lockage.stabilize.stream import pack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

KIND = "application/vnd.oci.image"
#: cap_net_raw+ep as the kernel keeps it (vfs_cap_data of version 2, linux/capability.h).
CAPABILITY = "\x01\0\0\x02\0\x20" + "\0" * 14
SITE = "usr/local/lib/python3.11/dist-packages"
MAKER = """
[project]
name = "maker"
version = "1"
[environment.base]
os = "debian:bookworm"
packages = ["python3", "dash"]
[step.nothing]
run = "true"
outputs = ["x"]
"""
RECIPE = """
[project]
name = "shared"
version = "1"
[environment.app]
image = "oci:layout@sha256:{base}"
python = ["packaging"]
variables = {{ GREETING = "hello" }}
[environment.other]
image = "oci:layout@sha256:{base}"
python = ["iniconfig"]
[environment.tools]
os = "debian:bookworm"
packages = ["skopeo", "umoci", "dash", "coreutils", "python3"]
[step.look]
environment = "tools"
inputs = ["image/**", "walk.py"]
run = '''
skopeo inspect --config oci:image:app > config.json
skopeo inspect --raw oci:image:app > manifest.json
skopeo copy --quiet --insecure-policy oci:image:app dir:copied
umoci unpack --rootless --image image:app bundle
python3 walk.py bundle/rootfs > tree.json
cd bundle/rootfs
PYTHONPATH=usr/local/lib/python3.11/dist-packages ./lib64/ld-linux-x86-64.so.2 --library-path lib/x86_64-linux-gnu \\
  ./usr/bin/python3.11 -c 'import packaging; print("it runs", packaging.__file__)' > ../../said
'''
outputs = ["config.json", "manifest.json", "tree.json", "said"]
artifacts = ["config.json", "manifest.json", "tree.json", "said"]
"""
WALK = """
import hashlib, json, os, stat, sys
top, found, inodes = sys.argv[1], {}, {}
for folder, folders, files in os.walk(top):
    for name in sorted(folders + files):
        path = os.path.join(folder, name)
        state = os.lstat(path)
        link = os.readlink(path) if stat.S_ISLNK(state.st_mode) else ""
        data = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(state.st_mode) else ""
        found[os.path.relpath(path, top)] = [
            stat.filemode(state.st_mode)[0], stat.S_IMODE(state.st_mode), link, data, int(state.st_mtime), state.st_ino]
print(json.dumps(found))
"""


def second_layer() -> bytes:
    """A layer of another maker: with times of its own, and all that a root does not hold."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **attributes: Any) -> None:  # Any: of a TarInfo
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime = kind, len(data), 1_700_000_000
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))

        add("usr/bin/odd", b"gains", mode=0o4755, gid=42)
        add("usr/bin/odd-too", kind=tarfile.LNKTYPE, linkname="usr/bin/odd")
        add("usr/bin/capable", b"ping", mode=0o755, pax_headers={"SCHILY.xattr.security.capability": CAPABILITY})
        add("dev/zero", kind=tarfile.CHRTYPE, devmajor=1, devminor=5, mode=0o666)
        add("run/pipe", kind=tarfile.FIFOTYPE)
        add("etc/shadow", b"nobody may read it", mode=0, gid=42)
        add("var/mail", kind=tarfile.DIRTYPE, mode=0o2775, gid=8)
        add("srv/two words \u0151", b"text", mode=0o640, uid=5, gid=6)
        add("srv/link", kind=tarfile.SYMTYPE, linkname="two words \u0151")
        add("etc/.wh.hostname")
        for name, data in {
            f"{SITE}/packaging/old.py": b"old",
            f"{SITE}/packaging-1.0.dist-info/RECORD": b"packaging/old.py,,\npackaging/__init__.py,,\npackaging-1.0.dist-info/RECORD,,\n",
            f"{SITE}/own.py": b"own",
        }.items():
            add(name, data)
        add(f"{SITE}/packaging/__init__.py", b"what the wheel has otherwise", mode=0o4755)
    return out.getvalue()


def made_base(layout: Path, lowest: str, *, zstd: bool = False) -> tuple[str, list[dict[str, Any]]]:  # Any: descriptors
    """An image in a layout on a layer that is there: its digest, and its layers."""

    def put(data: bytes, kind: str, **more: object) -> dict[str, Any]:
        digest = sha256(data).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": f"{KIND}.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    first = (layout / "blobs/sha256" / lowest).read_bytes()
    plain = [gzip.decompress(first), second_layer()]
    packed = pack("zstd", plain[1]) if zstd else gzip.compress(plain[1], mtime=0)
    layers = [
        {"mediaType": f"{KIND}.layer.v1.tar+gzip", "digest": f"sha256:{lowest}", "size": len(first)},
        put(packed, f"layer.v1.tar+{'zstd' if zstd else 'gzip'}", annotations={"org.example.note": "kept"}),
    ]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/srv", "LANG=en_US.UTF-8"],
            "Entrypoint": ["/usr/bin/python3"],
            "Cmd": ["-V"],
            "User": "1000",
            "WorkingDir": "/srv",
            "Labels": {"maintainer": "somebody", "lockage.release": "of the base"},
            "ExposedPorts": {"80/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(data).hexdigest()}" for data in plain]},
        "history": [
            {"created": "2026-01-02T03:04:05Z", "created_by": "first"},
            {"created_by": "nothing", "empty_layer": True},
            {"created_by": "second"},
        ],
    }
    document = {
        "schemaVersion": 2,
        "mediaType": f"{KIND}.manifest.v1+json",
        "config": put(json.dumps(config).encode(), "config.v1+json"),
        "layers": layers,
    }
    return str(put(json.dumps(document).encode(), "manifest.v1+json")["digest"])[7:], layers


@dataclasses.dataclass
class World:
    """A store, the base's digest and layers, and what was exported, as ``--json`` tells it."""

    store: Store
    base: str
    layers: list[dict[str, Any]]
    app: dict[str, Any]

    def blob(self, digest: str, layout: str = "image") -> bytes:
        return (self.store.work / layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()

    def document(self, digest: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.blob(digest))
        return found

    def rows(self, name: str) -> dict[str, tuple[Any, ...]]:
        """The root that lockage made, as its metadata digest has it."""
        environment = Lock.decode((self.store.work / "lockage.lock").read_bytes()).environments[name]
        roots = LocalRoots(LocalBlobs(self.store.home / "blobs"), self.store.home / "roots")
        entries = stacked((layer.place, layer.entries) for layer in roots.layers(environment))
        return {str(path): row for path, row in node_rows(entries).items()}


@pytest.fixture(scope="module")
def world(warm: Store, tmp_path_factory: pytest.TempPathFactory) -> World:
    store = warm.copy(tmp_path_factory.mktemp("shared-layers"))
    maker = store.work.parent / "maker"
    maker.mkdir()
    (maker / "lockage.toml").write_text(MAKER)
    work = store.work.parent / "shared"
    work.mkdir()
    making = dataclasses.replace(store, work=maker)
    making("lock", expect=0)
    found = making("env", "export", "base", "--oci", work / "layout", "--json", expect=0).json
    base, layers = made_base(work / "layout", found["layers"][0]["blob"]["sha256"])
    store = dataclasses.replace(store, work=work)
    store.git("init", "-q")
    (work / ".gitignore").write_text("layout\n")
    (work / "lockage.toml").write_text(RECIPE.format(base=base))
    (work / "walk.py").write_text(WALK)
    store("lock", expect=0)
    app = store("env", "export", "app", "--oci", "image", "--tag", "app", "--json", expect=0).json
    store.commit("an image")
    return World(store, base, layers, app)


def unpacked(archives: list[bytes]) -> dict[str, tuple[Any, ...]]:
    """What layers leave, by a reader that knows no more than the specification: kind, mode, owners, target, digest, other names."""
    nodes: dict[str, dict[str, Any]] = {}

    def remove(path: str) -> None:
        for one in [one for one in nodes if one == path or one.startswith(f"{path}/")]:
            del nodes[one]

    for archive in archives:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for info in tar:
                folder, _, name = info.name.rpartition("/")
                if name.startswith(".wh."):
                    remove(f"{folder}/{name[4:]}".lstrip("/"))
                    continue
                if info.islnk():
                    nodes[info.name] = nodes[info.linkname]
                    continue
                if not (info.isdir() and nodes.get(info.name, {}).get("kind") == b"5"):
                    remove(info.name)
                content = tar.extractfile(info) if info.isfile() else None
                data = sha256(content.read()).hexdigest() if content is not None else None
                nodes[info.name] = {"kind": info.type, "row": (info.mode, info.uid, info.gid, info.linkname or None, info.size, data)}
    first: dict[int, str] = {}
    found = {}
    for path, node in sorted(nodes.items(), key=lambda one: one[0].encode()):
        kind = {b"0": "file", b"2": "link", b"5": "directory"}.get(node["kind"], str(node["kind"]))
        mode, uid, gid, target, size, data = node["row"]
        name = first.setdefault(id(node), path)
        if kind == "file" and name != path:
            kind, target = "hardlink", name
        of_file = data is not None
        found[path] = (path, kind, 0o777 if kind == "link" else mode, uid, gid, target, size if of_file else None, data)
    return found


def test_the_layers_of_the_base_are_the_lowest_as_they_were_received(world: World) -> None:
    manifest = world.document(world.app["digest"])
    assert manifest["layers"][: len(world.layers)] == world.layers
    for layer in world.layers:
        assert world.blob(layer["digest"]) == world.blob(layer["digest"], "layout")
    own = manifest["layers"][len(world.layers) :]
    assert len(own) == 2
    assert sum(layer["size"] for layer in own) < 300_000
    config = world.document(manifest["config"]["digest"])
    assert config["rootfs"]["diff_ids"] == [
        f"sha256:{sha256(gzip.decompress(world.blob(layer['digest']))).hexdigest()}" for layer in manifest["layers"]
    ]
    assert [one.get("created_by") for one in config["history"]][:3] == ["first", "nothing", "second"]
    assert [one["comment"] for one in config["history"][3:]] == ["what steps need besides", "1 wheels"]


def test_a_reader_of_the_specification_unpacks_the_root(world: World) -> None:
    manifest = world.document(world.app["digest"])
    found = unpacked([gzip.decompress(world.blob(layer["digest"])) for layer in manifest["layers"]])
    expected = world.rows("app")
    assert {path: (found.get(path), row) for path, row in expected.items() if found.get(path) != row} == {}
    assert set(found) == set(expected)
    assert expected["usr/bin/odd"][2] == 0o755
    assert f"{SITE}/packaging/old.py" not in expected
    assert f"{SITE}/own.py" in expected


def test_other_tools_read_and_unpack_it_and_it_runs(world: World, tmp_path: Path) -> None:
    world.store("build", "--out", tmp_path, expect=0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == world.document(world.app["digest"])
    config = json.loads((tmp_path / "config.json").read_text())["config"]
    assert (config["User"], config["WorkingDir"], config["Entrypoint"], config["Cmd"]) == ("1000", "/srv", ["/usr/bin/python3"], ["-V"])
    assert (tmp_path / "said").read_text().startswith("it runs ")
    tree = json.loads((tmp_path / "tree.json").read_text())
    rows = world.rows("app")
    names: dict[int, str] = {}
    for path, (kind, mode, target, data, _, inode) in sorted(tree.items(), key=lambda one: one[0].encode()):
        _, expected, bits, _, _, leads, _, digest = rows[path]
        assert kind == {"file": "-", "hardlink": "-", "link": "l", "directory": "d"}[expected], path
        assert kind == "l" or mode == bits, path
        if kind == "-":
            assert data == digest, path
            assert (names.setdefault(inode, path) != path) == (expected == "hardlink"), path
        if kind == "l":
            assert target == leads, path
    assert set(tree) == set(rows)
    times = {tree[path][4] for path, row in rows.items() if row[1] == "file"}
    assert times == {315532800, 1_700_000_000}
    assert tree["usr/bin/odd"][4] == 315532800
    assert tree["srv/two words \u0151"][4] == 1_700_000_000


def test_begun_with_again_it_is_the_same_root(world: World, tmp_path: Path) -> None:
    (tmp_path / "lockage.toml").write_text(
        f'[project]\nname = "again"\nversion = "1"\n[environment.app]\nimage = "oci:{world.store.work}/image@{world.app["digest"]}"\n'
        '[step.nothing]\nrun = "true"\noutputs = ["x"]\n'
    )
    again = dataclasses.replace(world.store, work=tmp_path)
    again("lock", expect=0)
    roots = [json.loads((place / "lockage.lock").read_text())["environments"]["app"]["root"] for place in (tmp_path, world.store.work)]
    assert roots[0] == roots[1]
    exported = again("env", "export", "app", "--oci", "image", "--json", expect=0).json
    assert [layer["blob"] for layer in exported["layers"]] == [layer["blob"] for layer in world.app["layers"]]


def test_two_environments_on_one_base_differ_in_their_packages_alone(world: World) -> None:
    other = world.store("env", "export", "other", "--oci", "image", "--json", expect=0).json
    theirs = [layer["blob"]["sha256"] for layer in other["layers"]]
    ours = [layer["blob"]["sha256"] for layer in world.app["layers"]]
    assert theirs[:3] == ours[:3]
    assert theirs[3] != ours[3]


def test_another_user_of_another_store_gets_the_same_image(world: World, tmp_path: Path) -> None:
    other = dataclasses.replace(world.store, home=tmp_path / "home", keys=tmp_path / "keys")
    arguments = ("env", "export", "app", "--oci", tmp_path / "app.tar", "--tag", "app", "--json")
    done = other.run(["sh", "-c", 'umask 077; exec "$@"', "sh", *other.command(*arguments)], TZ="Asia/Kathmandu")
    assert done.code == 0, done
    assert done.json["digest"] == world.app["digest"]


def test_what_options_say_counts_before_what_the_base_says(world: World) -> None:
    options = ("--entrypoint", "/bin/sh -e", "--command", "-c 'echo a'", "--user", "", "--workdir", "/tmp", "--label", "maintainer=us")
    found = world.store("env", "export", "app", "--oci", "image", *options, "--json", expect=0).json
    config = world.document(world.document(found["digest"])["config"]["digest"])["config"]
    assert (config["Entrypoint"], config["Cmd"], config["WorkingDir"]) == (["/bin/sh", "-e"], ["-c", "echo a"], "/tmp")
    assert "User" not in config
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["Env"] == ["GREETING=hello", "HOME=/srv", "LANG=en_US.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"]
    labels = config["Labels"]
    assert (labels["maintainer"], labels["org.opencontainers.image.base.digest"]) == ("us", f"sha256:{world.base}")
    assert "org.opencontainers.image.base.name" not in labels
    assert "lockage.release" not in labels
    for wrong in (("--workdir", "tmp"), ("--command", "'")):
        assert world.store("env", "export", "app", "--oci", "image", *wrong, "--json", expect=2).error["code"] == "usage"


def test_flat_is_the_same_root_without_the_bases_layers(world: World) -> None:
    found = world.store("env", "export", "app", "--oci", "flat", "--flat", "--json", expect=0).json
    archives = [gzip.decompress(world.blob(layer["blob"]["sha256"], "flat")) for layer in found["layers"]]
    assert unpacked(archives) == world.rows("app")
    assert not {layer["blob"]["sha256"] for layer in found["layers"]} & {layer["digest"][7:] for layer in world.layers}


def test_layers_packed_with_zstd_are_kept_as_they_are(world: World, tmp_path: Path) -> None:
    base, layers = made_base(world.store.work / "layout", world.layers[0]["digest"][7:], zstd=True)
    (tmp_path / "lockage.toml").write_text(
        f'[project]\nname = "zstd"\nversion = "1"\n[environment.app]\nimage = "oci:{world.store.work}/layout@sha256:{base}"\n'
        '[step.nothing]\nrun = "true"\noutputs = ["x"]\n'
    )
    store = dataclasses.replace(world.store, work=tmp_path)
    store("lock", expect=0)
    text = store("env", "export", "app", "--oci", "image", "--tag", "app", expect=0).stdout
    assert text.endswith(f"  2 of 3 layers are those of image sha256:{base[:12]}\n")
    index = json.loads((tmp_path / "image/index.json").read_text())
    manifest = json.loads((tmp_path / "image/blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    assert manifest["layers"][:2] == layers
    assert manifest["layers"][2]["digest"] == f"sha256:{world.app['layers'][2]['blob']['sha256']}"
