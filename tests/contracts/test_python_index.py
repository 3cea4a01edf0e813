"""The contract of PythonIndex: over a fake, a folder, and loopback servers that speak JSON and HTML."""

import base64
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.python_index import MemoryPythonIndex
from lockage.adapters.memory.store import MemoryBlobs, MemoryMemo
from lockage.adapters.python_index import IndexSettings, UvIndex
from lockage.adapters.python_index.settings import Source
from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.base.instant import Instant
from lockage.base.path import RelPath
from lockage.environment.lock import LockedSdist
from lockage.environment.python import PythonTarget
from lockage.environment.python_lock import Pin
from lockage.environment.stand_in import Offer, PackageMetadata
from lockage.ports import NoUploadTimes, PackageChanged, PackageVanished, PythonIndex, ServiceUnreachable, Unresolvable

_UV = Path(sys.executable).parent / "uv"
_TARGET = PythonTarget(version="3.11", full_version="3.11.2", glibc="2.36", architecture="amd64")
_USER, _PASSWORD = "reader", "s3cret/word"


def wheel(name: str, version: str, tag: str = "py3-none-any", requires: tuple[str, ...] = (), build: str = "") -> tuple[str, bytes]:
    """A tiny wheel and its file name; ``build`` makes the bytes differ."""
    buffer = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {
            f"{name}.py": f"# {build}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            + "".join(f"Requires-Dist: {r}\n" for r in requires),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{info}/RECORD": "",
        }.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-{tag}.whl", buffer.getvalue()


_FILES = dict(
    [
        wheel("alpha", "1.0"),
        wheel("alpha", "2.0"),
        wheel("alpha", "2.0", "cp311-cp311-manylinux_2_17_x86_64"),
        wheel("alpha", "2.0", "cp311-cp311-manylinux_2_40_x86_64"),
        wheel("alpha", "2.0", "cp312-cp312-manylinux_2_17_x86_64"),
        wheel("beta_two", "1.0"),
        wheel("windows", "1.0", "cp311-cp311-win_amd64"),
        ("onlysource-1.0.tar.gz", b"not looked into"),
        ("onlysource-2.0.tar.gz", b"not looked into either"),
        ("alpha-1.0.tar.gz", b"the source of alpha"),
    ]
)


class _Memory:
    def __init__(self, _: Path) -> None:
        self.blobs = MemoryBlobs()
        self.port = MemoryPythonIndex(self.blobs, _FILES)
        self.files = self.port.files
        self.uploaded = self.port.uploaded

    def close(self) -> None:
        pass


def _project(file: str) -> str:
    return file.partition("-")[0].replace("_", "-")


