"""The search for mitigations, over a fake shell: what is found, that it is proven, that it is as little as will do, and what is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.recipe.modes import Mode
from lockage.work.mend import RecipeChanged, fix_project
from lockage.work.prepare import Project, prepare

if TYPE_CHECKING:
    from lockage.adapters.memory.executor import Workspace
    from lockage.work.fix import Fix
    from lockage.work.verify import Verification

Commit = Callable[..., Project]
FOLDER = Path("shop")

HEAD = """\
# our recipe
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
"""


def step(name: str, run: str, more: str = "") -> str:
    return f'[step.{name}]\nrun = "{run}"  # as we like it\noutputs = ["{name}.txt"]\nartifacts = ["{name}.txt"]\n{more}'


class Shell:
    """Runs lines of words: each writes what it names into the step's output, as its world, modes and the lines before it say."""

    def __init__(self) -> None:
        self.random = iter(range(10**6))

    def __call__(self, workspace: Workspace) -> int:
        _, _, text = workspace.request.action.arguments
        world, modes = workspace.request.world, workspace.request.action.modes
        values: dict[str, Callable[[], str]] = {
            "zone": lambda: "UTC" if "export TZ=UTC" in text else world.timezone,
            "mask": lambda: "18" if "umask 022" in text else str(world.umask),
            "folder": lambda: "/tmp/build" if "cd /tmp/build" in text else world.build_path,
            "host": lambda: world.hostname,
            "uuid": lambda: "0" * 12 if Mode.FIXED_RANDOM in modes else f"{next(self.random):012x}",
            "year": lambda: "1980-01-01" if Mode.FROZEN_CLOCK in modes else f"{2026 + world.clock_offset // 10**7}-11-27",
            "jobs": lambda: "1" if Mode.SINGLE_CPU in modes or world.cpus is None else str(world.cpus),
            "order": lambda: "a\nb\nc\n" if "cd /tmp/build" in text or world.file_order == "sorted" else "c\nb\na\n",
            "pid": lambda: f"pid {1000 if Mode.FIXED_PIDS in modes else next(self.random) + 4711}",
            "same": lambda: "same",
            "all": lambda: b"".join(data for _, data in sorted(workspace.files.items())).decode(),
        }
        words = [word for line in text.splitlines() for word in line.split() if word in values or word == "picky"]
        if "picky" in words and "export TZ=UTC" in text:
            return 3
        (output,) = workspace.request.action.outputs
        workspace.write(output, "; ".join(values[word]() for word in words if word != "picky").encode())
        return 0


class Here:
    def __init__(self, recipe: str) -> None:
        self.services = MemoryServices({"/bin/sh": Shell()})
        self.services.folders.write(FOLDER, "lockage.toml", recipe.encode())
        self.recipe = recipe

    def fix(self, project: Project, *, folder: Path | None = FOLDER, most: int = 200) -> tuple[Verification, Fix]:
        found, fixed = fix_project(self.services, "shop", project, folder=folder, most=most)
        assert fixed is not None
        return found, fixed

    def written(self) -> str:
        data = self.services.folders.read(FOLDER, "lockage.toml")
        assert data is not None
        return data.decode()


@pytest.fixture
def here(commit: Commit) -> Callable[..., tuple[Here, Project]]:
    def make(*steps: str) -> tuple[Here, Project]:
        made = Here(HEAD + "".join(steps))
        project = commit(made.services, recipe="".join(steps))
        return made, project

    return make


def names(fixed: Fix) -> dict[str, tuple[str, ...]]:
    return {str(one.step): one.mitigations for one in fixed.mended}


@pytest.mark.parametrize(
    ("words", "mitigations"),
    [
        ("zone", ["time-zone"]),
        ("mask", ["umask"]),
        ("folder", ["own-folder"]),
        ("order", ["own-folder"]),
        ("uuid", ["fixed-random"]),
        ("year", ["frozen-clock"]),
        ("jobs", ["single-cpu"]),
        ("pid", ["fixed-pids"]),
        ("zone mask", ["time-zone", "umask"]),
        ("uuid year zone", ["fixed-random", "frozen-clock", "time-zone"]),
        ("folder order", ["own-folder"]),
        ("uuid pid", ["fixed-pids", "fixed-random"]),
    ],
)
def test_the_smallest_set_is_found_and_written(
    here: Callable[..., tuple[Here, Project]], commit: Commit, words: str, mitigations: Sequence[str]
) -> None:
    made, project = here(step("a", words))
    found, fixed = made.fix(project)
    assert not found.identical
    assert fixed.identical
    assert {step: sorted(chosen) for step, chosen in names(fixed).items()} == {"a": sorted(mitigations)}
    assert fixed.unmended == ()
    assert fixed.text == made.written()
    assert "# our recipe\n" in made.written()
    assert "# as we like it" in made.written()
    for reason in fixed.mended[0].reasons:
        assert f"# {reason}\n" in made.written()
    edited = made.written().removeprefix(HEAD)
    again, nothing = fix_project(made.services, "shop", commit(made.services, recipe=edited), folder=FOLDER)
    assert again.identical, "what was written is what was proven"
    assert nothing is None


def test_steps_are_mended_each_by_its_own(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone"), step("b", "mask"), step("c", "same"))
    _, fixed = made.fix(project)
    assert names(fixed) == {"a": ("time-zone",), "b": ("umask",)}
    assert fixed.identical


def test_what_no_recipe_can_pin_is_told_and_the_rest_is_mended(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone"), step("b", "host"))
    _, fixed = made.fix(project)
    assert names(fixed) == {"a": ("time-zone",)}
    assert not fixed.identical
    (left,) = fixed.unmended
    assert (left.artifact, left.cause, left.tried) == ("b.txt", "host-name-written", ())
    assert "uname -n" in left.advice
    assert "umask" not in made.written()


def test_a_step_that_differs_still_is_left_as_it_was(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone host"))
    _, fixed = made.fix(project)
    assert (fixed.text, fixed.mended) == (None, ())
    assert made.written() == made.recipe
    assert {left.cause for left in fixed.unmended} >= {"host-name-written"}


def test_nothing_that_makes_the_step_fail_is_kept(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "picky zone"), step("b", "mask"))
    _, fixed = made.fix(project)
    assert names(fixed) == {"b": ("umask",)}
    (left,) = fixed.unmended
    assert (left.artifact, left.tried) == ("a.txt", ("time-zone",))
    assert "TZ" not in made.written()


def test_when_no_more_rebuilds_are_allowed_it_says_so_and_writes_what_is_proven(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone"))
    _, fixed = made.fix(project, most=1)
    assert fixed.exhausted
    assert fixed.text is None
    assert made.written() == made.recipe


def test_without_a_folder_nothing_is_written(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone"))
    _, fixed = made.fix(project, folder=None)
    assert fixed.text is not None
    assert "export TZ=UTC" in fixed.text
    assert made.written() == made.recipe


def test_a_recipe_that_somebody_changed_meanwhile_is_left_alone(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone"))
    shell = made.services.commands["/bin/sh"]

    def meddling(workspace: Workspace) -> int:
        if "export TZ=UTC" in workspace.request.action.arguments[2]:
            made.services.folders.write(FOLDER, "lockage.toml", b"# mine now\n")
        return shell(workspace)

    made.services.commands["/bin/sh"] = meddling
    with pytest.raises(RecipeChanged):
        made.fix(project)
    assert made.written() == "# mine now\n"


def test_an_identical_build_is_not_looked_into(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "same"))
    found, fixed = fix_project(made.services, "shop", project, folder=FOLDER)
    assert found.identical
    assert fixed is None


def test_where_the_difference_begins_in_an_earlier_step_that_one_is_mended(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(
        '[step.first]\nrun = "zone"\noutputs = ["first.txt"]\n',
        '[step.second]\nneeds = ["first"]\ninputs = []\nrun = ["copy"]\noutputs = ["second.txt"]\nartifacts = ["second.txt"]\n',
    )

    def copy(workspace: Workspace) -> int:
        workspace.write("second.txt", b"".join(workspace.files.values()))
        return 0

    made.services.commands["copy"] = copy
    _, fixed = made.fix(project)
    assert names(fixed) == {"first": ("time-zone",)}
    assert fixed.identical


def test_a_cause_in_two_steps_on_the_way_to_an_artifact_is_mended_in_both(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(
        '[step.first]\nrun = "zone"\noutputs = ["first.txt"]\n',
        '[step.second]\nneeds = ["first"]\ninputs = []\nrun = "zone all"\noutputs = ["second.txt"]\nartifacts = ["second.txt"]\n',
    )
    _, fixed = made.fix(project)
    assert names(fixed) == {"first": ("time-zone",), "second": ("time-zone",)}
    assert fixed.identical


def test_what_one_step_mends_for_another_is_written_only_there(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(
        '[step.first]\nrun = "zone"\noutputs = ["first.txt"]\n',
        '[step.second]\nneeds = ["first"]\ninputs = []\nrun = "all mask"\noutputs = ["second.txt"]\nartifacts = ["second.txt"]\n',
    )
    _, fixed = made.fix(project)
    assert names(fixed) == {"first": ("time-zone",), "second": ("umask",)}
    assert fixed.identical


def test_an_inferred_recipe_is_written_with_its_lock(here: Callable[..., tuple[Here, Project]]) -> None:
    made, project = here(step("a", "zone"))
    del made.services.folders.data[FOLDER.absolute()]
    inferred = msgspec.structs.replace(project, recipe=msgspec.structs.replace(project.recipe, inferred=True))
    _, fixed = made.fix(inferred)
    assert fixed.identical
    assert "export TZ=UTC" in made.written()
    lock = made.services.folders.read(FOLDER, "lockage.lock")
    assert lock is not None
    made.services.sources.add("written", {"lockage.toml": made.written().encode(), "lockage.lock": lock, "README": b""})
    assert prepare(made.services, "written").recipe.steps[0].run[2].startswith("export TZ=UTC\n")
