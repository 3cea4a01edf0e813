"""Sdists that tests make, and the backend that builds them in a sandbox that is a fake."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING

from lockage.adapters.memory.packages import make_wheel
from lockage.recipe.hooks import HOOK_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.adapters.memory.executor import Workspace
    from lockage.adapters.memory.services import MemoryServices


def sdist(name: str, version: str, files: Mapping[str, str]) -> bytes:
    """A project that says how it is built: with `backend`, unless its files say otherwise."""
    given = {
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": '[build-system]\nrequires = ["backend"]\nbuild-backend = "backend"\n',
        **files,
    }
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, text in given.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(plain.getvalue(), mtime=0)


class Backend:
    """A build backend: a wheel's requirements are the lines of `requires`, its content the file `content`; `fails` says what it lacks."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.asks: tuple[str, ...] = ()
        self.fickle: set[str] = set()
        self.broken: set[str] = set()

    def __call__(self, workspace: Workspace) -> int:
        (output,) = workspace.request.action.outputs
        files = {str(path): data.decode() for path, data in workspace.files.items()}
        if output == HOOK_OUTPUT:
            workspace.write(HOOK_OUTPUT, json.dumps({"build_wheel": self.asks}).encode())
            return 0
        fields = dict(line.split(": ", 1) for line in files["PKG-INFO"].splitlines() if line)
        name, version = fields["Name"], fields["Version"]
        self.built.append(f"{name} {version}")
        if "fails" in files or name in self.broken:
            workspace.log += files.get("fails", "").encode()
            return 1
        content = files.get("content", "") + (str(len(self.built)) if name in self.fickle else "")
        named = files.get("named", f"{name}-{version}")
        wheel = make_wheel(name, {f"{name}.py": content.encode()}, version=version, requires=files.get("requires", "").splitlines())
        workspace.write(f"{output}/{named}-py3-none-any.whl", wheel)
        return 0


def offer(services: MemoryServices, name: str, version: str, files: Mapping[str, str]) -> None:
    services.python_index.files[f"{name}-{version}.tar.gz"] = sdist(name, version, files)
