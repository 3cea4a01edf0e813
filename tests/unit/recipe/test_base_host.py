"""What an environment begins with: a suite, or the host, which has to say that it is unpinned."""

import pytest

from lockage.environment.base import HostBase
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.model import Recipe
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render

HEAD = '[project]\nname = "x"\nversion = "1"\n[environment.build]\n'
STEP = '[step.one]\nrun = "true"\noutputs = ["out"]\n'


def parsed(environment: str, step: str = STEP) -> Recipe:
    return parse_recipe(f"{HEAD}{environment}\n{step}".encode())


def faults(environment: str, step: str = STEP) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidRecipe) as caught:
        parsed(environment, step)
    return [(fault.line, fault.key, fault.message) for fault in caught.value.faults]


def test_the_host_is_a_base() -> None:
    declaration = parsed('host = "unpinned"\nvariables = { LEVEL = "1" }').environments["build"]
    assert declaration.base == HostBase()
    assert declaration.variables == {"LEVEL": "1"}


def test_folders_of_the_host_are_searched_in_their_order() -> None:
    declaration = parsed('host = "unpinned"\npath = ["/opt/b", "/opt/a"]').environments["build"]
    assert declaration.base == HostBase(path=("/opt/b", "/opt/a"))


def test_another_path_is_another_declaration() -> None:
    one, two = (parsed(f'host = "unpinned"\n{more}').environments["build"] for more in ("", 'path = ["/opt/a"]'))
    assert one.digest != two.digest


@pytest.mark.parametrize("environment", ['host = "unpinned"', 'host = "unpinned"\npath = ["/opt/a"]'])
def test_what_is_rendered_is_read_again(environment: str) -> None:
    recipe = parsed(environment)
    assert parse_recipe(render(recipe).encode()) == recipe


@pytest.mark.parametrize("value", ["true", '"yes"', '"pinned"'])
def test_the_host_must_be_called_unpinned(value: str) -> None:
    ((line, key, message),) = faults(f"host = {value}")
    assert (line, key) == (5, "environment.build.host")
    assert '"unpinned"' in message


def test_an_environment_begins_with_one_thing() -> None:
    ((line, key, message),) = faults('host = "unpinned"\nos = "debian:bookworm"')
    assert (line, key) == (6, "environment.build.os")
    assert "begins with one thing" in message


@pytest.mark.parametrize(
    "more",
    [
        'packages = ["gcc"]',
        'python = ["wheel"]',
        'python-lock = "uv.lock"',
        'constraints = ["wheel<1"]',
        "from-source = true",
        'build-packages = { a = ["gcc"] }',
        'suites = ["bookworm-backports"]',
        'components = ["contrib"]',
        'allow-stale = ["bookworm"]',
        'keyring = "keys.gpg"',
    ],
)
def test_nothing_is_resolved_for_the_host(more: str) -> None:
    assert (6, f"environment.build.{more.partition(' ')[0]}") in [
        (line, key) for line, key, message in faults(f'host = "unpinned"\n{more}') if "has what the host has" in message
    ]


@pytest.mark.parametrize("more", ['python = ["wheel"]', "from-source = true", 'build-packages = { a = ["gcc"] }'])
def test_who_wants_python_packages_on_the_host_is_told_why_not_and_what_else(more: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        parsed(f'host = "unpinned"\n{more}')
    (fault,) = caught.value.faults
    assert "no root for Python packages to be built or installed into" in fault.message
    assert "[fetch.NAME]" in fault.hint


@pytest.mark.parametrize("folder", ["bin", "/opt/a:/opt/b", "/opt/../bin", "~/bin"])
def test_a_folder_to_search_is_an_absolute_path(folder: str) -> None:
    ((line, key, message),) = faults(f'host = "unpinned"\npath = ["{folder}"]')
    assert (line, key) == (6, "environment.build.path[0]")
    assert "absolute path" in message


def test_a_root_is_not_searched_elsewhere() -> None:
    ((line, key, _),) = faults('os = "debian:bookworm"\npath = ["/opt/a"]')
    assert (line, key) == (6, "environment.build.path")


@pytest.mark.parametrize(
    ("more", "key"),
    [('modes = ["frozen-clock"]', "modes"), ('services = ["tea"]\n[service.tea]\nresponses = "tea"\nport = 80', "services")],
)
def test_what_only_a_sandbox_gives_is_refused_with_its_line(more: str, key: str) -> None:
    ((line, where, message),) = faults('host = "unpinned"', STEP + more)
    assert (line, where) == (9, f"step.one.{key}")
    assert "only a sandbox" in message
