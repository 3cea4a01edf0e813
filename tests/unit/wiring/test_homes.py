"""Where things are kept for users who have no home, or one that cannot be written."""

from pathlib import Path

import pytest

from lockage.adapters.debian_mirror import DebianMirror
from lockage.adapters.python_index import UvIndex
from lockage.ports import StoreUnwritable
from lockage.wiring import InvalidSetting, Wiring


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the machine has no entry for, as in a container that was started with --user."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)


@pytest.mark.usefixtures("nobody")
def test_a_user_without_a_home_is_told_what_to_set() -> None:
    with pytest.raises(InvalidSetting, match="HOME is not set") as caught:
        _ = Wiring({}).store
    assert "LOCKAGE_HOME and LOCKAGE_KEYS" in caught.value.hint
    with pytest.raises(InvalidSetting, match="HOME is not set"):
        _ = Wiring({"LOCKAGE_HOME": "/srv/store"}).keys_folder


@pytest.mark.usefixtures("nobody")
def test_a_user_without_a_home_who_has_set_both_needs_none(tmp_path: Path) -> None:
    wiring = Wiring({"LOCKAGE_HOME": str(tmp_path / "store"), "LOCKAGE_KEYS": str(tmp_path / "keys"), "PATH": "/usr/bin"})
    assert (wiring.store, wiring.keys_folder) == (tmp_path / "store", tmp_path / "keys")
    assert isinstance(wiring.os_packages, DebianMirror)
    assert isinstance(wiring.python_index, UvIndex)


def test_a_store_that_cannot_be_written_is_named_by_whatever_touches_it_first(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    wiring = Wiring({"HOME": str(tmp_path), "LOCKAGE_HOME": str(tmp_path / "store"), "PATH": "/usr/bin"})
    for use in (lambda: wiring.os_packages, lambda: wiring.python_index, lambda: wiring.executor):
        with pytest.raises(StoreUnwritable) as caught:
            use()
        assert str(tmp_path / "store") in caught.value.message
        assert "LOCKAGE_HOME" in caught.value.hint
