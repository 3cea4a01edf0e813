"""Recipe → the text of a lockage.toml, commented for a reader who sees one for the first time.

Invariant: parsing the text gives the recipe again, but for ``inferred``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.environment.base import HostBase, ImageBase
from lockage.environment.declaration import PythonLock, PythonRules, Suites
from lockage.recipe.base_host import UNPINNED_HOST
from lockage.recipe.model import FetchInput, Recipe, Resources, Step, StepKind
from lockage.recipe.service import Form
from lockage.stabilize.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockage.environment.declaration import Declaration
    from lockage.recipe.service import Service

__all__ = ["render", "render_tests", "toml_array", "toml_lines", "toml_table", "toml_text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DEFAULTS = Resources()
_SIZES = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))
_TIMES = (("h", 3600), ("min", 60), ("s", 1))
_WIDTH = 100

_HEAD = """\
# What lockage builds, of which steps, in which environments; docs/recipe.md has every key.
# `lockage lock` writes lockage.lock beside this file: the exact packages of every environment. Commit both.
"""
_VERSIONS = {
    "pyproject": "of [project] in pyproject.toml, else of the commit's tag",
    "tag": "of the commit's tag",
    "literal": 'this one until it is changed here; or "tag": of the commit\'s tag',
}


def render(recipe: Recipe) -> str:
    """The text of the recipe's lockage.toml."""
    sections = [_HEAD, _project(recipe)]
    sections += [_environment(name, declaration) for name, declaration in recipe.environments.items()]
    if recipe.flags:
        lines = (f"{_key(name)} = {_truth(value)}" for name, value in recipe.flags.items())
        sections.append(
            _section("[flags]", lines, "Declared inputs that change steps without changing sources: a step sees those that it names.")
        )
    if recipe.pools:
        lines = (f"{_key(name)} = {size}" for name, size in recipe.pools.items())
        sections.append(_section("[pools]", lines, "Things of which there are so many: steps that take some wait until they are free."))
    sections += [_fetch(found) for found in recipe.fetches]
    sections += [_service(found) for found in recipe.services]
    sections += [_step(step) for step in recipe.steps]
    return "\n".join(sections)


def render_tests(environment: tuple[str, Declaration], step: Step, file: str) -> str:
    """The text of a test step and its environment as comments, to be added to a lockage.toml by whoever wants them."""
    live = f"{_environment(*environment)}\n{_step(step)}"
    lines = (f"# {line}".rstrip() for line in live.splitlines() if not line.startswith("# "))
    head = f"# Tests with the wheels that {file} pins: take the `# ` away from the lines below, say `lockage lock`, then `lockage test`.\n"
    return head + "".join(f"{line}\n" for line in lines)


def _section(header: str, lines: Iterator[str] | Sequence[str], comment: str | None = None) -> str:
    return "".join(f"{line}\n" for line in (*((f"# {comment}",) if comment else ()), header, *lines))


def _project(recipe: Recipe) -> str:
    version = recipe.version.literal if recipe.version.literal is not None else recipe.version.rule
    comment = _VERSIONS.get(recipe.version.rule, "where it comes from")
    return _section("[project]", [f"name = {toml_text(recipe.project)}", f"version = {toml_text(version)}  # {comment}"])


def _environment(name: str, declaration: Declaration) -> str:
    lines = list(_base(declaration))
    if isinstance(declaration.platforms, tuple):
        lines.append(f"platforms = {toml_array(declaration.platforms)}")
    if isinstance(declaration.suites, Suites):
        lines += _suites(declaration.suites)
    if declaration.packages:
        lines.append(f"packages = {toml_array(declaration.packages)}")
    if declaration.python:
        lines.append(f"python = {toml_array(declaration.python)}")
    if isinstance(declaration.python_rules, PythonRules):
        lines += _python_rules(declaration.python_rules)
    if isinstance(declaration.python_lock, PythonLock):
        lines += _python_lock(declaration.python_lock)
    lines += _variables(declaration.variables)
    return _section(f"[environment.{_key(name)}]", lines, "Everything that a step of this environment can see beside its inputs.")


