"""[fetch.NAME]: what can be said, every way in which it can be wrong, and that recipes without one stay what they were."""

import re
from pathlib import Path

import msgspec
import pytest

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.model import FetchInput, Recipe
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render

SHA = "ab" * 32
ROOT = Path(__file__).parents[3]
HEAD = """\
[project]
name = "shop"
[environment.build]
os = "debian:bookworm"
[step.wheel]
run = "make"
outputs = ["dist"]
fetch = ["data"]
"""
GOOD = f"""[fetch.data]
url = "https://data.example.org/files/data-1.0.bin"
sha256 = "{SHA}"
"""


def recipe(text: str) -> Recipe:
    return parse_recipe(text.encode())


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(text)
    return [str(fault) for fault in caught.value.faults]


def test_a_fetch_input_has_its_defaults() -> None:
    found = recipe(HEAD + GOOD)
    (fetched,) = found.fetches
    assert fetched == FetchInput(
        name=fetched.name, urls=("https://data.example.org/files/data-1.0.bin",), sha256=Digest(SHA), path=RelPath("data-1.0.bin")
    )
    assert (fetched.executable, fetched.limit) == (False, 4 << 30)
    assert found.steps[0].fetch == ("data",)


def test_everything_that_can_be_said_survives_rendering() -> None:
    urls = '["https://a.example.org/x?y=1&z=%20", "http://[::1]:8080/x", "file:///srv/x%20y"]'
    text = HEAD + f'[fetch.data]\nurl = {urls}\nsha256 = "{SHA}"\npath = "vendor/x"\nexecutable = true\nlimit = "12 GiB"\n'
    found = recipe(text)
    (fetched,) = found.fetches
    assert (fetched.path, fetched.executable, fetched.limit, len(fetched.urls)) == ("vendor/x", True, 12 << 30, 3)
    assert recipe(render(found)) == found


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.example/x/y%20z.tar.gz?download=1", "y z.tar.gz"),
        ("file:///srv/data/%C3%A9.bin", "é.bin"),
        ("http://a.example/1.0/download", "download"),
    ],
)
def test_the_path_is_the_last_part_of_the_address(url: str, path: str) -> None:
    (fetched,) = recipe(HEAD + f'[fetch.data]\nurl = "{url}"\nsha256 = "{SHA}"\n').fetches
    assert fetched.path == path


