"""Sdists that others published: a list of them, their bytes from the machine's index, and what kind of project each holds."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import threading
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from lockage.adapters.python_index import discover_index
from lockage.adapters.python_index.download import Downloader
from lockage.adapters.python_index.simple import project_files
from lockage.adapters.python_index.uv import Uv
from lockage.recipe.backend import Backend, InvalidProject, read_backend, read_pyproject

#: The first name of a build backend's module → what the tables call it.
BACKENDS = {
    "setuptools": "setuptools",
    "hatchling": "hatchling",
    "flit_core": "flit",
    "flit_scm": "flit",
    "poetry": "poetry-core",
    "pdm": "pdm-backend",
    "mesonpy": "meson-python",
    "scikit_build_core": "scikit-build-core",
    "uv_build": "uv",
    "maturin": "maturin",
}
#: Suffixes of sources that are compiled: how a project that was not built is told to be one with extension modules.
COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".rs", ".f90", ".f")


class Listed(NamedTuple):
    """One line of a list."""

    name: str
    version: str
    file: str
    sha256: str


def read_list(path: Path) -> list[Listed]:
    """The sdists of a list: name, version, file name and sha256 between white space; what follows is passed over, `#` begins a comment."""
    lines = (text.split() for text in path.read_text().splitlines() if text.strip() and not text.startswith("#"))
    return [Listed(*words[:4]) for words in lines]


class Sdists:
    """The sdists of a list, fetched from the machine's index and checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        settings = discover_index(os.environ, Path.home(), prefix=Path(sys.prefix))
        self._downloader = Downloader(settings)
        uv = Uv(Path(sys.executable).parent / "uv", settings, folder / "uv", Path(sys.executable))
        self._indexes = (*settings.source.extra, settings.source.default or uv.default_index())
        self._one_at_a_time = threading.Lock()

    def path(self, listed: Listed) -> Path:
        """Where the file lies; fetched if it is not there. Raises LookupError if no index has it, or has other bytes."""
        path = self.folder / listed.file
        with self._one_at_a_time:
            if not (path.is_file() and sha256(path.read_bytes()).hexdigest() == listed.sha256):
                path.write_bytes(self._fetched(listed))
        return path

    def _fetched(self, listed: Listed) -> bytes:
        for index in self._indexes:
            for found in project_files(self._downloader, index, listed.name):
                if found.name == listed.file and found.sha256 in (None, listed.sha256):
                    data = io.BytesIO()
                    self._downloader.copy(found.address, data)
                    if sha256(data.getvalue()).hexdigest() != listed.sha256:
                        raise LookupError(f"{listed.file} on the index has other bytes than the list says")
                    return data.getvalue()
        raise LookupError(f"{listed.file} is on no index that is configured here")


def backend_of(sdist: Path) -> tuple[str, str]:
    """The build backend of an sdist, and `ext` if it has sources to compile, else `pure`; `unknown` where pyproject.toml has no sense."""
    names, pyproject = _looked_into(sdist)
    try:
        family = _family(read_backend(read_pyproject(pyproject)))
    except InvalidProject:
        family = "unknown"
    return family, "ext" if any(name.endswith(COMPILED) and "/test" not in name for name in names) else "pure"


def _looked_into(sdist: Path) -> tuple[list[str], bytes | None]:
    """The names of an archive's members, and its pyproject.toml if it has one."""
    if zipfile.is_zipfile(sdist):
        with zipfile.ZipFile(sdist) as archive:
            names = archive.namelist()
            found = _pyproject(names)
            return names, archive.read(found) if found else None
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        found = _pyproject(names)
        stream = archive.extractfile(found) if found else None
        return names, stream.read() if stream else None


def _pyproject(names: list[str]) -> str | None:
    return next((name for name in names if name.count("/") == 1 and name.endswith("/pyproject.toml")), None)


def _family(backend: Backend) -> str:
    return BACKENDS.get(backend.module.partition(".")[0], "its own" if backend.path else backend.module)
