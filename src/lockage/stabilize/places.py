"""Paths that say where something was built: temporary folders with a random name, and folders of users and builds."""

from __future__ import annotations

import re

__all__ = ["BUILD_PATH", "RANDOM_FOLDER"]

#: Folders that Python's tempfile, pip, build, uv and mktemp make; the one group is the random part.
RANDOM_FOLDER = re.compile(
    rb"/(?:tmp|pip-(?:req-build|install|build-env|wheel|ephem-wheel-cache|modern-metadata|build-tracker|unpack)-|build-env-|build-via-sdist-)"
    rb"([a-z0-9_]{8})(?=[/\0])"
    rb"|/builds-v0/\.tmp([A-Za-z0-9]{6})(?=[/\0])"
    rb"|/tmp\.([A-Za-z0-9]{10})(?=[/\0])"
)
#: A path below a folder that another machine does not have.
BUILD_PATH = re.compile(
    rb"/(?:home|Users|builds|runner/work|__w|github/workspace|var/folders|tmp)/[A-Za-z0-9._+@-]{1,64}/[A-Za-z0-9._+@/-]{1,160}"
    rb"|/root/[A-Za-z0-9._+@-]{1,64}/[A-Za-z0-9._+@/-]{1,160}"
    rb"|[A-Za-z]:\\(?:Users|actions-runner|a)\\[A-Za-z0-9._+@-]{1,64}\\[A-Za-z0-9._+@\\-]{1,160}"
)
