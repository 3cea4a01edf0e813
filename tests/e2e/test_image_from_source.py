"""Python packages built from their sdists for environments on images: pure ones and one with C, of the real index and of a folder."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from tests.e2e.opt_python import INTERPRETER, in_opt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

MAKER = """
[project]
name = "maker"
version = "1"
[environment.tools]
os = "debian:bookworm"
packages = ["python3-dev", "gcc", "libc6-dev"]
[step.nothing]
run = "true"
outputs = ["x"]
"""
#: docopt has never had a wheel; markupsafe has wheels, and C in its sdist, which it does without where there is no compiler.
RECIPE = """
[project]
name = "sourced"
version = "1"
[environment.build]
image = "{image}"
interpreter = "{interpreter}"
python = ["docopt", "markupsafe"]
constraints = ["markupsafe < 3.1"]
from-source = ["markupsafe"]
[step.look]
inputs = []
run = '''
python3 -c "import docopt, markupsafe._speedups as fast
print(docopt.__version__, fast.__file__)" > said
'''
outputs = ["said"]
artifacts = ["said"]
"""
OWN = """
[project]
name = "own"
version = "1"
[environment.build]
image = "{image}"
python = ["{package}"]
[step.look]
inputs = []
run = ["python3", "-c", "import {package}; open('said', 'w').write({package}.__file__)"]
outputs = ["said"]
artifacts = ["said"]
"""
#: A backend in the sdist itself, so that building it takes nothing but what the image has.
BACKEND = """
import base64, hashlib, os, subprocess, sysconfig, zipfile

def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()

