"""A Python project's name, version and requires-python, read from its files without running any of them.

Each place is asked in turn (docs/inference.md has the table); what only a run of the build backend can tell stays unknown.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    #: The bytes of a file of the source by its path; None if there is none.
    Read = Callable[[str], bytes | None]

__all__ = ["Metadata", "poetry_constraint", "read_metadata", "setup_arguments", "table_at"]

#: What old tools write for a value that nobody gave.
_UNKNOWN = frozenset({"", "UNKNOWN"})


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What could be read; None is unknown. Values are as written, not checked or normalised."""

    name: str | None = None
    version: str | None = None
    requires_python: str | None = None

    def or_else(self, other: Metadata) -> Metadata:
        """This, with what is unknown taken from ``other``."""
        return Metadata(
            name=self.name or other.name,
            version=self.version or other.version,
            requires_python=self.requires_python or other.requires_python,
        )


def read_metadata(pyproject: Mapping[str, Any], read: Read) -> Metadata:
    """Ask every place, the most authoritative first; ``pyproject`` is the parsed pyproject.toml (empty if there is none)."""
    found = Metadata()
    for place in _places(pyproject, read):
        found = found.or_else(place)
    if found.version is None:
        found = found.or_else(Metadata(version=_version_of_tools(pyproject, read, found.name)))
    return found


def _places(pyproject: Mapping[str, Any], read: Read) -> Iterator[Metadata]:
    yield _pkg_info(read("PKG-INFO"))
    project = table_at(pyproject, "project")
    yield Metadata(
        name=_text(project.get("name")), version=_text(project.get("version")), requires_python=_text(project.get("requires-python"))
    )
    poetry = table_at(pyproject, "tool", "poetry")
    python = table_at(poetry, "dependencies").get("python")
    yield Metadata(
        name=_text(poetry.get("name")),
        version=_text(poetry.get("version")),
        requires_python=poetry_constraint(python) if isinstance(python, str) else None,
    )
    flit = table_at(pyproject, "tool", "flit", "metadata")
    yield Metadata(name=_text(flit.get("dist-name")) or _text(flit.get("module")), requires_python=_text(flit.get("requires-python")))
    yield _setup_cfg(read("setup.cfg"), read)
    yield _setup_py(read("setup.py"), read)


def table_at(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The table at a path of keys; empty if there is none."""
    for key in keys:
        below = document.get(key)
        if not isinstance(below, dict):
            return {}
        document = below
    return document


def _text(value: object) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() not in _UNKNOWN else None


def _pkg_info(data: bytes | None) -> Metadata:
    """The headers of an sdist's PKG-INFO (core metadata)."""
    if data is None:
        return Metadata()
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        if not line:
            break
        key, colon, value = line.partition(":")
        if colon and not key.startswith((" ", "\t")):
            fields.setdefault(key.lower(), value.strip())
    return Metadata(
        name=_text(fields.get("name")), version=_text(fields.get("version")), requires_python=_text(fields.get("requires-python"))
    )


def _setup_cfg(data: bytes | None, read: Read) -> Metadata:
    """setuptools' declarative configuration; ``attr:`` and ``file:`` are followed."""
    if data is None:
        return Metadata()
    import configparser  # only old projects have the file

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode("utf-8", "replace"))
    except configparser.Error:
        return Metadata()

    def get(section: str, key: str) -> str | None:
        return _text(parser.get(section, key, fallback=None))

    version = get("metadata", "version")
    if version is not None and version.startswith("attr:"):
        version = _attribute(version[5:].strip(), _package_dirs(parser.get("options", "package_dir", fallback="")), read)
    elif version is not None and version.startswith("file:"):
        version = _first_line(read(version[5:].strip()))
    return Metadata(name=get("metadata", "name"), version=version, requires_python=get("options", "python_requires"))


def _package_dirs(text: str) -> dict[str, str]:
    """setup.cfg's ``package_dir``: lines or commas of ``PACKAGE = FOLDER``."""
    pairs = (item.partition("=") for item in re.split(r"[\n,]", text) if "=" in item)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _setup_py(data: bytes | None, read: Read) -> Metadata:
    """Arguments of the ``setup()`` call: literals, names bound to literals, ``module.attribute``, and ``**options`` bound to a dict."""
    if data is None:
        return Metadata()
    try:
        module = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return Metadata()
    constants = _constants(module)
    found: dict[str, str] = {}
    for name, value in setup_arguments(module):
        text: str | None = None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            text = value.value
        elif isinstance(value, ast.Name):
            text = constants.get(value.id)
        elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            text = _attribute(f"{value.value.id}.{value.attr}", {}, read)
        if text is not None:
            found.setdefault(name, text)
    return Metadata(name=_text(found.get("name")), version=_text(found.get("version")), requires_python=_text(found.get("python_requires")))


