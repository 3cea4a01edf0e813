"""What a setuptools project of the older kind says in setup.cfg and setup.py: whether it is one, and what it wants before it is built.

``setup_requires`` is where projects without ``[build-system]`` name the tools that give them their version.
"""

from __future__ import annotations

import ast
import configparser
from typing import TYPE_CHECKING

from lockage.recipe.metadata import setup_arguments

if TYPE_CHECKING:
    from lockage.recipe.metadata import Read

__all__ = ["declares_package", "setup_requires"]


def declares_package(setup_cfg: bytes | None) -> bool:
    """Whether a setup.cfg names a package, which setuptools builds without any setup.py; most hold only the settings of tools."""
    return _setup_cfg(setup_cfg).has_option("metadata", "name")


def setup_requires(read: Read) -> tuple[str, ...]:
    """The requirements of ``setup_requires``, as far as they are literals; and setuptools-scm where setup.py uses it by its keyword."""
    found = [line.strip() for line in _setup_cfg(read("setup.cfg")).get("options", "setup_requires", fallback="").splitlines()]
    data = read("setup.py")
    try:
        module = ast.parse(data) if data is not None else ast.Module(body=[], type_ignores=[])
    except (SyntaxError, ValueError, RecursionError):
        module = ast.Module(body=[], type_ignores=[])
    for name, value in setup_arguments(module):
        if name == "setup_requires":
            found += [node.value for node in ast.walk(value) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        elif name == "use_scm_version" and not (isinstance(value, ast.Constant) and not value.value):
            found.append("setuptools-scm")
    return tuple(text for text in found if text)


def _setup_cfg(data: bytes | None) -> configparser.RawConfigParser:
    """The parsed file; empty if there is none or it cannot be read."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string((data or b"").decode("utf-8", "replace"))
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser
