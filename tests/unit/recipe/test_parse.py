"""lockage.toml → Recipe, and every way in which it can be wrong."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.errors import ExitCode
from lockage.base.path import RelPath
from lockage.plan.contract import FIXED
from lockage.recipe.fault import InvalidRecipe, RecipeCycle, RecipeFault
from lockage.recipe.model import Recipe, Resources, Stamp, StepKind, VersionFrom
from lockage.recipe.parse import parse_recipe
from lockage.recipe.variables import OWNED
from lockage.stabilize import Choice

DESIGN = """
[project]
name = "shop"
version = "pyproject"                     # or "tag", or a literal

[environment.build]
os = "debian:bookworm"
packages = ["python3-dev", "gcc"]
python = ["build", "hatchling >= 1.27"]

[flags]
new-checkout = false

[step.wheel]
environment = "build"
inputs = ["src/**", "pyproject.toml", "README.md"]      # of the source; default: all of it
stamp = ["date", "version"]
run = "python3 -m build --no-isolation --outdir dist ."
outputs = ["dist"]                        # literal paths
artifacts = ["dist/*.whl", "dist/*.tar.gz"]   # selected from the outputs
cpus = 1
memory = "1 GiB"
timeout = "10 min"

[step.unit]
kind = "test"
environment = "build"
needs = ["wheel"]
inputs = ["tests/**"]
flags = ["new-checkout"]
run = "python3 -m venv --system-site-packages .v && .v/bin/pytest --junitxml=report.xml tests"
outputs = ["report.xml"]
"""

MINIMAL = """\
[project]
name = "shop"
[environment.build]
os = "debian:bookworm"
[step.wheel]
run = "make"
outputs = ["dist"]
"""


def recipe(text: str) -> Recipe:
    return parse_recipe(text.encode())


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(text)
    return [str(fault) for fault in caught.value.faults]


def test_the_example_of_the_design() -> None:
    found = recipe(DESIGN)
    assert (found.project, found.version, found.flags) == ("shop", VersionFrom(rule="pyproject"), {"new-checkout": False})
    assert str(found.environments["build"].os) == "debian:bookworm"
    assert found.environments["build"].python == ("build", "hatchling >= 1.27")
    wheel, unit = found.steps
    assert wheel.run == ("/bin/sh", "-euc", "python3 -m build --no-isolation --outdir dist .")
    assert wheel.stamp == (Stamp.DATE, Stamp.VERSION)
    assert wheel.outputs == (RelPath("dist"),)
    assert wheel.artifacts == ("dist/*.whl", "dist/*.tar.gz")
    assert wheel.resources == Resources(cpus=1, memory=1 << 30, timeout=600)
    assert (unit.kind, unit.needs, unit.flags, unit.inputs) == (StepKind.TEST, ("wheel",), ("new-checkout",), ("tests/**",))


def test_what_is_left_out_has_its_default() -> None:
    (step,) = recipe(MINIMAL).steps
    assert step.environment == "build"
    assert step.inputs == ("**",)
    assert step.kind is StepKind.BUILD
    assert step.resources == Resources()
    assert step.stabilize


def test_everything_that_can_be_said() -> None:
    text = """
    project = { name = "shop", version = "1.0" }
    environment.a = { os = "debian:trixie", variables = { CFLAGS = "-O1", A = "b" } }
    environment.b.os = "debian:bookworm"
    environment.b.packages = ["libfoo-dev:any (>= 1.2~) | libbar-dev", "g++"]
    environment.b.python = ["a[x,y] ~= 1.2", "b; python_version >= '3.9'", "c == 1.*, != 1.3"]
    [step.one]
    environment = "b"
    run = ["make", "-C", "a b"]
    inputs = []
    outputs = ["a", "b/c"]
    artifacts = ["**/*.x", "!a/y.x"]
    stamp = ["version", "date"]
    variables = { LC_TIME = "C", x_1 = "" }
    memory = 1000000
    disk = "1.5 GiB"
    timeout = 90
    processes = 10
    retries = 10
    exclusive = ["port-5432", "gpu"]
    pools = { licence = 2, device = 1 }
    stabilize = false
    [step.two]
    environment = "a"
    kind = "check"
    needs = ["one"]
    run = "true"
    [pools]
    licence = 2
    device = 1
    """
    found = recipe(text)
    one, two = found.steps
    assert found.version == VersionFrom(rule="literal", literal="1.0")
    assert found.environments["a"].variables == {"A": "b", "CFLAGS": "-O1"}
    assert (one.run, one.inputs, one.stamp) == (("make", "-C", "a b"), (), (Stamp.DATE, Stamp.VERSION))
    assert one.resources == Resources(memory=1_000_000, disk=3 << 29, timeout=90, processes=10)
    assert (one.retries, two.retries) == (10, 0)
    assert (one.exclusive, two.exclusive) == (("gpu", "port-5432"), ())
    assert (one.pools, two.pools, found.pools) == ({"device": 1, "licence": 2}, {}, {"licence": 2, "device": 1})
    assert not one.stabilize
    assert (two.kind, two.outputs) == (StepKind.CHECK, ())


def test_passes_are_switched_on_and_off_by_name() -> None:
    for written, meant in (
        ("true", True),
        ("{}", True),
        ("false", False),
        ('{ off = ["png", "html"], on = ["elf"] }', Choice(on=("elf",), off=("html", "png"))),
    ):
        assert recipe(f"{MINIMAL}stabilize = {written}\n").steps[0].stabilize == meant
    assert recipe(f"{MINIMAL}stabilize = true\n").digest == recipe(MINIMAL).digest
    assert recipe(f'{MINIMAL}stabilize = {{ on = ["elf"] }}\n').digest != recipe(MINIMAL).digest


def test_steps_keep_the_order_of_the_file() -> None:
    text = MINIMAL + '[step.b]\nrun = "x"\noutputs = ["b"]\n[step.a]\nrun = "x"\noutputs = ["a"]\n'
    assert [step.name for step in recipe(text).steps] == ["wheel", "b", "a"]


def test_how_a_recipe_is_written_does_not_change_it() -> None:
    other = (
        'project.name = "shop"\nenvironment.build = { os = "debian:bookworm" }\n[step]\nwheel = { outputs = ["dist"], run = \'make\' }\n'
    )
    assert recipe(other) == recipe(MINIMAL)
    assert recipe(other).digest == recipe(MINIMAL).digest


def test_the_variables_that_a_recipe_cannot_set_are_those_of_the_contract() -> None:
    assert OWNED.keys() == FIXED.keys() | {"SOURCE_DATE_EPOCH"}


#: Each recipe is MINIMAL with a line added or exchanged, named by its defect, and what is said of it.
DEFECTS: dict[str, tuple[str, str]] = {
    "not-toml": (MINIMAL + "x = \n", "lockage.toml:8: not TOML: Invalid value"),
    "unclosed-text": (MINIMAL + 'x = "', "lockage.toml:8: not TOML: Unterminated string"),
    "key-twice": (MINIMAL + 'run = "x"\n', "lockage.toml:8: not TOML: Cannot overwrite a value"),
    "no-project": (
        MINIMAL.replace("[project]", "[proyect]"),
        'lockage.toml:1: project: the key "name" is missing: the project\'s normalised name',
    ),
    "misspelt-table": (MINIMAL.replace("[project]", "[proyect]"), 'lockage.toml:1: proyect: unknown key; did you mean "project"?'),
    "name-not-normalised": (
        MINIMAL.replace('"shop"', '"My_Shop"'),
        'lockage.toml:2: project.name: a project is named by its normalised name: write "my-shop" instead of "My_Shop"',
    ),
    "name-impossible": (MINIMAL.replace('"shop"', '"-"'), "lockage.toml:2: project.name: not a project name"),
    "name-not-text": (MINIMAL.replace('"shop"', "1"), "lockage.toml:2: project.name: expected the project's normalised name, found 1"),
    "version-misspelt": (
        MINIMAL.replace("[env", 'version = "tags"\n[env'),
        'lockage.toml:3: project.version: expected "pyproject", "tag" or a literal that begins with a digit, found',
    ),
    "version-unusable": (MINIMAL.replace("[env", 'version = "1 2"\n[env'), "lockage.toml:3: project.version: not a valid version"),
    "project-not-a-table": (
        MINIMAL.replace('[project]\nname = "shop"', "project = 1"),
        "lockage.toml:1: project: expected a table, found 1",
    ),
    "unknown-key": (MINIMAL + "output = []\n", 'lockage.toml:8: step.wheel.output: unknown key; did you mean "outputs"?'),
    "os-unknown": (
        MINIMAL.replace("debian:bookworm", "Debian/bookworm"),
        "lockage.toml:4: environment.build.os: not an operating system base (debian:SUITE): 'Debian/bookworm'",
    ),
    "os-missing": (MINIMAL.replace('os = "debian:bookworm"\n', ""), 'lockage.toml:3: environment.build: the key "os" is missing'),
    "package-malformed": (
        MINIMAL.replace("[step", 'packages = ["gcc", "GCC 12"]\n[step'),
        "lockage.toml:5: environment.build.packages[1]: not a Debian package",
    ),
    "package-twice": (
        MINIMAL.replace("[step", 'packages = ["gcc",\n "gcc"]\n[step'),
        'lockage.toml:6: environment.build.packages[1]: "gcc" is there twice',
    ),
    "packages-not-an-array": (
        MINIMAL.replace("[step", 'packages = "gcc"\n[step'),
        'lockage.toml:5: environment.build.packages: expected an array of Debian packages, found "gcc"',
    ),
    "requirement-malformed": (
        MINIMAL.replace("[step", 'python = ["a >> 1"]\n[step'),
        "lockage.toml:5: environment.build.python[0]: not a Python requirement (PEP 508): 'a >> 1'",
    ),
    "requirement-by-address": (
        MINIMAL.replace("[step", 'python = ["a @ https://example.org/a.whl"]\n[step'),
        "a requirement by address cannot be locked",
    ),
    "requirement-not-text": (
        MINIMAL.replace("[step", "python = [1]\n[step"),
        "lockage.toml:5: environment.build.python[0]: expected one of Python requirements as text, found 1",
    ),
    "variable-of-the-contract": (
        MINIMAL + 'variables.TZ = "CET"\n',
        "lockage.toml:8: step.wheel.variables.TZ: cannot be set by a recipe: the contract fixes the time zone",
    ),
    "variable-of-lockage": (MINIMAL + 'variables.LOCKAGE_VERSION = "1"\n', "names that begin with LOCKAGE_ are given by lockage"),
    "variable-name": (
        MINIMAL + 'variables."a b" = "1"\n',
        'lockage.toml:8: step.wheel.variables."a b": cannot be set by a recipe: not a variable\'s name',
    ),
    "variable-not-text": (
        MINIMAL + "variables.A = 1\n",
        "lockage.toml:8: step.wheel.variables.A: expected text, or false for none at all, found 1",
    ),
    "variable-true": (MINIMAL + "variables.A = true\n", "step.wheel.variables.A: expected text, or false for none at all, found true"),
    "variable-owned-left-out": (MINIMAL + "variables.TZ = false\n", "step.wheel.variables.TZ: cannot be set by a recipe"),
    "variable-of-environment-left-out": (
        MINIMAL.replace('os = "debian:bookworm"', 'os = "debian:bookworm"\nvariables.A = false'),
        "environment.build.variables.A: expected text, found false",
    ),
    "mode-misspelt": (MINIMAL + 'modes = ["frozen-clok"]\n', 'step.wheel.modes[0]: expected "fixed-addresses" or "fixed-pids" or'),
    "mode-suggested": (MINIMAL + 'modes = ["frozen-clok"]\n', 'found "frozen-clok"; did you mean "frozen-clock"?'),
    "mode-twice": (MINIMAL + 'modes = ["single-cpu", "single-cpu"]\n', 'step.wheel.modes[1]: "single-cpu" is there twice'),
    "modes-not-a-list": (MINIMAL + 'modes = "single-cpu"\n', 'step.wheel.modes: expected an array of modes, found "single-cpu"'),
    "variable-nul": (MINIMAL + 'variables.A = "\\u0000"\n', "a NUL cannot be handed to a process"),
    "flag-not-boolean": (MINIMAL + '[flags]\nnew = "yes"\n', 'lockage.toml:9: flags.new: expected true or false, found "yes"'),
    "stabilize-not-a-switch": (
        MINIMAL + 'stabilize = "png"\n',
        'lockage.toml:8: step.wheel.stabilize: expected true, false or a table of passes, found "png"',
    ),
    "pass-unknown": (
        MINIMAL + 'stabilize = { off = ["pngs"] }\n',
        'lockage.toml:8: step.wheel.stabilize.off[0]: there is no pass "pngs"; did you mean "png"?',
    ),
    "pass-on-and-off": (
        MINIMAL + 'stabilize = { off = ["png"], on = ["png"] }\n',
        'lockage.toml:8: step.wheel.stabilize.on: the pass "png" is switched on and off',
    ),
    "passes-unknown-key": (MINIMAL + "stabilize = { of = [] }\n", "lockage.toml:8: step.wheel.stabilize.of: unknown key"),
    "passes-not-an-array": (
        MINIMAL + 'stabilize.on = "elf"\n',
        "lockage.toml:8: step.wheel.stabilize.on: expected an array of names of passes",
    ),
    "flags-of-one-variable": (MINIMAL + '[flags]\na-b = true\n"a.b" = true\n', 'the flags "a-b" and "a.b" would have the same variable'),
    "flag-undeclared": (
        MINIMAL + 'flags = ["nwe"]\n[flags]\nnew = true\n',
        'lockage.toml:8: step.wheel.flags[0]: there is no flag "nwe"; did you mean "new"?',
    ),
    "no-steps": (MINIMAL[: MINIMAL.index("[step")], "a recipe needs at least one step"),
    "step-name": (MINIMAL.replace("[step.wheel]", "[step.Wheel]"), "lockage.toml:5: step.Wheel: not a valid step name"),
    "kind-unknown": (
        MINIMAL + 'kind = "tests"\n',
        'lockage.toml:8: step.wheel.kind: expected "build" or "test" or "check", found "tests"; did you mean "test"?',
    ),
    "environment-unknown": (
        MINIMAL + 'environment = "biuld"\n',
        'lockage.toml:8: step.wheel.environment: there is no environment "biuld"; did you mean "build"?',
    ),
    "environment-ambiguous": (
        MINIMAL + '[environment.other]\nos = "debian:trixie"\n',
        'lockage.toml:5: step.wheel: the key "environment" is missing: one of build, other',
    ),
    "no-environment": (
        '[project]\nname = "shop"\n[step.a]\nrun = "x"\noutputs = ["x"]\n',
        "lockage.toml:3: step.a: the recipe declares no environment",
    ),
    "run-missing": (MINIMAL.replace('run = "make"\n', ""), 'lockage.toml:5: step.wheel: the key "run" is missing'),
    "run-empty": (
        MINIMAL.replace('"make"', '" "'),
        'lockage.toml:6: step.wheel.run: expected a shell line or an array of arguments, found " "',
    ),
    "run-not-texts": (
        MINIMAL.replace('"make"', "[1]"),
        "lockage.toml:6: step.wheel.run: expected a shell line or an array of arguments, found an array of 1",
    ),
    "input-absolute": (MINIMAL + 'inputs = ["/etc"]\n', "lockage.toml:8: step.wheel.inputs[0]: paths are relative to the top"),
    "inputs-only-excluded": (MINIMAL + 'inputs = ["!a"]\n', "lockage.toml:8: step.wheel.inputs: only exclusions"),
    "stamp-unknown": (MINIMAL + 'stamp = ["time"]\n', 'lockage.toml:8: step.wheel.stamp[0]: expected "date" or "version", found "time"'),
    "no-outputs": (MINIMAL.replace('outputs = ["dist"]\n', ""), "lockage.toml:5: step.wheel: a build step needs `outputs`"),
    "output-pattern": (
        MINIMAL.replace('["dist"]', '["dist/*"]'),
        "lockage.toml:7: step.wheel.outputs[0]: outputs are literal paths, not patterns",
    ),
    "output-climbing": (MINIMAL.replace('["dist"]', '["../x"]'), "lockage.toml:7: step.wheel.outputs[0]: not a normalised relative path"),
    "outputs-nested": (
        MINIMAL.replace('["dist"]', '["dist/x", "dist"]'),
        'lockage.toml:7: step.wheel.outputs[1]: "dist" and "dist/x" overlap',
    ),
    "artifact-outside": (
        MINIMAL + 'artifacts = ["*.whl"]\n',
        'lockage.toml:8: step.wheel.artifacts[0]: "*.whl" can match nothing below the step\'s outputs (dist)',
    ),
    "test-with-artifacts": (
        MINIMAL + 'kind = "test"\nartifacts = ["dist/x"]\n',
        "lockage.toml:9: step.wheel.artifacts: a test step delivers no artifacts",
    ),
    "cpus-text": (MINIMAL + 'cpus = "two"\n', 'lockage.toml:8: step.wheel.cpus: expected an integer >= 1, found "two"'),
    "cpus-zero": (MINIMAL + "cpus = 0\n", "lockage.toml:8: step.wheel.cpus: expected an integer from 1 to 1024, found 0"),
    "retries-negative": (MINIMAL + "retries = -1\n", "lockage.toml:8: step.wheel.retries: expected an integer from 0 to 10, found -1"),
    "retries-many": (MINIMAL + "retries = 11\n", "lockage.toml:8: step.wheel.retries: expected an integer from 0 to 10, found 11"),
    "retries-boolean": (MINIMAL + "retries = true\n", "lockage.toml:8: step.wheel.retries: expected an integer >= 0, found true"),
    "latch-name": (MINIMAL + 'exclusive = ["Port 1"]\n', "lockage.toml:8: step.wheel.exclusive[0]: not a valid latch name"),
    "latch-twice": (MINIMAL + 'exclusive = ["a", "a"]\n', 'lockage.toml:8: step.wheel.exclusive[1]: "a" is there twice'),
    "pool-undeclared": (
        MINIMAL + "pools = { license = 1 }\n[pools]\nlicence = 1\n",
        'lockage.toml:8: step.wheel.pools.license: there is no pool "license"; did you mean "licence"?',
    ),
    "pool-too-small": (
        MINIMAL + "pools = { a = 3 }\n[pools]\na = 2\n",
        'lockage.toml:8: step.wheel.pools.a: the pool "a" has 2, the step takes 3',
    ),
    "pool-units-zero": (
        MINIMAL + "pools = { a = 0 }\n[pools]\na = 2\n",
        "lockage.toml:8: step.wheel.pools.a: expected an integer from 1 to 1048576, found 0",
    ),
    "pool-units-text": (MINIMAL + 'pools = ["a"]\n', "lockage.toml:8: step.wheel.pools: expected a table, found an array of 1"),
    "pool-empty": (
        MINIMAL + "pools.a = 1\n[pools]\na = 0\n",
        "lockage.toml:10: pools.a: expected an integer from 1 to 1048576, found 0",
    ),
    "pool-name": (MINIMAL + '[pools]\n"A b" = 1\n', 'lockage.toml:9: pools."A b": not a valid pool name'),
    "cpus-boolean": (MINIMAL + "cpus = true\n", "lockage.toml:8: step.wheel.cpus: expected an integer >= 1, found true"),
    "memory-unit": (
        MINIMAL + 'memory = "1 gb"\n',
        'lockage.toml:8: step.wheel.memory: not a size such as "512 MiB" or "1 GiB", or bytes as an integer: \'1 gb\'',
    ),
    "memory-fraction": (MINIMAL + "memory = 1.5\n", "lockage.toml:8: step.wheel.memory: expected a size"),
    "timeout-endless": (MINIMAL + 'timeout = "1000 h"\n', "lockage.toml:8: step.wheel.timeout: expected at least 1 and at most 2592000"),
    "timeout-zero": (MINIMAL + "timeout = 0\n", "lockage.toml:8: step.wheel.timeout: expected at least 1"),
    "need-unknown": (MINIMAL + 'needs = ["whel"]\n', 'lockage.toml:8: step.wheel.needs[0]: there is no step "whel"; did you mean "wheel"?'),
    "need-itself": (MINIMAL + 'needs = ["wheel"]\n', "lockage.toml:8: step.wheel.needs[0]: a step cannot need itself"),
    "need-of-a-test": (
        MINIMAL + 'needs = ["t"]\n[step.t]\nkind = "test"\nrun = "x"\n',
        'lockage.toml:8: step.wheel.needs[0]: "t" is a test step',
    ),
    "outputs-collide": (
        MINIMAL + '[step.b]\nrun = "x"\noutputs = ["dist/b"]\n[step.t]\nkind = "test"\nrun = "x"\nneeds = ["wheel", "b"]\n',
        'lockage.toml:14: step.t.needs[1]: the output "dist/b" of step "b" collides with "dist" of step "wheel"',
    ),
    "own-output-collides": (
        MINIMAL + '[step.b]\nrun = "x"\nneeds = ["wheel"]\noutputs = ["dist"]\n',
        'lockage.toml:10: step.b.needs[0]: the output "dist" of step "wheel" collides with "dist" of this step',
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_recipe_with_a_defect_says_where_and_what(defect: str) -> None:
    text, said = DEFECTS[defect]
    found = faults(text)
    assert any(said in fault for fault in found), found


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_reported_once_and_brings_no_others(defect: str) -> None:
    found = faults(DEFECTS[defect][0])
    assert len(found) == (2 if DEFECTS[defect][0].startswith("[proyect]") else 1), found


def test_bytes_that_are_not_utf8() -> None:
    with pytest.raises(InvalidRecipe, match=r"lockage\.toml:2: not UTF-8: byte 0xff"):
        parse_recipe(b"a = 1\nb = '\xff'\n")


def test_all_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = MINIMAL.replace('"shop"', '"Shop"').replace("bookworm", "") + 'cpus = "two"\nneeds = ["x"]\n[flags]\nf = 1\n'
    found = faults(text)
    assert [re.match(r"lockage\.toml:([0-9]+): ([a-z.]+)", fault).groups() for fault in found] == [  # type: ignore[union-attr]  # all match
        ("2", "project.name"),
        ("4", "environment.build.os"),
        ("8", "step.wheel.cpus"),
        ("9", "step.wheel.needs"),
        ("11", "flags.f"),
    ]


def test_a_cycle_is_named_step_by_step() -> None:
    text = MINIMAL + "".join(
        f'[step.{name}]\nrun = "x"\noutputs = ["{name}"]\nneeds = ["{need}"]\n'
        for name, need in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"))
    )
    with pytest.raises(InvalidRecipe) as caught:
        recipe(text)
    (fault,) = caught.value.faults
    assert isinstance(fault, RecipeCycle)
    assert len(fault.steps) == 4
    assert fault.steps[0] == fault.steps[-1]
    assert set(fault.steps) == {"a", "b", "c"}
    needs = {"a": "b", "b": "c", "c": "a"}
    assert all(needs[one] == other for one, other in zip(fault.steps, fault.steps[1:], strict=False))
    assert " → ".join(fault.steps) in fault.message
    assert fault.key == f"step.{fault.steps[0]}.needs[0]"


def test_the_error_carries_what_a_program_needs() -> None:
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe((MINIMAL + "cpus = 0\n").encode(), file="sub/lockage.toml")
    error = caught.value
    assert (error.code, error.exit_code) == ("invalid-recipe", ExitCode.USAGE)
    assert (error.details["file"], error.details["line"], error.details["key"]) == ("sub/lockage.toml", 8, "step.wheel.cpus")
    assert str(error).startswith("sub/lockage.toml:8: step.wheel.cpus: ")


@given(st.integers(0, len(DESIGN)), st.integers(0, 40), st.text("[]{}\"'=.,#ab1\n ", max_size=8))
def test_a_damaged_recipe_is_a_recipe_or_an_error_with_lines(at: int, removed: int, put: str) -> None:
    found: tuple[RecipeFault, ...] | None = None
    try:
        recipe(DESIGN[:at] + put + DESIGN[at + removed :])
    except InvalidRecipe as error:
        found = error.faults
    if found is not None:
        last = DESIGN.count("\n") + put.count("\n") + 1
        assert found
        assert all(1 <= fault.line <= last for fault in found)
