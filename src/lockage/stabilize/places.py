"""Paths that say where something was built: temporary folders with a random name, and folders of users and builds."""

from __future__ import annotations

import re

__all__ = ["RANDOM_FOLDER", "host_path"]

#: Folders that Python's tempfile, pip, build, uv and mktemp make; the one group is the random part.
RANDOM_FOLDER = re.compile(
    rb"/(?:tmp|pip-(?:req-build|install|build-env|wheel|ephem-wheel-cache|modern-metadata|build-tracker|unpack)-|build-env-|build-via-sdist-)"
    rb"([a-z0-9_]{8})(?=[/\0])"
    rb"|/builds-v0/\.tmp([A-Za-z0-9]{6})(?=[/\0])"
    rb"|/tmp\.([A-Za-z0-9]{10})(?=[/\0])"
)
_REST = rb"[A-Za-z0-9._+@-]{1,64}/[A-Za-z0-9._+@/-]{1,160}"
#: A path below a folder that another machine does not have; one pattern each, so that each begins with what is quick to search for.
_HOST_PATHS = (
    *(
        re.compile(rb"/%s/%s" % (top, _REST))
        for top in (b"home", b"Users", b"root", b"builds", b"__w", b"github/workspace", b"var/folders")
    ),
    re.compile(rb":\\(?:Users|actions-runner|a)\\[A-Za-z0-9._+@-]{1,64}\\[A-Za-z0-9._+@\\-]{1,160}"),
)


def host_path(data: bytes) -> str | None:
    """The first path of a machine or user in these bytes."""
    found = next((match for pattern in _HOST_PATHS if (match := pattern.search(data))), None)
    return found[0].decode("ascii", "replace") if found else None
