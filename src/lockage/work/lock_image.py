"""An environment that begins with an image, locked: the image's parts are pinned, and what Python packages are installed on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.environment.base import Interpreter
from lockage.environment.declaration import PythonLock
from lockage.environment.image.interpreter import interpreter_in
from lockage.environment.lock import REALISER, LockedEnvironment, RootRef
from lockage.environment.python import NoPython, target_on
from lockage.environment.root import stacked
from lockage.plan.contract import FIXED
from lockage.recipe.variables import refusal
from lockage.record.event import Phase
from lockage.work.base_image import pull_image
from lockage.work.roots import whole

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.base.instant import Instant
    from lockage.environment.base import ImageBase, LockedImage
    from lockage.environment.declaration import Architecture, Declaration
    from lockage.environment.root import Entry
    from lockage.ports import RootLayer
    from lockage.work.services import Services

__all__ = ["lock_image", "lock_on_image"]

_UNKNOWN = RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b""))


def lock_image(
    services: Services,
    name: str,
    declaration: Declaration,
    image: ImageBase,
    before: LockedEnvironment | None,
    *,
    architecture: Architecture,
    renewed: Collection[str],
    as_of: Instant | None,
) -> LockedEnvironment:
    """The environment with its image pulled, its Python found and its Python packages resolved.

    Raises what :func:`lockage.work.base_image.pull_image` raises, NoInterpreter, NoPython, and what the index raises.
    """
    services.tell(Phase(text=f"environment {name}: looking into {image}"))
    pulled = pull_image(services, image, architecture)
    services.tell(Phase(text=f"environment {name}: putting the image's root together"))
    draft = _draft(declaration, pulled, before, architecture)
    draft = msgspec.structs.replace(draft, root=services.roots.realise(draft, expect=False).ref)
    python = _python(services, draft, declaration)
    pulled = _settled(pulled, declaration, python if isinstance(python, Interpreter) else None)
    if not declaration.python and not isinstance(declaration.python_lock, PythonLock):
        return msgspec.structs.replace(draft, image=pulled)
    if not isinstance(python, Interpreter):
        raise python or NoPython("the image has no python3 in /usr/bin or /usr/local/bin", hint=_NAMED)
    return lock_on_image(services, name, declaration, pulled, before, architecture=architecture, renewed=renewed, as_of=as_of)


def lock_on_image(
    services: Services,
    name: str,
    declaration: Declaration,
    pulled: LockedImage,
    before: LockedEnvironment | None,
    *,
    architecture: Architecture,
    renewed: Collection[str],
    as_of: Instant | None,
    building: tuple[str, ...] = (),
) -> LockedEnvironment:
    """An environment that begins with an image as it is locked, with its Python: packages for that resolved, and the root put together.

    ``building`` are the projects that the environment is to build, each for the sake of the one before it. Raises what the index raises,
    and DependencyNotBuilt.
    """
    draft = _draft(declaration, pulled, before, architecture)
    python = pulled.python
    if python is not None:
        from lockage.work.python_packages import python_packages  # only environments with Python packages need it

        target = target_on(python, architecture)
        found = python_packages(services, name, declaration, target, before, renewed, as_of, building, lambda: None, pulled)
        draft = msgspec.structs.replace(draft, python=found.wheels, sdists=found.sdists, builders=found.builders)
        services.python_index.fetch([wheel for wheel in found.wheels if not services.blobs.has(wheel.ref)])
        services.tell(Phase(text=f"environment {name}: putting the root together"))
    return msgspec.structs.replace(draft, root=services.roots.realise(whole(services, draft, name), expect=False).ref)


def _draft(
    declaration: Declaration, pulled: LockedImage, before: LockedEnvironment | None, architecture: Architecture
) -> LockedEnvironment:
    """The environment as far as it is known before anything is resolved."""
    return LockedEnvironment(
        declaration=declaration.digest,
        image=pulled,
        architecture=architecture,
        root=_UNKNOWN,
        packages=(),
        realiser=REALISER if before is None else before.realiser,
    )


_NAMED = "Name the Python of the image with `interpreter`, such as /opt/python/cp312-cp312/bin/python3, or leave `python` out."


def _python(services: Services, draft: LockedEnvironment, declaration: Declaration) -> Interpreter | NoPython | None:
    layers = services.roots.layers(draft)
    owners: dict[str, RootLayer] = {entry.path: layer for layer in layers for entry in layer.entries}

    def read(entry: Entry) -> bytes:
        return owners[entry.path].read(entry)

    entries = {entry.path: entry for entry in stacked((layer.place, layer.entries) for layer in layers)}
    named = declaration.interpreter if isinstance(declaration.interpreter, str) else None
    return interpreter_in(entries, read, named, draft.architecture)


def _settled(pulled: LockedImage, declaration: Declaration, python: Interpreter | None) -> LockedImage:
    """The image with its Python, and of its variables those that steps get: all but what the contract fixes; of PATH that of the image.

    The folder of a Python that the recipe names is searched first.
    """
    variables = {name: value for name, value in pulled.variables.items() if name == "PATH" or refusal(name) is None}
    if python is not None and isinstance(declaration.interpreter, str):
        folder = python.path.rpartition("/")[0]
        path = variables.get("PATH", FIXED["PATH"])
        if path.split(":")[0] != folder:
            variables["PATH"] = f"{folder}:{path}"
    return msgspec.structs.replace(pulled, variables=variables, interpreter=msgspec.UNSET if python is None else python)
