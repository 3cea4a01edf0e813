"""Another tool's lock file on its way from the source into an environment: the wheels that it pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.tree import FileNode, read_tree

if TYPE_CHECKING:
    from lockage.environment.declaration import PythonLock
    from lockage.environment.lock import LockedWheel
    from lockage.environment.python import PythonTarget
    from lockage.recipe.model import Recipe
    from lockage.work.services import Services

__all__ = ["not_there", "take_over", "tests_offered"]


def not_there(environment: str, lock: PythonLock) -> Exception:
    """The error for a lock file that is no file of the source."""
    from lockage.environment.python_lock import InvalidPythonLock  # only on the way to an error

    return InvalidPythonLock(
        f"environment {environment!r} takes over {lock.file}, which is no file of the source",
        hint=f"Commit {lock.file}, or correct `python-lock`; the path is relative to where the source begins.",
        file=lock.file,
        environment=environment,
    )


def take_over(services: Services, lock: PythonLock, target: PythonTarget) -> tuple[LockedWheel, ...]:
    """The wheels that a lock file of the source pins for an environment, fetched and checked."""
    from lockage.environment.python_lock import pins_of

    kept = services.blobs.locate(lock.sha256) if lock.sha256 is not None else None
    if kept is None:
        raise not_there("", lock)
    return services.python_index.take(pins_of(lock, services.blobs.get(kept), target), target)


def tests_offered(services: Services, locator: str, recipe: Recipe) -> str:
    """The text of a commented test step with what the source's own lock file pins; empty if it has none that can be read."""
    from lockage.environment.python_lock import offer_of
    from lockage.recipe.locked_tests import locked_tests
    from lockage.recipe.render import render_tests

    read = services.sources.read(locator)
    files = {str(node.path): node.blob for node in read_tree(read.tree, services.blobs.get) if isinstance(node, FileNode)}
    offer = offer_of(files, lambda path: services.blobs.get(files[path]))
    if offer is None:
        return ""
    environment, step = locked_tests(recipe, offer, tuple(files))
    return render_tests(environment, step, offer.file)