def setup_arguments(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Every argument of every ``setup()`` call, by name."""
    dicts = {
        target.id: node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) == "setup":
            for argument in node.keywords:
                if argument.arg is not None:
                    yield argument.arg, argument.value
                elif isinstance(argument.value, ast.Name):
                    yield from _dict_items(dicts.get(argument.value.id))


def _dict_items(node: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    """The items of a ``{...}`` or ``dict(...)``."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "dict":
        for argument in node.keywords:
            if argument.arg is not None:
                yield argument.arg, argument.value


def _constants(module: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        for target in targets:
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[target.id] = value.value
    return found


def _first_line(data: bytes | None) -> str | None:
    return _text(data.decode("utf-8", "replace").strip().partition("\n")[0]) if data else None


def _module_files(module: str, package_dir: Mapping[str, str]) -> Iterator[str]:
    """Where a dotted module may be, as setuptools looks for it."""
    parts = module.split(".")
    roots = [package_dir.get(parts[0]), package_dir.get(""), "", "src"]
    for root in dict.fromkeys(root for root in roots if root is not None):
        inner = parts[1:] if root and root == package_dir.get(parts[0]) else parts
        stem = "/".join([*(part for part in root.split("/") if part and part != "."), *inner])
        yield f"{stem}.py"
        yield f"{stem}/__init__.py"


def _attribute(dotted: str, package_dir: Mapping[str, str], read: Read) -> str | None:
    """A module's attribute, if it is bound to a literal text; ``pkg.__version__`` or ``pkg.module.VERSION``."""
    module, _, name = dotted.rpartition(".")
    for path in _module_files(module, package_dir):
        data = read(path)
        if data is not None:
            try:
                return _text(_constants(ast.parse(data)).get(name))
            except (SyntaxError, ValueError, RecursionError):
                return None
    return None


#: hatchling's own default for ``[tool.hatch.version] pattern``; pdm-backend and scikit-build-core look for much the same.
_VERSION_LINE = r"(?im)^(?:__version__|VERSION)(?: ?: ?str)? *= *(?P<quote>['\"])v?(?P<version>.+?)(?P=quote)"


def _by_pattern(data: bytes | None, pattern: object = None) -> str | None:
    if data is None:
        return None
    try:
        expression = re.compile(pattern, re.MULTILINE) if isinstance(pattern, str) else re.compile(_VERSION_LINE)
    except re.error:
        return None
    match = expression.search(data.decode("utf-8", "replace"))
    return _text(match.groupdict().get("version")) if match else None


def _version_of_tools(pyproject: Mapping[str, Any], read: Read, name: str | None) -> str | None:
    """The version that a backend would read from a file of the source."""
    hatch = table_at(pyproject, "tool", "hatch", "version")
    if isinstance(hatch.get("path"), str):
        return _by_pattern(read(hatch["path"]), hatch.get("pattern") if hatch.get("pattern") is not True else None)
    pdm = table_at(pyproject, "tool", "pdm", "version")
    if pdm.get("source") == "file" and isinstance(pdm.get("path"), str):
        return _by_pattern(read(pdm["path"]))
    build = table_at(pyproject, "tool", "scikit-build", "metadata", "version")
    if isinstance(build.get("input"), str):
        return _by_pattern(read(build["input"]), build.get("regex"))
    setuptools = table_at(pyproject, "tool", "setuptools", "dynamic", "version")
    if isinstance(setuptools.get("attr"), str):
        folders = {key: value for key, value in table_at(pyproject, "tool", "setuptools", "package-dir").items() if isinstance(value, str)}
        return _attribute(setuptools["attr"], folders, read)
    if isinstance(setuptools.get("file"), str):
        return _first_line(read(setuptools["file"]))
    backend = table_at(pyproject, "build-system").get("build-backend")
    if isinstance(backend, str):
        return _version_by_backend(backend, pyproject, read, name)
    return None


def _version_by_backend(backend: str, pyproject: Mapping[str, Any], read: Read, name: str | None) -> str | None:
    if backend.startswith("flit") or backend == "buildapi":
        module = table_at(pyproject, "tool", "flit", "module").get("name") or table_at(pyproject, "tool", "flit", "metadata").get("module")
        module = module if isinstance(module, str) else (name or "").replace("-", "_")
        return _attribute(f"{module}.__version__", {}, read) if module else None
    if backend == "mesonpy":
        return _by_pattern(read("meson.build"), r"\bversion\s*:\s*(?P<quote>['\"])(?P<version>[^'\"]+)(?P=quote)")
    if backend == "maturin":
        return _by_pattern(read("Cargo.toml"), r"^version\s*=\s*\"(?P<version>[^\"]+)\"")
    return None


def poetry_constraint(text: str) -> str | None:
    """Poetry's caret and tilde as a specifier set; None if it has alternatives (``||``) or a form that is not known."""
    if "||" in text or "|" in text:
        return None
    found: list[str] = []
    for item in (part.strip() for part in text.split(",")):
        match = re.fullmatch(r"([\^~]?)\s*([0-9]+)((?:\.[0-9]+)*)", item)
        if match is None:
            if item == "*":
                continue
            if re.match(r"[<>=!]=?|~=", item) is None:
                return None
            found.append(item)
            continue
        sign, major, rest = match.groups()
        minor = rest.split(".")[1] if rest else None
        if not sign:
            found.append(f"=={major}{rest}")
        elif sign == "^" or minor is None:
            found.append(f">={major}{rest},<{int(major) + 1}")
        else:
            found.append(f">={major}{rest},<{major}.{int(minor) + 1}")
    return ",".join(found) or None