def _base(declaration: Declaration) -> Iterator[str]:
    if isinstance(declaration.host, HostBase):
        yield f"host = {toml_text(UNPINNED_HOST)}"
        if declaration.host.path:
            yield f"path = {toml_array(declaration.host.path)}"
    elif isinstance(declaration.image, ImageBase):
        yield f"image = {toml_text(f'{declaration.image.place}@sha256:{declaration.image.digest}')}"
        if isinstance(declaration.interpreter, str):
            yield f"interpreter = {toml_text(declaration.interpreter)}"
    else:
        yield f"os = {toml_text(str(declaration.base))}"


def _suites(suites: Suites) -> Iterator[str]:
    if suites.further:
        yield f"suites = {toml_array(suites.further)}"
    if suites.components != Suites.MAIN:
        yield f"components = {toml_array(suites.components)}"
    if suites.stale:
        yield f"allow-stale = {toml_array(suites.stale)}"
    if suites.keyring is not None:
        yield f"keyring = {toml_text(suites.keyring.file)}"


def _python_rules(rules: PythonRules) -> Iterator[str]:
    if rules.constraints:
        yield f"constraints = {toml_array(rules.constraints)}"
    if rules.all_from_source:
        yield "from-source = true"
    elif rules.from_source:
        yield f"from-source = {toml_array(rules.from_source)}"
    if rules.build_packages:
        pairs = (f"{_key(project)} = {toml_array(terms)}" for project, terms in rules.build_packages.items())
        yield f"build-packages = {{ {', '.join(pairs)} }}"


def _python_lock(lock: PythonLock) -> Iterator[str]:
    yield f"python-lock = {toml_text(lock.file)}"
    if lock.project is not None:
        yield f"project = {toml_text(lock.project)}"
    if lock.groups:
        yield f"groups = {toml_array(lock.groups)}"
    if lock.extras:
        yield f"extras = {toml_array(lock.extras)}"


def _fetch(found: FetchInput) -> str:
    lines = [f"url = {toml_text(found.urls[0]) if len(found.urls) == 1 else toml_array(found.urls)}", f"sha256 = {toml_text(found.sha256)}"]
    lines.append(f"path = {toml_text(found.path)}")
    if found.executable:
        lines.append("executable = true")
    if found.limit != FetchInput.DEFAULT_LIMIT:
        lines.append(f"limit = {toml_text(_size(found.limit))}")
    return _section(f"[fetch.{_key(found.name)}]", lines, "A file from outside the source; steps that name it see it.")


def _service(found: Service) -> str:
    lines = [f"{found.form} = {toml_text(found.recording)}"]
    if found.port != 80 or not found.hosts:
        lines.append(f"port = {found.port}")
    lines += [f"{key} = {toml_array(values)}" for key, values in (("hosts", found.hosts), ("headers", found.matching.headers)) if values]
    if found.matching.ignore:
        lines.append(f"ignore = {toml_array(found.matching.ignore)}")
    flags = (
        ("in-order", found.matching.in_order),
        ("repeat", found.matching.repeat and found.form is Form.HAR),
        ("must-use-all", found.matching.must_use_all),
    )
    lines += [f"{key} = true" for key, value in flags if value]
    return _section(f"[service.{_key(found.name)}]", lines, "Stands in for an outside service, and answers what was recorded.")


def _step(step: Step) -> str:
    return _section(f"[step.{_key(step.name)}]", list(_step_lines(step)), _purpose(step))


def _purpose(step: Step) -> str:
    if step.kind is StepKind.BUILD:
        text = "Delivers its artifacts." if step.artifacts else "Makes what other steps need."
        return text + " Runs without a network, in a directory that holds its inputs and the outputs of its needs."
    return "Delivers evidence, no artifacts: the release's policy can ask for it."


