"""Environments that begin with an image: docker-registry on the loopback, with a password; a Python in /opt, as manylinux has it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import gzip
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.opt_python import in_opt

from lockage.adapters.roots_local.deb_archive import DebArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

MAKER = """
[project]
name = "maker"
version = "1"
[environment.base]
os = "debian:bookworm"
packages = ["python3-dev", "python3-venv", "gcc", "libc6-dev"]
[environment.registry]
os = "debian:bookworm"
packages = ["docker-registry"]
[step.nothing]
environment = "base"
run = "true"
outputs = ["x"]
"""
RECIPE = """
[project]
name = "fast"
version = "1.0"
[environment.build]
image = "{registry}/team/manylinux:2@sha256:{digest}"
interpreter = "/opt/python/cp311-cp311/bin/python3"
python = ["build", "setuptools >= 77"]
[step.wheel]
run = '''
command -v python3 > who
echo "$AUDITWHEEL_PLAT $HOME" >> who
pyproject-build --wheel --no-isolation --outdir dist .
'''
outputs = ["dist", "who"]
artifacts = ["dist/*.whl", "who"]
"""
FILES = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "fast"\n'
    'version = "1.0"\n[tool.setuptools]\next-modules = [{ name = "fast", sources = ["fast.c"] }]\n',
    "fast.c": '#include <Python.h>\nstatic struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", __FILE__, -1, 0};\n'
    "PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }\n",
}
#: bcrypt of "se:cret", which is no secret: docker-registry reads no other kind of password.
HTPASSWD = "alice:$2b$04$caWmhJ8NLfhLEIQKEo341efix52HV61g3c9CWvVxnPnwlEUAbuypq\n"
AUTH = base64.b64encode(b"alice:se:cret").decode()


class Registry:
    """A docker-registry that runs, or does not."""

    def __init__(self, program: Path, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self._folder = folder
        self._program = program
        (folder / "htpasswd").write_text(HTPASSWD)
        (folder / "config.yml").write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f'storage: {{filesystem: {{rootdirectory: "{folder}/data"}}}}\n'
            f'http: {{addr: "{self.host}"}}\nauth: {{htpasswd: {{realm: here, path: "{folder}/htpasswd"}}}}\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._program, "serve", self._folder / "config.yml"], stdout=log, stderr=log)
        for _ in range(200):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self.ask("GET", "/v2/")
                return
            time.sleep(0.05)
        pytest.fail((self._folder / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> str:
        """Where the answer leads to."""
        url = path if path.startswith("http") else f"http://{self.host}{path}"
        headers = {"Authorization": f"Basic {AUTH}", "Content-Type": kind}
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
            return str(answer.headers.get("Location", ""))

    def push(self, name: str, data: bytes) -> dict[str, object]:
        """A blob, and its descriptor but for the media type."""
        digest = f"sha256:{sha256(data).hexdigest()}"
        place = self.ask("POST", f"/v2/{name}/blobs/uploads/", b"")
        self.ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", data)
        return {"digest": digest, "size": len(data)}

    def push_document(self, name: str, document: dict[str, Any], kind: str, *tags: str) -> dict[str, object]:
        data = json.dumps({"schemaVersion": 2, "mediaType": kind, **document}).encode()
        digest = f"sha256:{sha256(data).hexdigest()}"
        for reference in (digest, *tags):
            self.ask("PUT", f"/v2/{name}/manifests/{reference}", data, kind)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def push_image(self, name: str, layers: list[bytes], variables: list[str], architecture: str = "amd64") -> dict[str, object]:
        diff_ids = [f"sha256:{sha256(gzip.decompress(layer)).hexdigest()}" for layer in layers]
        rootfs = {"type": "layers", "diff_ids": diff_ids}
        config = json.dumps({"architecture": architecture, "os": "linux", "config": {"Env": variables}, "rootfs": rootfs}).encode()
        kind = "application/vnd.oci.image"
        document = {
            "config": {"mediaType": f"{kind}.config.v1+json", **self.push(name, config)},
            "layers": [{"mediaType": f"{kind}.layer.v1.tar+gzip", **self.push(name, layer)} for layer in layers],
        }
        return self.push_document(name, document, f"{kind}.manifest.v1+json")


@dataclasses.dataclass
class World:
    """The registry, the digest of the image's index, a store that made the base, and the base's own layout and digest."""

    registry: Registry
    digest: str
    store: Store
    base: str


@pytest.fixture(scope="module")
def world(warm: Store, module_path: Path) -> Iterator[World]:
    folder = module_path
    store = warm.copy(folder / "maker")
    shutil.rmtree(store.work)
    store.work.mkdir()
    (store.work / "lockage.toml").write_text(MAKER)
    store("lock", expect=0)
    base = store("env", "export", "base", "--oci", "layout", "--json", expect=0).json
    environments = json.loads((store.work / "lockage.lock").read_text())["environments"]
    (package,) = (one for one in environments["registry"]["packages"] if one["name"] == "docker-registry")
    program = folder / "docker-registry"
    with store.blob(package["sha256"]).open("rb") as stream:
        for member, content in DebArchive(stream, "docker-registry").members():
            if member.path == "usr/bin/docker-registry" and content is not None:
                program.write_bytes(content.read())
    program.chmod(0o755)
    roots = (place for place in (store.home / "roots/os").glob("*/root") if (place / "usr/include/python3.11/Python.h").exists())
    registry = Registry(program, folder)
    registry.start()
    try:
        (layer,) = (one["blob"]["sha256"] for one in base["layers"])
        layers = [(store.work / "layout/blobs/sha256" / layer).read_bytes(), in_opt(next(roots))]
        variables = ["PATH=/usr/local/bin:/usr/bin:/bin", "AUDITWHEEL_PLAT=manylinux_2_36_x86_64", "HOME=/root"]
        named = [
            {**registry.push_image("team/manylinux", layers[1:], [], "arm64"), "platform": {"os": "linux", "architecture": "arm64"}},
            {**registry.push_image("team/manylinux", layers, variables), "platform": {"os": "linux", "architecture": "amd64"}},
        ]
        index = registry.push_document("team/manylinux", {"manifests": named}, "application/vnd.oci.image.index.v1+json", "2")
        yield World(registry, str(index["digest"]).removeprefix("sha256:"), store, base["digest"].removeprefix("sha256:"))
    finally:
        registry.stop()


def user(world: World, folder: Path) -> Store:
    """Somebody with a store that shares nothing with any other, and the registry's password where docker keeps it."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "lockage.toml").write_text(RECIPE.format(registry=world.registry.host, digest=world.digest))
    for name, text in FILES.items():
        (work / name).write_text(text)
    (folder / "docker").mkdir()
    (folder / "docker/config.json").write_text(json.dumps({"auths": {world.registry.host: {"auth": AUTH}}}))
    store = dataclasses.replace(world.store, home=folder / "home", keys=folder / "keys", work=work)
    store = dataclasses.replace(store, settings={"DOCKER_CONFIG": str(folder / "docker")})
    store.git("init", "-q")
    return store