class _Folder:
    """A Simple index of files, as it is kept on a shared disk; without hashes, so that all checking is ours."""

    def __init__(self, folder: Path) -> None:
        self.files = dict(_FILES)
        self._folder = folder
        self.blobs = MemoryBlobs()
        settings = IndexSettings(source=Source(default=(folder / "simple").as_uri()), home=str(folder))
        self._real = UvIndex(self.blobs, MemoryMemo(), uv=_UV, settings=settings, cache=folder / "cache", interpreter=Path(sys.executable))

    @property
    def port(self) -> PythonIndex:
        for path in sorted(self._folder.glob("simple/**/*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        for project in {_project(file) for file in self.files}:
            page = self._folder / "simple" / project
            page.mkdir(parents=True)
            links = ""
            for file, data in self.files.items():
                if _project(file) == project:
                    (page / file).write_bytes(data)
                    links += f'<a href="{file}">{file}</a>\n'
            (page / "index.html").write_text(f"<!doctype html><html><body>{links}</body></html>")
        return self._real

    def close(self) -> None:
        pass


class _Server:
    """An index on the loopback that wants a password; ``kind`` is what it answers with."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.files = dict(_FILES)
        self.uploaded: dict[str, Instant] = {}
        self.broken: set[str] = set()
        token = "Basic " + base64.b64encode(f"{_USER}:{_PASSWORD}".encode()).decode()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers.get("Authorization") != token:
                    self._answer(401, "text/plain", b"who are you")
                    return
                path = self.path.strip("/").split("/")
                if path[0] == "simple" and len(path) == 2:
                    names = [file for file in outer.files if _project(file) == path[1]]
                    if names:
                        self._answer(200, *outer.page(kind, names))
                        return
                elif path[0] == "files" and path[1] in outer.files:
                    data = outer.files[path[1]]
                    self._answer(200, "application/octet-stream", data[:-1] + b"!" if path[1] in outer.broken else data)
                    return
                self._answer(404, "text/plain", b"no")

            def do_HEAD(self) -> None:
                self._answer(405, "text/plain", b"")

            def _answer(self, status: int, kind: str, data: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the method it replaces)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.blobs = MemoryBlobs()
        password = _PASSWORD.replace("/", "%2F")
        address = f"http://{_USER}:{password}@127.0.0.1:{self._server.server_address[1]}/simple"
        settings = IndexSettings(source=Source(default=address), home=str(folder), timeout=5, environment={"UV_HTTP_RETRIES": "0"})
        self.port = UvIndex(self.blobs, MemoryMemo(), uv=_UV, settings=settings, cache=folder / "cache", interpreter=Path(sys.executable))

    def page(self, kind: str, names: list[str]) -> tuple[str, bytes]:
        digests = {name: Digest.of(self.files[name]) for name in names}
        if kind == "json":
            files = [
                {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": digest}}
                | ({"upload-time": str(self.uploaded[name])} if name in self.uploaded else {})
                for name, digest in digests.items()
            ]
            page = {"meta": {"api-version": "1.1"}, "name": _project(names[0]), "files": files, "versions": []}
            return "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()
        links = "".join(f'<a href="../../files/{name}#sha256={digest}">{name}</a><br/>' for name, digest in digests.items())
        return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


_Any = _Memory | _Folder | _Server


def _made(kind: str, folder: Path) -> _Any:
    if kind == "memory":
        return _Memory(folder)
    return _Folder(folder) if kind == "folder" else _Server(folder, kind)


@pytest.fixture(params=["memory", "folder", "json", "html"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Any]:
    made = _made(request.param, tmp_path)
    yield made
    made.close()


def test_the_best_wheel_of_the_newest_version_is_chosen_and_kept(index: _Any) -> None:
    found = index.port.resolve(["beta.two", "Alpha >= 1"], _TARGET).wheels
    assert [(item.name, item.version, item.file) for item in found] == [
        ("alpha", "2.0", "alpha-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"),
        ("beta-two", "1.0", "beta_two-1.0-py3-none-any.whl"),
    ]
    for item in found:
        assert index.blobs.get(item.ref) == _FILES[item.file]


def test_the_same_index_gives_the_same_answer(index: _Any) -> None:
    assert index.port.resolve(["alpha", "beta-two"], _TARGET).wheels == index.port.resolve(["alpha", "beta-two"], _TARGET).wheels


def test_a_lock_works_when_the_index_has_moved_on(index: _Any) -> None:
    found = index.port.resolve(["alpha"], _TARGET).wheels
    index.files.clear()
    index.port.fetch(found)


@pytest.mark.parametrize("kept", [True, False])
def test_a_preferred_wheel_is_taken_again(index: _Any, *, kept: bool) -> None:
    preferred = index.port.resolve(["alpha < 2", "beta-two"], _TARGET).wheels
    index.files |= dict([wheel("alpha", "1.0", "cp311-cp311-manylinux_2_17_x86_64"), wheel("beta_two", "2.0")])
    if not kept:
        index.blobs.data.clear()
    found = index.port.resolve(["alpha", "beta-two"], _TARGET, preferred=preferred).wheels
    assert found == preferred, "the very wheel, though there is one that fits better"
    assert all(index.blobs.has(item.ref) for item in found)
    index.blobs.data.clear()
    del index.files[preferred[0].file]
    (found_alpha, _) = index.port.resolve(["alpha", "beta-two"], _TARGET, preferred=preferred).wheels
    assert (found_alpha.version, found_alpha.file) == ("1.0", "alpha-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")


def test_a_preferred_wheel_gives_way_where_it_does_not_fit(index: _Any) -> None:
    preferred = index.port.resolve(["alpha < 2", "beta-two"], _TARGET).wheels
    assert [item.version for item in index.port.resolve(["alpha >= 2", "beta-two"], _TARGET, preferred=preferred).wheels] == ["2.0", "1.0"]
    other = msgspec.structs.replace(_TARGET, version="3.12", full_version="3.12.1")
    index.files |= dict([wheel("beta_two", "2.0", "cp312-cp312-manylinux_2_17_x86_64")])
    native = index.port.resolve(["beta-two >= 2"], other).wheels
    assert [item.version for item in index.port.resolve(["beta-two"], _TARGET, preferred=native).wheels] == ["1.0"]


def test_a_renewed_project_moves_and_no_other(index: _Any) -> None:
    preferred = index.port.resolve(["alpha < 2", "beta-two"], _TARGET).wheels
    index.files |= dict([wheel("beta_two", "2.0")])
    found = index.port.resolve(["alpha", "beta-two"], _TARGET, preferred=preferred, renewed=["beta-two"]).wheels
    assert [(item.name, item.version) for item in found] == [("alpha", "1.0"), ("beta-two", "2.0")]


@pytest.mark.parametrize(
    ("as_of", "version"),
    [("2026-01-02T00:00:00Z", "1.0"), ("2026-02-01T00:00:00Z", "1.0"), ("2026-02-01T00:00:01Z", "2.0")],
    ids=["between", "the very second", "after"],
)
@pytest.mark.parametrize("kind", ["memory", "json"])
def test_what_was_not_uploaded_before_a_time_does_not_count(kind: str, as_of: str, version: str, tmp_path: Path) -> None:
    index = _made(kind, tmp_path)
    assert isinstance(index, _Memory | _Server)
    try:
        for file in index.files:
            index.uploaded[file] = Instant.parse("2026-01-01T00:00:00Z" if "-1.0-" in file else "2026-02-01T00:00:00Z")
        newest = index.port.resolve(["alpha"], _TARGET).wheels
        (found,) = index.port.resolve(["alpha"], _TARGET, as_of=Instant.parse(as_of), preferred=newest).wheels
        assert found.version == version
        with pytest.raises(Unresolvable, match="alpha") as caught:
            index.port.resolve(["alpha"], _TARGET, as_of=Instant.parse("2026-01-01T00:00:00Z"))
        assert "exclude-newer-package" not in caught.value.message
    finally:
        index.close()


@pytest.mark.parametrize("requirement", ["alpha", "beta-two"])
def test_an_index_that_dates_nothing_cannot_go_back(index: _Any, requirement: str) -> None:
    with pytest.raises(NoUploadTimes) as caught:
        index.port.resolve([requirement], _TARGET, as_of=Instant.parse("2026-01-01T00:00:00Z"))
    assert caught.value.details["package"] == requirement
    assert index.blobs.data == {}


def test_what_is_missing_is_fetched(index: _Any) -> None:
    found = index.port.resolve(["alpha", "beta-two"], _TARGET).wheels
    index.blobs.data.clear()
    index.port.fetch(found)
    assert all(index.blobs.has(item.ref) for item in found)


def test_no_requirements_are_no_wheels(index: _Any) -> None:
    assert index.port.resolve([], _TARGET).wheels == ()


def test_a_marker_that_does_not_hold_asks_for_nothing(index: _Any) -> None:
    found = index.port.resolve(["alpha", "nowhere; python_version < '3.11'", "windows; sys_platform == 'win32'"], _TARGET).wheels
    assert [item.name for item in found] == ["alpha"]


@pytest.mark.parametrize(
    ("requirement", "named"),
    [
        ("alpha >= 3", "alpha"),
        ("nowhere", "nowhere"),
        ("onlysource", "onlysource"),
        ("windows", "windows"),
        ("alpha @ https://user:pass@example.invalid/alpha.whl", "alpha"),
        ("-r /etc/hostname", "-r /etc/hostname"),
        ("--index-url=https://example.invalid", "--index-url"),
        ("alpha\nbeta", "alpha"),
    ],
)
def test_what_cannot_be_had_is_named(index: _Any, requirement: str, named: str) -> None:
    with pytest.raises(Unresolvable) as caught:
        index.port.resolve([requirement], _TARGET)
    assert named in caught.value.message
    assert "pass@" not in caught.value.message
    assert caught.value.hint


def test_a_vanished_wheel_is_named(index: _Any) -> None:
    found = index.port.resolve(["beta-two"], _TARGET).wheels
    index.blobs.data.clear()
    index.files.clear()
    with pytest.raises(PackageVanished, match="beta_two-1"):
        index.port.fetch(found)


def test_a_changed_wheel_is_refused(index: _Any) -> None:
    found = index.port.resolve(["beta-two"], _TARGET).wheels
    index.blobs.data.clear()
    name, data = wheel("beta_two", "1.0", build="other")
    index.files[name] = data
    with pytest.raises(PackageChanged, match="beta_two-1") as caught:
        index.port.fetch(found)
    assert caught.value.details["expected"] == found[0].sha256
    assert not index.blobs.has(found[0].ref)


def test_a_wheel_of_another_size_is_refused(index: _Any) -> None:
    (found,) = index.port.resolve(["beta-two"], _TARGET).wheels
    index.blobs.data.clear()
    with pytest.raises(PackageChanged):
        index.port.fetch([msgspec.structs.replace(found, size=found.size + 1)])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    made = _Server(tmp_path, "json")
    yield made
    made.close()


def test_dependencies_are_resolved_too(server: _Server) -> None:
    server.files |= dict([wheel("gamma", "1.0", requires=("alpha < 2", "onlysource; sys_platform == 'win32'"))])
    assert [(item.name, item.version) for item in server.port.resolve(["gamma"], _TARGET).wheels] == [("alpha", "1.0"), ("gamma", "1.0")]


def test_what_a_renewed_project_needs_moves_with_it(server: _Server) -> None:
    server.files |= dict([wheel("gamma", "1.0", requires=("alpha",)), wheel("beta_two", "2.0")])
    preferred = server.port.resolve(["alpha < 2", "gamma", "beta-two < 2"], _TARGET).wheels
    server.files |= dict([wheel("gamma", "2.0", requires=("alpha >= 2",))])
    asked = ["alpha", "gamma", "beta-two"]
    assert server.port.resolve(asked, _TARGET, preferred=preferred).wheels == preferred
    found = server.port.resolve(asked, _TARGET, preferred=preferred, renewed=["gamma"]).wheels
    assert [(item.name, item.version) for item in found] == [("alpha", "2.0"), ("beta-two", "1.0"), ("gamma", "2.0")]


def test_a_conflict_names_both_sides(server: _Server) -> None:
    server.files |= dict([wheel("gamma", "1.0", requires=("alpha < 2",))])
    with pytest.raises(Unresolvable) as caught:
        server.port.resolve(["gamma", "alpha >= 2"], _TARGET)
    assert "gamma" in caught.value.message
    assert "alpha" in caught.value.message


def test_bytes_that_the_index_did_not_announce_are_refused(server: _Server) -> None:
    server.broken.add("beta_two-1.0-py3-none-any.whl")
    with pytest.raises(LockageError) as caught:
        server.port.resolve(["beta-two"], _TARGET)
    assert isinstance(caught.value, PackageChanged | ServiceUnreachable | Unresolvable)
    assert server.blobs.data == {}


def test_broken_bytes_while_fetching_are_refused(server: _Server) -> None:
    found = server.port.resolve(["beta-two"], _TARGET).wheels
    server.blobs.data.clear()
    server.broken.add(found[0].file)
    with pytest.raises(PackageChanged):
        server.port.fetch(found)
    assert server.blobs.data == {}


@pytest.mark.slow
def test_an_index_that_does_not_answer(server: _Server) -> None:
    found = server.port.resolve(["beta-two"], _TARGET).wheels
    server.blobs.data.clear()
    server.close()
    for call in (lambda: server.port.resolve(["alpha"], _TARGET).wheels, lambda: server.port.fetch(found)):
        with pytest.raises(ServiceUnreachable) as caught:
            call()
        assert _PASSWORD not in str(caught.value)
        assert "s3cret" not in str(caught.value)


def test_wrong_credentials_are_said_and_not_shown(server: _Server, tmp_path: Path) -> None:
    port = server._server.server_address[1]
    settings = IndexSettings(source=Source(default=f"http://someone:hunter2two@127.0.0.1:{port}/simple"), home=str(tmp_path), timeout=5)
    blobs = MemoryBlobs()
    index = UvIndex(blobs, MemoryMemo(), uv=_UV, settings=settings, cache=tmp_path / "other", interpreter=Path(sys.executable))
    wheels = server.port.resolve(["beta-two"], _TARGET).wheels
    for call in (lambda: index.resolve(["beta-two"], _TARGET).wheels, lambda: index.fetch(wheels)):
        with pytest.raises(ServiceUnreachable) as caught:
            call()
        assert "redentials" in str(caught.value.hint)
        assert "hunter2two" not in str(caught.value)


def test_credentials_of_a_netrc_are_used(server: _Server, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f"machine 127.0.0.1 login {_USER} password {_PASSWORD}\n")
    (home / ".netrc").chmod(0o600)
    settings = IndexSettings(source=Source(default=f"http://127.0.0.1:{server._server.server_address[1]}/simple"), home=str(home))
    blobs = MemoryBlobs()
    index = UvIndex(blobs, MemoryMemo(), uv=_UV, settings=settings, cache=tmp_path / "other", interpreter=Path(sys.executable))
    wheels = index.resolve(["beta-two"], _TARGET).wheels
    blobs.data.clear()
    index.fetch(wheels)
    assert blobs.has(wheels[0].ref)


# Pins of other tools' lock files


def pin(name: str, version: str, *files: str, named: bool = True) -> Pin:
    return Pin(
        name=name,
        version=version,
        file=RelPath(files[0]) if named else None,
        sha256=tuple(Digest.of(_FILES[file]) for file in files),
    )


_ALPHA = tuple(file for file in _FILES if file.startswith("alpha-2.0"))


def test_pins_by_file_are_taken_as_they_are(index: _Any) -> None:
    found = index.port.take(
        [pin("beta-two", "1.0", "beta_two-1.0-py3-none-any.whl"), pin("alpha", "1.0", "alpha-1.0-py3-none-any.whl")], _TARGET
    )
    assert [(item.name, item.version, item.file) for item in found] == [
        ("alpha", "1.0", "alpha-1.0-py3-none-any.whl"),
        ("beta-two", "1.0", "beta_two-1.0-py3-none-any.whl"),
    ]
    for item in found:
        assert index.blobs.get(item.ref) == _FILES[item.file]


def test_a_pin_that_is_kept_asks_no_index(index: _Any) -> None:
    wanted = [pin("alpha", "1.0", "alpha-1.0-py3-none-any.whl")]
    first = index.port.take(wanted, _TARGET)
    index.files.clear()
    assert index.port.take(wanted, _TARGET) == first


def test_no_pins_are_no_wheels(index: _Any) -> None:
    assert index.port.take([], _TARGET) == ()


def test_a_pin_by_hashes_is_the_best_wheel_of_them(index: _Any) -> None:
    (best,) = index.port.take([pin("alpha", "2.0", *_ALPHA, named=False)], _TARGET)
    assert best.file == "alpha-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"


def test_a_pin_by_hashes_is_none_of_the_other_wheels(index: _Any) -> None:
    wanted = [pin("alpha", "2.0", "alpha-2.0-py3-none-any.whl", named=False)]
    if isinstance(index, _Folder):  # it says no hashes, so the best wheel that it has is fetched, and refused
        with pytest.raises(PackageChanged, match="alpha"):
            index.port.take(wanted, _TARGET)
    else:
        assert [item.file for item in index.port.take(wanted, _TARGET)] == ["alpha-2.0-py3-none-any.whl"]


@pytest.mark.parametrize("named", [True, False], ids=["by file", "by hashes"])
def test_a_pin_that_vanished_or_changed_is_named(index: _Any, named: bool) -> None:
    wanted = [pin("beta-two", "1.0", "beta_two-1.0-py3-none-any.whl", named=named)]
    name, data = wheel("beta_two", "1.0", build="other")
    index.files[name] = data
    with pytest.raises(PackageChanged, match="beta"):
        index.port.take(wanted, _TARGET)
    del index.files[name]
    with pytest.raises(PackageVanished, match=r"beta-two 1\.0"):
        index.port.take(wanted, _TARGET)
    assert index.blobs.data == {}


def test_a_pin_whose_wheels_do_not_fit_is_named(index: _Any) -> None:
    with pytest.raises(Unresolvable, match="windows"):
        index.port.take([pin("windows", "1.0", "windows-1.0-cp311-cp311-win_amd64.whl", named=False)], _TARGET)


def test_what_is_pinned_is_not_resolved_again(index: _Any) -> None:
    pinned = index.port.take([pin("alpha", "1.0", "alpha-1.0-py3-none-any.whl")], _TARGET)
    found = index.port.resolve(["alpha", "beta-two"], _TARGET, pinned=pinned).wheels
    assert [item.name for item in found] == ["beta-two"]
    with pytest.raises(Unresolvable, match="alpha"):
        index.port.resolve(["alpha >= 2"], _TARGET, pinned=pinned)


def test_dependencies_are_held_to_what_is_pinned(server: _Server) -> None:
    server.files |= dict([wheel("gamma", "1.0", requires=("alpha",)), wheel("delta", "1.0", requires=("alpha > 1",))])
    pinned = server.port.take([pin("alpha", "1.0", "alpha-1.0-py3-none-any.whl")], _TARGET)
    assert [item.name for item in server.port.resolve(["gamma"], _TARGET, pinned=pinned).wheels] == ["gamma"]
    with pytest.raises(Unresolvable, match="delta"):
        server.port.resolve(["delta"], _TARGET, pinned=pinned)


def _only(offer: Offer, version: str, *requires: str) -> Offer:
    """The offer with the metadata of one version known."""
    known = PackageMetadata(requires=requires)
    return msgspec.structs.replace(
        offer,
        stand_ins=tuple(msgspec.structs.replace(one, metadata=known) if one.version == version else one for one in offer.stand_ins),
    )


def test_the_sdists_of_a_project_are_told_and_kept(index: _Any) -> None:
    found = index.port.sdists("onlysource")
    assert [(one.name, one.version, one.file, one.metadata) for one in found.stand_ins] == [
        ("onlysource", "1.0", "onlysource-1.0.tar.gz", None),
        ("onlysource", "2.0", "onlysource-2.0.tar.gz", None),
    ]
    assert found.others == ()
    ref = index.port.keep_sdist(found.stand_ins[1])
    assert index.blobs.get(ref) == _FILES["onlysource-2.0.tar.gz"]
    assert index.port.keep_sdist(found.stand_ins[1]) == ref


def test_versions_without_an_sdist_are_told_as_such(index: _Any) -> None:
    found = index.port.sdists("alpha")
    assert ([one.version for one in found.stand_ins], found.others) == (["1.0"], ("2.0",))
    assert index.port.sdists("nowhere").stand_ins == ()


def test_an_sdist_that_vanished_is_said_so(index: _Any) -> None:
    stand_in = index.port.sdists("onlysource").stand_ins[0]
    del index.files[stand_in.file]
    with pytest.raises(PackageVanished):
        index.port.keep_sdist(stand_in)


def test_of_an_offered_project_a_stand_in_is_chosen(index: _Any) -> None:
    offers = [index.port.sdists(name) for name in ("alpha", "onlysource")]
    found = index.port.resolve(["alpha", "onlysource", "beta-two"], _TARGET, offers=offers)
    assert [(one.name, one.version) for one in found.stand_ins] == [("alpha", "1.0"), ("onlysource", "2.0")]
    assert [item.name for item in found.wheels] == ["beta-two"]


def test_what_a_stand_in_is_known_to_require_comes_along(index: _Any) -> None:
    offer = _only(index.port.sdists("onlysource"), "2.0", "beta-two", "alpha; python_version < '3'")
    found = index.port.resolve(["onlysource"], _TARGET, offers=[offer])
    assert [item.name for item in found.wheels] == ["beta-two"]
    assert found.stand_ins[0].metadata is not None


def test_constraints_and_requirements_choose_among_stand_ins(index: _Any) -> None:
    offers = [index.port.sdists("onlysource")]
    for requirement, constraints in (("onlysource", ["onlysource < 2"]), ("onlysource < 2", [])):
        (found,) = index.port.resolve([requirement], _TARGET, offers=offers, constraints=constraints).stand_ins
        assert found.version == "1.0"
    assert index.port.resolve(["beta-two"], _TARGET, constraints=["onlysource < 2"]).stand_ins == ()
    with pytest.raises(Unresolvable):
        index.port.resolve(["onlysource >= 3"], _TARGET, offers=offers)


def test_a_locked_sdist_is_preferred_and_fetched(index: _Any) -> None:
    offer = index.port.sdists("onlysource")
    ref = index.port.keep_sdist(offer.stand_ins[0])
    locked = LockedSdist(
        name="onlysource",
        version="1.0",
        file=RelPath("onlysource-1.0.tar.gz"),
        size=ref.size,
        sha256=ref.digest,
        inference=1,
        builder="onlysource",
    )
    (found,) = index.port.resolve(["onlysource"], _TARGET, offers=[offer], preferred=[locked]).stand_ins
    assert found.version == "1.0"
    index.blobs.data.clear()
    index.port.fetch([locked])
    assert index.blobs.has(ref)


def test_the_projects_for_want_of_whose_wheels_it_fails_are_told(index: _Any) -> None:
    with pytest.raises(Unresolvable) as caught:
        index.port.resolve(["onlysource"], _TARGET)
    assert caught.value.details["packages"] == ("onlysource",)


def test_a_stand_in_for_another_python_is_not_chosen(server: _Server) -> None:
    offer = server.port.sdists("onlysource")
    newer = msgspec.structs.replace(offer.stand_ins[1], requires_python=">=3.12")
    found = server.port.resolve(["onlysource"], _TARGET, offers=[msgspec.structs.replace(offer, stand_ins=(offer.stand_ins[0], newer))])
    assert [one.version for one in found.stand_ins] == ["1.0"]
