"""What every adapter of the ports Keys and Signer keeps; and what only files can get wrong."""

import multiprocessing
import os
import stat
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.adapters.memory.signer import MemoryKeys
from lockage.adapters.signer_file import FileKeys
from lockage.evidence import PublicKey
from lockage.ports import Keys, KeyUnusable

Make = Callable[[], Keys]


@pytest.fixture(params=["file", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens the same keys again and again."""
    if request.param == "file":
        return lambda: FileKeys(tmp_path / "config" / "keys")
    kept = MemoryKeys()
    return lambda: kept


def test_a_key_signs_and_verifies(make: Make) -> None:
    signer = make().load_or_create("builder")
    key = PublicKey.of(signer.public)
    assert key.verifies(signer.sign(b"data"), b"data")
    assert not key.verifies(signer.sign(b"data"), b"other")
    assert signer.sign(b"data") == signer.sign(b"data")


def test_a_key_stays_the_same(make: Make) -> None:
    first = make().load_or_create("builder").public
    assert make().load_or_create("builder").public == first
    assert make().load("builder").public == first


def test_keys_of_different_names_differ(make: Make) -> None:
    keys = make()
    assert keys.load_or_create("builder").public != keys.load_or_create("verifier").public
    assert keys.names() == ("builder", "verifier")


def test_no_keys_yet(make: Make) -> None:
    assert make().names() == ()
    with pytest.raises(KeyUnusable):
        make().load("builder")


@pytest.mark.parametrize("name", ["", "../builder", "a/b", ".hidden", "a b", "é"])
def test_a_name_that_is_no_file_name_is_refused(make: Make, name: str) -> None:
    with pytest.raises(KeyUnusable):
        make().load_or_create(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_modes_do_not_depend_on_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        FileKeys(folder).load_or_create("builder")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "builder.pem").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["builder.pem"]


@pytest.mark.parametrize(
    ("what", "mode", "hint"), [("", 0o750, "chmod 700"), ("builder.pem", 0o640, "chmod 600"), ("builder.pem", 0o604, "chmod 600")]
)
def test_what_others_can_read_is_refused_with_the_remedy(folder: Path, what: str, mode: int, hint: str) -> None:
    FileKeys(folder).load_or_create("builder")
    path = folder / what if what else folder
    path.chmod(mode)
    for use in (FileKeys(folder).load, FileKeys(folder).load_or_create):
        with pytest.raises(KeyUnusable) as caught:
            use("builder")
        assert f"{hint} {path}" in caught.value.hint
        assert f"{mode:o}" in caught.value.message


def test_another_users_key_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FileKeys(folder).load_or_create("builder")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(KeyUnusable, match=f"not to {other}"):
        FileKeys(folder).load("builder")


def _private(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


DEFECTS = {
    "empty": b"",
    "cut": _private(Ed25519PrivateKey.generate())[:60],
    "rubbish": b"\x00\xff" * 40,
    "password": _private(Ed25519PrivateKey.generate(), b"secret"),
    "another-algorithm": _private(ec.derive_private_key(1, ec.SECP256R1())),
}


@pytest.mark.parametrize("change", [lambda pem: b"a comment\n" + pem, lambda pem: pem.replace(b"\n", b"\r\n"), lambda pem: pem[:-1]])
def test_a_key_that_another_program_wrote_is_read(folder: Path, change: Callable[[bytes], bytes]) -> None:
    made = FileKeys(folder).load_or_create("builder")
    path = folder / "builder.pem"
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    assert path.read_bytes() == _private(key)
    path.write_bytes(change(path.read_bytes()))
    assert FileKeys(folder).load("builder").public == made.public


@pytest.mark.parametrize("defect", list(DEFECTS))
def test_a_damaged_key_is_named_and_never_replaced(folder: Path, defect: str) -> None:
    FileKeys(folder).load_or_create("builder")
    (folder / "builder.pem").write_bytes(DEFECTS[defect])
    with pytest.raises(KeyUnusable, match=r"builder\.pem"):
        FileKeys(folder).load_or_create("builder")
    assert (folder / "builder.pem").read_bytes() == DEFECTS[defect]


def test_a_link_or_a_pipe_is_no_key(folder: Path, tmp_path: Path) -> None:
    FileKeys(folder).load_or_create("builder")
    (folder / "builder.pem").rename(tmp_path / "elsewhere")
    (folder / "builder.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyUnusable):
        FileKeys(folder).load("builder")
    (folder / "builder.pem").unlink()
    os.mkfifo(folder / "builder.pem", 0o600)
    with pytest.raises(KeyUnusable, match="not a regular file"):
        FileKeys(folder).load("builder")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyUnusable, match="cannot be made"):
        FileKeys(tmp_path / "file" / "keys").load_or_create("builder")
    with pytest.raises(KeyUnusable):
        FileKeys(tmp_path / "file").load_or_create("builder")


def test_keys_inside_the_store_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    for folder in (tmp_path / "store" / "keys", tmp_path / "link" / "keys"):
        with pytest.raises(KeyUnusable, match="inside the store"):
            FileKeys(folder, store=tmp_path / "store").load_or_create("builder")
    assert FileKeys(tmp_path / "keys", store=tmp_path / "store").load_or_create("builder").public


def _create(folder: Path, barrier: Barrier, found: "multiprocessing.SimpleQueue[bytes]") -> None:
    barrier.wait(30)
    found.put(FileKeys(folder).load_or_create("builder").public)


def test_processes_that_need_a_new_key_at_once_get_one(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, found = context.Barrier(4), context.SimpleQueue()
    processes = [context.Process(target=_create, args=(folder, barrier, found)) for _ in range(4)]
    for process in processes:
        process.start()
    publics = {found.get() for _ in processes}
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(publics) == 1
