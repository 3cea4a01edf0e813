"""Files of the source that an environment's declaration names: other tools' lock files, and keyrings.

Invariant: their sha256 is part of what is declared, so that a change of the file is a change of the declaration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Usage
from lockage.base.tree import file_at
from lockage.environment.declaration import Declaration, Keyring, PythonLock, Suites

if TYPE_CHECKING:
    from lockage.base.digest import BlobRef
    from lockage.recipe.model import Recipe
    from lockage.work.services import Services

__all__ = ["KeyringMissing", "keyring_of", "with_declared_files"]


class KeyringMissing(Usage):
    """An environment names a keyring that is no file of the source."""

    code = "keyring-missing"
    hint = "Commit the keyring, or correct `keyring`; the path is relative to where the source begins."


def with_declared_files(services: Services, recipe: Recipe, tree: BlobRef) -> Recipe:
    """The recipe with the sha256 of every file that its environments name.

    Raises :class:`lockage.environment.python_lock.InvalidPythonLock` and :class:`KeyringMissing` if the source has no such file.
    """
    environments = {name: _declared(services, name, declaration, tree) for name, declaration in recipe.environments.items()}
    return recipe if environments == recipe.environments else msgspec.structs.replace(recipe, environments=environments)


def _declared(services: Services, name: str, declaration: Declaration, tree: BlobRef) -> Declaration:
    lock, suites = declaration.python_lock, declaration.suites
    if isinstance(lock, PythonLock):
        found = file_at(tree, lock.file, services.blobs.get)
        if found is None:
            from lockage.work.python_lock import not_there  # only on the way to an error

            raise not_there(name, lock)
        declaration = msgspec.structs.replace(declaration, python_lock=msgspec.structs.replace(lock, sha256=found.digest))
    if isinstance(suites, Suites) and suites.keyring is not None:
        found = file_at(tree, suites.keyring.file, services.blobs.get)
        if found is None:
            raise _missing(suites.keyring, name)
        keyring = msgspec.structs.replace(suites.keyring, sha256=found.digest)
        declaration = msgspec.structs.replace(declaration, suites=msgspec.structs.replace(suites, keyring=keyring))
    return declaration


def keyring_of(services: Services, keyring: Keyring) -> bytes:
    """The bytes of a keyring whose sha256 is known. Raises :class:`KeyringMissing`."""
    kept = services.blobs.locate(keyring.sha256) if keyring.sha256 is not None else None
    if kept is None:
        raise _missing(keyring)
    return services.blobs.get(kept)


def _missing(keyring: Keyring, environment: str = "") -> KeyringMissing:
    who = f"environment {environment!r} trusts" if environment else "the recipe trusts"
    return KeyringMissing(f"{who} the keyring {keyring.file}, which is no file of the source", file=keyring.file, environment=environment)
