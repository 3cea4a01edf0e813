"""What newer setuptools have dropped, and a project's setup.py still uses: the limit that its build needs and does not state.

Invariant: only what the files prove is limited, and never against a version that the project itself demands.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lockage.recipe.metadata import setup_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.recipe.metadata import Read

__all__ = ["setuptools_limit"]

#: The module that setuptools 82 left out, and the argument of setup() that 58 refuses (setuptools' history), each with the newest before.
_MODULE, _BEFORE_MODULE = "pkg_resources", ("82", "81.0.0")
_ARGUMENT, _BEFORE_ARGUMENT = "use_2to3", ("58", "57.5.0")
#: How many modules of the source that setup.py imports are looked into.
_MODULES = 30


def setuptools_limit(requires: Sequence[str], read: Read) -> str | None:
    """The requirement that keeps setuptools old enough for setup.py; None if nothing needs it, or the project says otherwise."""
    module = _parsed(read("setup.py"))
    if module is None:
        return None
    if any(name == _ARGUMENT and not (isinstance(value, ast.Constant) and not value.value) for name, value in setup_arguments(module)):
        before, newest = _BEFORE_ARGUMENT
    elif _MODULE in _imported(module, read):
        before, newest = _BEFORE_MODULE
    else:
        return None
    return f"setuptools < {before}" if _allows(requires, newest) else None


def _allows(requires: Sequence[str], version: str) -> bool:
    """Whether setuptools is required, and every requirement of it takes this version."""
    from packaging.requirements import Requirement  # slow to import, and only for a source that was not seen before

    found = [one for one in map(Requirement, requires) if one.name.lower() == "setuptools"]
    return bool(found) and all(one.specifier.contains(version) for one in found)


def _imported(setup: ast.Module, read: Read) -> set[str]:
    """The names of the modules that running setup.py imports and cannot do without, its own modules' imports with them."""
    names = set(_imports(setup, functions=True))
    waiting, seen = sorted(names), set(names)
    while waiting and len(seen) <= _MODULES + len(names):
        name = waiting.pop(0)
        path = name.replace(".", "/")
        module = _parsed(read(f"{path}.py") or read(f"{path}/__init__.py"))
        if module is not None:
            new = set(_imports(module, functions=False)) - seen
            waiting += sorted(new)
            seen |= new
    return seen


def _imports(module: ast.Module, *, functions: bool) -> Iterator[str]:
    """The modules that a module imports; those that a failure is caught for are left out, and those in functions unless wanted."""
    waiting: list[ast.AST] = [module]
    while waiting:  # not by recursion: an expression can be nested deeper than Python's stack
        node = waiting.pop()
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=0, module=str(name)):
                yield name
            case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(name)), *_]):
                yield name
            case ast.Try() if any(_catches_import(handler) for handler in node.handlers):
                continue
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if not functions:
                continue
            case _:
                pass
        waiting.extend(ast.iter_child_nodes(node))


def _catches_import(handler: ast.ExceptHandler) -> bool:
    caught = {getattr(node, "id", None) for node in ast.walk(handler.type)} if handler.type is not None else {"Exception"}
    return not caught.isdisjoint({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def _parsed(data: bytes | None) -> ast.Module | None:
    try:
        return None if data is None else ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return None