def artifacts(store: Store, zone: str = "UTC") -> dict[str, bytes]:
    store("build", "--out", "out", expect=0, TZ=zone)
    return {file.name: file.read_bytes() for file in (store.work / "out").iterdir() if file.suffix == ".whl" or file.name == "who"}


@pytest.fixture(scope="module")
def alice(world: World, module_path: Path) -> tuple[Store, dict[str, bytes]]:
    """Who has locked the image and built on it, and what that made."""
    store = user(world, module_path / "alice")
    store("lock", expect=0)
    store.commit("locked")
    return store, artifacts(store)


def test_a_wheel_is_built_by_the_images_own_python(alice: tuple[Store, dict[str, bytes]]) -> None:
    store, made = alice
    assert set(made) == {"fast-1.0-cp311-cp311-linux_x86_64.whl", "who"}
    assert made["who"].decode().split() == ["/opt/python/cp311-cp311/bin/python3", "manylinux_2_36_x86_64", "/home/builder"]
    text = (store.work / "lockage.lock").read_text()
    assert "127.0.0.1" not in text
    image = json.loads(text)["environments"]["build"]["image"]
    assert image["interpreter"]["glibc"] == "2.36"
    assert image["variables"]["PATH"] == "/opt/python/cp311-cp311/bin:/usr/local/bin:/usr/bin:/bin"
    assert b"se:cret" not in b"".join(file.read_bytes() for file in (store.home / "memo").rglob("*") if file.is_file())


