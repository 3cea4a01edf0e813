"""The room's public names exist, and asking for its errors does not import the rest."""

import subprocess
import sys

import pytest

import lockage.ledger


def test_every_public_name_is_there() -> None:
    for name in lockage.ledger.__all__:
        assert getattr(lockage.ledger, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        getattr(lockage.ledger, "nothing")  # noqa: B009  # mypy knows that it is not there


def test_the_ports_do_not_import_entries() -> None:
    code = "import sys, lockage.ports; sys.exit('lockage.ledger.entry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