def _step_lines(step: Step) -> Iterator[str]:
    if step.kind is not StepKind.BUILD:
        yield f"kind = {toml_text(step.kind)}"
    yield f"environment = {toml_text(step.environment)}"
    if step.needs:
        yield f"needs = {toml_array(step.needs)}  # their outputs, at their own paths"
    if step.inputs != ("**",):
        yield f"inputs = {toml_array(step.inputs)}" + ("" if step.inputs else "  # nothing of the source itself")
    yield from (f"{key} = {toml_array(names)}" for key, names in (("fetch", step.fetch), ("services", step.services)) if names)
    if step.crates is not None:
        yield f"crates = {toml_text(step.crates)}  # all that it pins, where cargo finds it"
    if step.stamp:
        yield f"stamp = {toml_array(step.stamp)}  # SOURCE_DATE_EPOCH" + (" and LOCKAGE_VERSION" if len(step.stamp) > 1 else "")
    if step.flags:
        yield f"flags = {toml_array(step.flags)}"
    yield f"run = {_run(step.run)}"
    if step.outputs:
        yield f"outputs = {toml_array(step.outputs)}"
    if step.artifacts:
        yield f"artifacts = {toml_array(step.artifacts)}"
    yield from _variables(step.variables, step.unset)
    if step.modes:
        yield f"modes = {toml_array(step.modes)}"
    yield from _resources(step.resources)
    if step.retries:
        yield f"retries = {step.retries}"
    yield from _held(step)
    yield from _stabilize(step.stabilize)


def _held(step: Step) -> Iterator[str]:
    if step.exclusive:
        yield f"exclusive = {toml_array(step.exclusive)}"
    if step.pools:
        yield f"pools = {{ {', '.join(f'{_key(name)} = {units}' for name, units in step.pools.items())} }}"


def _stabilize(passes: bool | Choice) -> Iterator[str]:
    if isinstance(passes, Choice):
        named = (("on", passes.on), ("off", passes.off))
        yield f"stabilize = {{ {', '.join(f'{key} = {toml_array(names)}' for key, names in named if names)} }}"
    elif not passes:
        yield "stabilize = false"


def _resources(resources: Resources) -> Iterator[str]:
    if resources.cpus != _DEFAULTS.cpus:
        yield f"cpus = {resources.cpus}"
    if resources.memory != _DEFAULTS.memory:
        yield f"memory = {toml_text(_size(resources.memory))}"
    if resources.disk != _DEFAULTS.disk:
        yield f"disk = {toml_text(_size(resources.disk))}"
    if resources.timeout != _DEFAULTS.timeout:
        yield f"timeout = {toml_text(_duration(resources.timeout))}"
    if resources.processes != _DEFAULTS.processes:
        yield f"processes = {resources.processes}"


def _variables(variables: Mapping[str, str], unset: Sequence[str] = ()) -> Iterator[str]:
    if variables or unset:
        yield f"variables = {toml_table({**variables, **dict.fromkeys(unset, False)})}"


def toml_table(values: Mapping[str, str | bool]) -> str:
    """An inline table."""
    pairs = (f"{_key(name)} = {_truth(value) if isinstance(value, bool) else toml_text(value)}" for name, value in values.items())
    return f"{{ {', '.join(pairs)} }}"


def _run(arguments: tuple[str, ...]) -> str:
    if len(arguments) == 3 and arguments[:2] == ("/bin/sh", "-euc") and arguments[2].strip():
        return toml_lines(arguments[2])
    return toml_array(arguments)


def toml_lines(text: str) -> str:
    """Several lines as they are if TOML's literal text can hold them; else, and for one line, a basic text."""
    plain = all(character in "\n\t" or (character >= " " and character != "\x7f") for character in text)
    if text.count("\n") > 1 and plain and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    return toml_text(text)


def _size(size: int) -> str:
    unit, factor = next((unit, factor) for unit, factor in _SIZES if size % factor == 0)
    return f"{size // factor} {unit}"


def _duration(seconds: int) -> str:
    unit, factor = next((unit, factor) for unit, factor in _TIMES if seconds % factor == 0)
    return f"{seconds // factor} {unit}"


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_text(name)


def toml_array(items: Sequence[str]) -> str:
    """An array of texts, on one line if that is not long."""
    texts = [toml_text(item) for item in items]
    if sum(map(len, texts)) + 2 * len(texts) <= _WIDTH:
        return f"[{', '.join(texts)}]"
    return "[\n" + "".join(f"    {text},\n" for text in texts) + "]"


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def toml_text(value: str) -> str:
    """A TOML basic string."""
    return '"' + "".join(_ESCAPES.get(c) or (f"\\u{ord(c):04X}" if c < " " or c == "\x7f" else c) for c in value) + '"'