def test_another_user_of_another_store_gets_the_same_lock_and_the_same_wheel(
    world: World, alice: tuple[Store, dict[str, bytes]], tmp_path: Path
) -> None:
    store, made = alice
    other = user(world, tmp_path)
    script = 'umask 077; exec "$@"'
    done = other.run(["sh", "-c", script, "sh", *other.command("lock")], TZ="Asia/Kathmandu")
    assert done.code == 0, done
    assert (other.work / "lockage.lock").read_bytes() == (store.work / "lockage.lock").read_bytes()
    other.commit("locked")
    assert artifacts(other, "Asia/Kathmandu") == made


def test_without_the_registry_all_is_in_the_store(world: World, alice: tuple[Store, dict[str, bytes]]) -> None:
    store, made = alice
    world.registry.stop()
    try:
        shutil.rmtree(store.home / "roots")
        shutil.rmtree(store.home / "actions")
        assert artifacts(store) == made
        assert store("env", "verify", expect=0).stdout.endswith("the root is the lock's\n")
        bill = json.loads(store("env", "sbom", "build", expect=0).stdout)
        assert [one["purl"] for one in bill["components"] if one["type"] == "container"] == [
            "pkg:oci/manylinux@sha256%3A"
            + json.loads((store.work / "lockage.lock").read_text())["environments"]["build"]["image"]["manifest"]["sha256"]
        ]
        exported = store("env", "export", "build", "--oci", "exported", "--json", expect=0).json
        assert [layer["of_base"] for layer in exported["layers"]] == [True, True, False, False]
        manifest = json.loads((store.work / "exported/blobs/sha256" / exported["digest"].removeprefix("sha256:")).read_text())
        name = manifest["annotations"]["org.opencontainers.image.base.name"]
        assert name == f"{world.registry.host}/team/manylinux@sha256:{world.digest}"
    finally:
        world.registry.start()


def test_a_tag_is_told_by_its_digest(world: World, alice: tuple[Store, dict[str, bytes]]) -> None:
    store, _ = alice
    name = f"{world.registry.host}/team/manylinux"
    assert store("env", "image", f"{name}:2", expect=0).stdout == f"{name}@sha256:{world.digest}\n"
    assert store("env", "image", f"oci:{world.store.work}/layout", "--json", expect=0).json["digest"] == f"sha256:{world.base}"


def test_a_registry_that_has_the_base_lacks_only_what_is_above_it(world: World, alice: tuple[Store, dict[str, bytes]]) -> None:
    store, _ = alice
    exported = store("env", "export", "build", "--oci", "exported", "--json", expect=0).json
    for layer in exported["layers"]:
        path = f"/v2/team/manylinux/blobs/sha256:{layer['blob']['sha256']}"
        if layer["of_base"]:
            world.registry.ask("HEAD", path)
        else:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                world.registry.ask("HEAD", path)


def test_who_has_no_password_is_told(world: World, tmp_path: Path) -> None:
    store = dataclasses.replace(user(world, tmp_path), settings={"DOCKER_CONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)})
    error = store("lock", "--json", expect=10).error
    assert error["code"] == "service-unreachable"
    assert world.registry.host in error["message"]


def test_another_digest_stops_the_build_before_its_first_step(world: World, alice: tuple[Store, dict[str, bytes]]) -> None:
    store, _ = alice
    recipe = (store.work / "lockage.toml").read_text()
    (store.work / "lockage.toml").write_text(recipe.replace(world.digest, world.base))
    try:
        error = store("build", "--json", expect=3).error
    finally:
        (store.work / "lockage.toml").write_text(recipe)
    assert error["code"] == "lock-mismatch"
    assert error["details"]["differences"] == [f"image is sha256:{world.base}, locked is sha256:{world.digest}"]


def test_an_environment_that_was_exported_is_the_same_root_again(world: World, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "lockage.toml").write_text(
        f'[project]\nname = "again"\nversion = "1"\n[environment.base]\nimage = "oci:{world.store.work}/layout@sha256:{world.base}"\n'
        '[step.nothing]\nrun = "true"\noutputs = ["x"]\n'
    )
    store = dataclasses.replace(world.store, work=work)
    store("lock", expect=0)
    locks = [json.loads((place / "lockage.lock").read_text())["environments"]["base"]["root"] for place in (work, world.store.work)]
    assert locks[0] == locks[1]
