"""The bytes of an image on a base are what they were: another digest would be another image to every registry."""

import subprocess
import sys
from pathlib import Path


def test_the_golden_vectors_hold() -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("regenerate.py"), "--verify"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "same\n", done.stdout + done.stderr
