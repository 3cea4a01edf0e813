"""[service.NAME] tables: what they mean, what is wrong with them, and that recipes without any are what they were."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.base.path import RelPath
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render
from lockage.recipe.service import Form, Matching, Service, addresses, url, variable

if TYPE_CHECKING:
    from lockage.recipe.model import Recipe

ROOT = Path(__file__).parents[3]
HEAD = """
[project]
name = "shop"
[environment.build]
os = "debian:bookworm"
"""
STEP = """
[step.unit]
kind = "test"
services = [{names}]
run = "true"
"""
GITHUB = '[service.github]\nhar = "a.har"\n'


def recipe(text: str, *names: str) -> Recipe:
    return parse_recipe((HEAD + text + STEP.format(names=", ".join(f'"{name}"' for name in names))).encode())


def faults(text: str, *names: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(text, *names)
    return [(fault.key, fault.message) for fault in caught.value.faults]


def test_a_service_has_defaults() -> None:
    found = recipe(GITHUB + "port = 8080\n", "github")
    (service,) = found.services
    assert service == Service(name=service.name, form=Form.HAR, recording=RelPath("a.har"), port=8080)
    assert found.steps[0].services == ("github",)


def test_with_hosts_the_port_is_80() -> None:
    (service,) = recipe(GITHUB + 'hosts = ["api.github.com"]\n', "github").services
    assert (service.port, service.hosts) == (80, ("api.github.com",))


def test_everything_that_can_be_said_comes_back() -> None:
    text = (
        GITHUB + 'hosts = ["a.example", "b.example"]\nport = 8080\nheaders = ["X-B", "accept"]\nignore = ["query", "body"]\n'
        "in-order = true\nrepeat = true\nmust-use-all = true\n[service.prices]\nresponses = 'api'\nport = 1\n"
    )
    found = recipe(text, "prices", "github")
    github, prices = found.services
    assert github.matching == Matching(headers=("accept", "x-b"), ignore=("body", "query"), in_order=True, repeat=True, must_use_all=True)
    assert prices.matching == Matching(repeat=True)
    assert found.steps[0].services == ("github", "prices")
    assert parse_recipe(render(found).encode()) == found


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("[service.a]\nport = 1\n", "service.a", "one of `har` and `responses`"),
        ('[service.a]\nhar = "x"\nresponses = "y"\nport = 1\n', "service.a", "one of `har` and `responses`"),
        ('[service.a]\nhar = "x"\n', "service.a", 'the key "port" is missing'),
        ('[service.a]\nhar = "../x"\nport = 1\n', "service.a.har", "not a normalised relative path"),
        ('[service.a]\nhar = "x"\nport = 65536\n', "service.a.port", "from 1 to 65535"),
        ('[service.a]\nhar = "x"\nport = true\n', "service.a.port", "expected an integer"),
        ('[service.a]\nhar = "x"\nhosts = ["A.example"]\n', "service.a.hosts[0]", "not the name of a host"),
        ('[service.a]\nhar = "x"\nhosts = ["a:80"]\n', "service.a.hosts[0]", "not the name of a host"),
        ('[service.a]\nhar = "x"\nhosts = ["10.0.0.1"]\n', "service.a.hosts[0]", "not the name of a host"),
        ('[service.a]\nhar = "x"\nhosts = ["localhost"]\n', "service.a.hosts[0]", "the sandbox itself"),
        ('[service.a]\nhar = "x"\nport = 1\nheaders = ["a b"]\n', "service.a.headers[0]", "not the name of a header"),
        ('[service.a]\nhar = "x"\nport = 1\nignore = ["path"]\n', "service.a.ignore[0]", "method and path always count"),
        ('[service.a]\nresponses = "x"\nport = 1\nin-order = true\n', "service.a.in-order", "is for a HAR file"),
        ('[service.a]\nhar = "x"\nport = 1\nrepaet = true\n', "service.a.repaet", "unknown key"),
        ('[service.A]\nhar = "x"\nport = 1\n', "service.A", "not a valid name of a service"),
        ('[service."a.b"]\nhar = "x"\nport = 1\n[service.a-b]\nhar = "x"\nport = 2\n', "service.a-b", "the same variable"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, key: str, said: str) -> None:
    found = faults(text)
    assert [where for where, _ in found] == [key], found
    assert said in found[0][1]


def test_a_step_names_services_that_there_are() -> None:
    (fault,) = faults(GITHUB + "port = 1\n", "gihtub")
    assert fault == ("step.unit.services[0]", 'there is no service "gihtub"; did you mean "github"?')


def test_two_services_of_one_step_are_at_two_places() -> None:
    both = GITHUB + 'port = 1\n[service.other]\nresponses = "x"\n'
    assert "the same port 1" in faults(both + "port = 1\n", "github", "other")[0][1]
    recipe(both + "port = 2\n", "github", "other")
    recipe(both + "port = 1\n", "github")
    hosts = GITHUB + 'hosts = ["a.example"]\n[service.other]\nresponses = "x"\n'
    assert 'the same host "a.example"' in faults(hosts + 'hosts = ["a.example"]\n', "github", "other")[0][1]
    recipe(hosts + 'hosts = ["b.example"]\n', "github", "other")


def test_where_services_are_follows_from_their_declarations() -> None:
    assert addresses([(), ("a.example",), (), ("b.example", "c.example")]) == ("127.0.0.1", "127.0.2.1", "127.0.0.1", "127.0.2.2")
    assert [url((), 80), url((), 8080), url(("a.example", "b.example"), 80), url(("a.example",), 1)] == [
        "http://127.0.0.1",
        "http://127.0.0.1:8080",
        "http://a.example",
        "http://a.example:1",
    ]
    assert variable("git.hub-2") == "LOCKAGE_SERVICE_GIT_HUB_2"


def test_every_part_of_a_service_is_part_of_the_digest_and_none_is_none() -> None:
    found = recipe(GITHUB + "port = 1\n", "github")
    (service,) = found.services
    changes = {
        "form": Form.FOLDER,
        "recording": RelPath("b.har"),
        "port": 2,
        "hosts": ("a.example",),
        "matching": Matching(repeat=True),
    }
    others = [
        msgspec.structs.replace(found, services=(msgspec.structs.replace(service, **{key: value}),)) for key, value in changes.items()
    ]
    bare = msgspec.structs.replace(found, steps=(msgspec.structs.replace(found.steps[0], services=()),))
    assert len({one.digest for one in (found, bare, *others)}) == len(changes) + 2
    shop = parse_recipe((ROOT / "examples/shop/lockage.toml").read_bytes())
    assert shop.digest == "2180e695f157c1cb6eab31a8fccec495ff46f4dc4745085d793036aa5bc0aa87", "as before there were services"


def test_the_page_has_every_key() -> None:
    page = (ROOT / "docs/services.md").read_text()
    section = page.split("\n## The declaration\n")[1].split("\n## ")[0]
    fields = {name.replace("_", "-") for name in (*Service.__struct_fields__, *Matching.__struct_fields__)}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == fields - {"name", "form", "recording", "matching"} | {
        "har",
        "responses",
    }
