"""The bytes of lockage.lock, for one platform and for several, are what they were (regenerate.py writes them)."""

import subprocess
import sys
from pathlib import Path

import pytest

from lockage.environment.declaration import ARCHITECTURES
from lockage.environment.lock import Lock

HERE = Path(__file__).parent
VECTORS = {
    "one-platform.lock": "a097d8a6e0a82cc5258f5ed4c7d06e47bee3e07499d6a56ab3cc5b6dfbcc950d",
    "two-platforms.lock": "5afcaf56af6199bdbb01c0ceef9168f4284e4c23b73a2419d37eb5c67258f126",
}


def test_the_vectors_are_what_the_code_makes() -> None:
    done = subprocess.run([sys.executable, HERE / "regenerate.py", "--verify"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run: .venv/bin/python tests/golden/lock/regenerate.py\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", VECTORS)
def test_the_digests_are_what_they_always_were(name: str) -> None:
    assert Lock.decode((HERE / name).read_bytes()).digest == VECTORS[name]


def test_each_platform_sees_its_own_of_a_lock_of_two() -> None:
    lock = Lock.decode((HERE / "two-platforms.lock").read_bytes())
    assert {platform: sorted(lock.on(platform).environments) for platform in ARCHITECTURES} == {
        "amd64": ["build"],
        "arm64": ["board", "build"],
    }