DEFECTS = {
    "no-url": (GOOD.replace("url", "adress"), 'lockage.toml:9: fetch.data: the key "url" is missing'),
    "no-sha256": (GOOD.replace("sha256", "sha"), 'lockage.toml:9: fetch.data: the key "sha256" is missing'),
    "sha256-short": (GOOD.replace(SHA, "ab"), "lockage.toml:11: fetch.data.sha256: not a sha256 digest"),
    "sha256-of-another-kind": (GOOD.replace(f'"{SHA}"', "1"), "lockage.toml:11: fetch.data.sha256: expected the sha256"),
    "scheme-unknown": (GOOD.replace("https:", "ftp:"), "lockage.toml:10: fetch.data.url: expected an address that begins with https://"),
    "no-host": (GOOD.replace("data.example.org", ""), "lockage.toml:10: fetch.data.url: expected an address"),
    "host-malformed": (GOOD.replace("data.example.org", "data_*.example"), "lockage.toml:10: fetch.data.url: not the name of a host"),
    "port-too-large": (GOOD.replace("example.org", "example.org:65536"), "lockage.toml:10: fetch.data.url: not the name of a host"),
    "space": (GOOD.replace("files/", "my files/"), "lockage.toml:10: fetch.data.url: not an address"),
    "fragment": (GOOD.replace(".bin", ".bin#sha256=1"), "lockage.toml:10: fetch.data.url: an address of a file has no fragment"),
    "file-of-another-host": (GOOD.replace("https:", "file:"), "lockage.toml:10: fetch.data.url: expected an address"),
    "no-addresses": (re.sub('url = ".*"', "url = []", GOOD), "lockage.toml:10: fetch.data.url: expected at least one address"),
    "address-twice": (
        re.sub('url = (".*")', r"url = [\1, \1]", GOOD),
        'lockage.toml:10: fetch.data.url[1]: "https://data.example.org/files/data-1.0.bin" is there twice',
    ),
    "one-address-wrong": (re.sub('url = (".*")', r'url = [\1, "x"]', GOOD), "lockage.toml:10: fetch.data.url[1]: expected an address"),
    "path-missing": (GOOD.replace("data-1.0.bin", ""), 'lockage.toml:9: fetch.data: the key "path" is missing'),
    "path-climbs": (GOOD + 'path = "../x"\n', "lockage.toml:12: fetch.data.path: not a normalised relative path"),
    "limit-malformed": (GOOD + 'limit = "big"\n', "lockage.toml:12: fetch.data.limit: not a size"),
    "unknown-key": (GOOD + 'sha512 = "x"\n', "lockage.toml:12: fetch.data.sha512: unknown key"),
    "not-a-table": ("[fetch]\ndata = 1\n", "lockage.toml:10: fetch.data: expected a table"),
    "name-impossible": (GOOD + '[fetch."A b"]\nurl = "file:///x"\nsha256 = "' + SHA + '"\n', "fetch"),
    "not-declared": (GOOD.replace("fetch.data", "fetch.date"), 'lockage.toml:8: step.wheel.fetch[0]: there is no fetch input "data"'),
    "collides-with-an-output": (GOOD + 'path = "dist/x"\n', 'lockage.toml:8: step.wheel.fetch[0]: the fetch input "data" at "dist/x"'),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_says_where_and_what(defect: str) -> None:
    text, said = DEFECTS[defect]
    assert any(said in fault for fault in faults(HEAD + text)), faults(HEAD + text)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    (fault,) = faults(HEAD + GOOD.replace("https://", "https://me:s3cret@"))
    assert "no user names and passwords in a recipe" in fault
    assert "netrc" in fault
    assert "s3cret" not in fault


def test_two_inputs_at_one_path_collide() -> None:
    (fault,) = faults(HEAD.replace('["data"]', '["data", "more"]') + GOOD + GOOD.replace("fetch.data", "fetch.more"))
    assert 'step.wheel.fetch[1]: the fetch input "more" at "data-1.0.bin" collides with the fetch input "data"' in fault


def test_an_output_of_a_needed_step_collides() -> None:
    steps = '[step.first]\nrun = "make"\noutputs = ["vendor"]\n'
    text = HEAD.replace("fetch =", 'needs = ["first"]\nfetch =') + steps + GOOD + 'path = "vendor/data"\n'
    (fault,) = faults(text)
    assert 'collides with the output "vendor" of "first"' in fault


def test_the_digest_of_a_recipe_without_fetch_inputs_is_what_it_was_before_there_were_any() -> None:
    found = parse_recipe((ROOT / "examples/shop/lockage.toml").read_bytes())
    assert found.digest == "2180e695f157c1cb6eab31a8fccec495ff46f4dc4745085d793036aa5bc0aa87"


def test_every_part_of_a_fetch_input_is_part_of_the_digest() -> None:
    found = recipe(HEAD + GOOD)
    (fetched,) = found.fetches
    changes = {"urls": ("file:///x",), "sha256": Digest.of(b""), "path": RelPath("x"), "executable": True, "limit": 1}
    others = [msgspec.structs.replace(found, fetches=(msgspec.structs.replace(fetched, **{key: value}),)) for key, value in changes.items()]
    bare = msgspec.structs.replace(found, steps=(msgspec.structs.replace(found.steps[0], fetch=()),))
    assert len({one.digest for one in (found, bare, *others)}) == len(changes) + 2


def test_the_reference_has_every_key() -> None:
    page = (ROOT / "docs/recipe.md").read_text()
    section = page.split("\n## `[fetch.NAME]`\n")[1].split("\n## ")[0]
    fields = set(FetchInput.__struct_fields__)
    assert set(re.findall(r"^\| `([a-z0-9]+)` \|", section, re.MULTILINE)) == fields - {"name", "urls"} | {"url"}