def build_wheel(folder, config_settings=None, metadata_directory=None):
    files = ["pure.py"]
    if not os.path.exists("pure.py"):
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        include = sysconfig.get_paths()["include"]
        subprocess.run(["gcc", "-shared", "-fPIC", f"-I{include}", "-o", f"compiled{suffix}", "compiled.c"], check=True)
        files = [f"compiled{suffix}"]
    name = files[0].partition(".")[0]
    info = f"{name}-1.dist-info"
    tag = "py3-none-any" if name == "pure" else "cp311-cp311-linux_x86_64"
    content = {file: open(file, "rb").read() for file in files}
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n".encode()
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: {name == 'pure'}\\nTag: {tag}\\n".encode()
    lines = [f"{path},sha256={digest(data)},{len(data)}\\n" for path, data in content.items()]
    content[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\\n"]).encode()
    with zipfile.ZipFile(f"{folder}/{name}-1-{tag}.whl", "w") as wheel:
        for path, data in content.items():
            wheel.writestr(path, data)
    return f"{name}-1-{tag}.whl"
"""
COMPILED = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "compiled", __FILE__, -1, 0};
PyMODINIT_FUNC PyInit_compiled(void) { return PyModule_Create(&module); }
"""
SOURCES = {
    "pure": ("pure.py", "ANSWER = 42\n"),
    "compiled": ("compiled.c", COMPILED),
}
NOBODY = {"LOCKAGE_PYTHON_INDEX": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}


def sdist(name: str) -> bytes:
    file, text = SOURCES[name]
    files = {
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
        "own.py": BACKEND,
        file: text,
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(f"{name}-1/{path}")
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    return out.getvalue()


def more(layout: Path, layer: bytes, variables: list[str]) -> str:
    """Add an image to a layout: the first that it has, with one more layer; its digest."""

    def kept(data: bytes, media_type: str) -> dict[str, object]:
        digest = sha256(data).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    index = json.loads((layout / "index.json").read_text())
    first = index["manifests"][0]
    manifest = json.loads((layout / "blobs/sha256" / first["digest"].removeprefix("sha256:")).read_bytes())
    kind = "application/vnd.oci.image"
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": variables}}).encode()
    manifest["config"] = kept(config, f"{kind}.config.v1+json")
    manifest["layers"].append(kept(layer, f"{kind}.layer.v1.tar+gzip"))
    described = kept(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
    (layout / "index.json").write_text(json.dumps({**index, "manifests": [*index["manifests"], described]}))
    return str(described["digest"])


def without(*paths: str) -> bytes:
    """A layer that takes files away from those below (OCI image-spec, "Whiteouts")."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path in paths:
            folder, _, name = path.rpartition("/")
            tar.addfile(tarfile.TarInfo(f"{folder}/.wh.{name}"))
    return out.getvalue()


@dataclasses.dataclass
class World:
    """A store that made the images, how a recipe names them (one with a Python in /opt and a compiler, one without), and an index."""

    store: Store
    opt: str
    bare: str
    index: Path


@pytest.fixture(scope="module")
def world(warm: Store, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("image-from-source")
    store = warm.copy(folder / "maker")
    shutil.rmtree(store.work)
    store.work.mkdir()
    (store.work / "lockage.toml").write_text(MAKER)
    store("lock", expect=0)
    store("env", "export", "tools", "--oci", "tools", expect=0)
    roots = (place for place in (store.home / "roots/os").glob("*/root") if (place / "usr/include/python3.11/Python.h").exists())
    variables = ["PATH=/usr/local/bin:/usr/bin:/bin"]
    opt = more(store.work / "tools", in_opt(next(roots)), variables)
    bare = more(store.work / "tools", without("usr/bin/gcc"), variables)
    for name in SOURCES:
        place = folder / "index" / name
        place.mkdir(parents=True)
        data = sdist(name)
        (place / f"{name}-1.tar.gz").write_bytes(data)
        (place / "index.html").write_text(f'<a href="{name}-1.tar.gz#sha256={sha256(data).hexdigest()}">{name}-1.tar.gz</a>\n')
    return World(store, f"oci:{store.work}/tools@{opt}", f"oci:{store.work}/tools@{bare}", folder / "index")


def user(world: World, folder: Path, recipe: str, *, lock: bytes | None = None) -> Store:
    """Somebody with a store that shares nothing with any other."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "lockage.toml").write_text(recipe)
    if lock is not None:
        (work / "lockage.lock").write_bytes(lock)
    return dataclasses.replace(world.store, home=folder / "home", keys=folder / "keys", work=work, settings={})


def own(world: World, folder: Path, package: str, image: str) -> Store:
    store = user(world, folder, OWN.format(image=image, package=package))
    return dataclasses.replace(store, settings={"LOCKAGE_PYTHON_INDEX": str(world.index), "PIP_FIND_LINKS": ""})


@pytest.fixture(scope="module")
def alice(world: World, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Who has locked an image with packages of the real index, and built on it."""
    store = user(world, tmp_path_factory.mktemp("alice"), RECIPE.format(image=world.opt, interpreter=INTERPRETER))
    store("lock", expect=0)
    store("build", "--out", "out", expect=0)
    return store


def test_pure_and_compiled_packages_are_built_by_the_images_own_python(alice: Store) -> None:
    version, compiled = (alice.work / "out/said").read_text().split()
    assert version == "0.6.2"
    assert compiled.startswith("/opt/python/cp311-cp311/lib/")
    assert compiled.endswith("/markupsafe/_speedups.cpython-311-x86_64-linux-gnu.so")
    text = (alice.work / "lockage.lock").read_text()
    assert str(alice.work.parent.parent) not in text
    locked = json.loads(text)["environments"]["build"]
    assert [(one["name"], one["file"].endswith(".tar.gz")) for one in locked["sdists"]] == [("docopt", True), ("markupsafe", True)]
    assert locked["python"] == []
    for builder in locked["builders"].values():
        assert builder["image"] == locked["image"]
        assert [wheel["name"] for wheel in builder["python"]] == ["setuptools"]
    again = alice("build", "--out", "out", expect=0)
    assert "nothing to do" in again.stdout
    assert "from its sdist" not in again.stderr
    alice("lock", "--check", expect=0)
    assert alice("env", "verify", "--json", expect=0).json["whole"]


def test_another_user_of_another_store_locks_the_same_bytes(world: World, alice: Store, tmp_path: Path) -> None:
    other = user(world, tmp_path, (alice.work / "lockage.toml").read_text())
    done = other.run(["sh", "-c", 'umask 077; exec "$@"', "sh", *other.command("lock")], TZ="Asia/Kathmandu")
    assert done.code == 0, done
    assert "building markupsafe" in done.stderr
    assert (other.work / "lockage.lock").read_bytes() == (alice.work / "lockage.lock").read_bytes()


def test_with_the_lock_another_machine_builds_the_same_root_without_a_network(world: World, alice: Store, tmp_path: Path) -> None:
    lock = (alice.work / "lockage.lock").read_bytes()
    other = user(world, tmp_path, (alice.work / "lockage.toml").read_text(), lock=lock)
    other("env", "fetch", expect=0)
    other.settings.update(NOBODY)
    done = other.run(["sh", "-c", 'umask 077; exec "$@"', "sh", *other.command("build", "--out", "out")], TZ="Asia/Kathmandu")
    assert done.code == 0, done
    assert "building markupsafe" in done.stderr
    assert (other.work / "out/said").read_bytes() == (alice.work / "out/said").read_bytes()
    assert (other.work / "lockage.lock").read_bytes() == lock


@pytest.mark.parametrize(("package", "image"), [("pure", "bare"), ("compiled", "opt")])
def test_what_needs_nothing_but_the_image_is_built_of_it_alone(world: World, tmp_path: Path, package: str, image: str) -> None:
    store = own(world, tmp_path, package, getattr(world, image))
    if image == "opt":
        recipe = (store.work / "lockage.toml").read_text()
        (store.work / "lockage.toml").write_text(recipe.replace("python =", f'interpreter = "{INTERPRETER}"\npython ='))
    store("lock", expect=0)
    (builder,) = json.loads((store.work / "lockage.lock").read_text())["environments"]["build"]["builders"].values()
    assert (builder["python"], builder["packages"]) == ([], [])
    store("build", "--out", "out", expect=0)
    assert package in (store.work / "out/said").read_text()


def test_an_image_without_a_compiler_is_what_the_error_names(world: World, tmp_path: Path) -> None:
    store = own(world, tmp_path, "compiled", world.bare)
    error = store("lock", "--json", expect=9).error
    assert error["code"] == "dependency-not-built"
    details = error["details"]
    assert (details["environment"], details["package"], details["missing"]) == ("build", "compiled", ["program gcc"])
    assert "an image, whose digest fixes what it holds: use one that has program gcc" in error["hint"]
    assert "build-packages" not in error["hint"]
    assert any("No such file or directory: 'gcc'" in line for line in details["last_lines"])
    assert f"`lockage logs {details['run']} wheel`" in error["hint"]
    assert "No such file or directory: 'gcc'" in store("logs", details["run"], "wheel", expect=0).stdout
    assert not (store.work / "lockage.lock").exists()
