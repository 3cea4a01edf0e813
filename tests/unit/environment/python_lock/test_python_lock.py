"""Pins of other tools' lock files. The files of tests/golden/locks are those tools' own; regenerate.sh beside them makes them anew."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.declaration import PythonLock
from lockage.environment.python import PythonTarget
from lockage.environment.python_lock import InvalidPythonLock, LockKind, UnusablePins, kind_of, offer_of, pins_of
from lockage.environment.python_lock.pin import Conditions, file_name, is_inside
from lockage.environment.python_lock.uv import read_uv

GOLDEN = Path(__file__).parents[3] / "golden" / "locks"
BOOKWORM = PythonTarget(version="3.11", full_version="3.11.2", glibc="2.36", architecture="amd64")
TRIXIE = PythonTarget(version="3.13", full_version="3.13.5", glibc="2.41", architecture="arm64")
DIGEST = "ab" * 32

#: What the project of all formats needs itself; colorama only on Windows.
MAIN = ["click", "markdown-it-py", "mdit-py-plugins", "mdurl", "psutil"]
DEV = ["iniconfig", "pluggy"]
TEXT = ["text-unidecode"]


def lock_of(file: str, **details: Any) -> PythonLock:  # Any: fields of the struct
    return PythonLock(file=RelPath(file.rpartition("/")[2]), **details)


def golden(file: str, target: PythonTarget = BOOKWORM, **details: Any) -> dict[str, str]:
    """Name → version of what a golden file pins."""
    return {pin.name: pin.version for pin in pins_of(lock_of(file, **details), (GOLDEN / file).read_bytes(), target)}


@pytest.mark.parametrize(
    ("file", "details", "names"),
    [
        ("uv/uv.lock", {}, MAIN),
        ("uv/uv.lock", {"groups": ("test",)}, [*MAIN, "pluggy"]),
        ("uv/uv.lock", {"groups": ("dev",), "extras": ("text",)}, [*MAIN, *DEV, *TEXT]),
        ("uv/uv.lock", {"project": ProjectName("basket")}, [*MAIN, "inflection", *TEXT]),
        ("uv/pylock.toml", {}, [*MAIN, *DEV]),
        ("uv/requirements.txt", {}, [*MAIN, *DEV]),
        ("pdm/pdm.lock", {}, MAIN),
        ("pdm/pdm.lock", {"groups": ("dev",)}, [*MAIN, *DEV]),
        ("pdm/pdm.lock", {"groups": ("dev",), "extras": ("text",)}, [*MAIN, *DEV, *TEXT]),
        ("pdm/pylock.toml", {}, [*MAIN, *DEV, *TEXT]),
        ("poetry/poetry.lock", {}, [*MAIN, "inflection"]),
        ("poetry/poetry.lock", {"groups": ("dev",)}, [*MAIN, *DEV, "inflection"]),
        ("poetry/poetry.lock", {"extras": ("text",)}, [*MAIN, *TEXT, "inflection"]),
    ],
)
@pytest.mark.parametrize("target", [BOOKWORM, TRIXIE], ids=["bookworm", "trixie"])
def test_what_a_tool_locked_is_pinned(file: str, details: dict[str, Any], names: list[str], target: PythonTarget) -> None:
    assert sorted(golden(file, target, **details)) == sorted(names)


@pytest.mark.parametrize("file", ["uv/uv.lock", "poetry/poetry.lock", "uv/pylock.toml", "uv/requirements.txt"])
def test_the_environment_decides_between_two_versions(file: str) -> None:
    details = {} if file.endswith((".toml", ".txt")) else {"groups": ("dev",)}
    assert golden(file, BOOKWORM, **details)["pluggy"] == "1.5.0"  # pluggy == 1.5.0; python_version < '3.12'
    assert golden(file, TRIXIE, **details)["pluggy"] == "1.7.0"


@pytest.mark.parametrize("file", ["uv/uv.lock", "uv/pylock.toml", "pdm/pdm.lock", "pdm/pylock.toml", "poetry/poetry.lock"])
def test_the_wheel_is_the_one_that_fits_and_its_hash_is_the_files(file: str) -> None:
    data = (GOLDEN / file).read_bytes()
    for target, platform in ((BOOKWORM, "manylinux_2_28_x86_64"), (TRIXIE, "manylinux_2_28_aarch64")):
        (pin,) = (pin for pin in pins_of(lock_of(file), data, target) if pin.name == "psutil")
        assert pin.file is not None
        assert platform in pin.file
        assert len(pin.sha256) == 1
        line = next(line for line in data.decode().splitlines() if pin.file in line)
        assert pin.sha256[0] in line


def test_requirements_pin_hashes_and_leave_the_file_to_the_index() -> None:
    pins = pins_of(lock_of("uv/requirements.txt"), (GOLDEN / "uv/requirements.txt").read_bytes(), BOOKWORM)
    assert all(pin.file is None for pin in pins)
    assert {pin.name: len(pin.sha256) for pin in pins}["psutil"] == 21


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(13)))
def test_the_order_of_packages_has_no_meaning(order: list[int]) -> None:
    document = tomllib.loads((GOLDEN / "uv/uv.lock").read_text())
    packages = document["package"]
    assert len(packages) == len(order)
    lock = lock_of("uv.lock", groups=("dev",))
    shuffled = {**document, "package": [packages[place] for place in order]}
    as_a_set = {(listed.name, listed.version) for listed in read_uv(shuffled, lock, BOOKWORM).packages}
    assert as_a_set == {(listed.name, listed.version) for listed in read_uv(document, lock, BOOKWORM).packages}


# What is asked for wrongly


@pytest.mark.parametrize("file", ["uv/uv.lock", "poetry/poetry.lock", "pdm/pdm.lock", "uv/pylock.toml"])
@pytest.mark.parametrize("details", [{"groups": ("docs",)}, {"extras": ("docs",)}], ids=["group", "extra"])
def test_a_group_or_extra_that_is_not_there_is_named_with_those_that_are(file: str, details: dict[str, Any]) -> None:
    with pytest.raises(InvalidPythonLock, match=r"'docs'; it has ") as caught:
        golden(file, **details)
    if "extras" in details and file == "uv/uv.lock":
        assert "text" in caught.value.message


def test_a_project_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidPythonLock, match="'bag'; it has basket, shop"):
        golden("uv/uv.lock", project=ProjectName("bag"))


def uv(*packages: str, head: str = "") -> bytes:
    """A uv.lock with these packages beside the project `shop`, which needs all of them."""
    names = [tomllib.loads(package)["name"] for package in packages]
    needs = ", ".join(f'{{ name = "{name}" }}' for name in dict.fromkeys(names))
    shop = f'[[package]]\nname = "shop"\nversion = "1"\nsource = {{ virtual = "." }}\ndependencies = [{needs}]\n'
    return (f"version = 1\n{head}\n{shop}" + "".join(f"[[package]]\n{package}\n" for package in packages)).encode()


def package(name: str, source: str = 'registry = "https://index.example.org/simple"', tag: str = "py3-none-any") -> str:
    wheels = f'wheels = [{{ url = "https://index.example.org/{name}-1-{tag}.whl", hash = "sha256:{DIGEST}" }}]' if tag else ""
    return f'name = "{name}"\nversion = "1"\nsource = {{ {source} }}\n{wheels}'


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (package("a", 'git = "https://git.example.org/a?rev=1"', ""), "a 1 comes from a git repository"),
        (package("a", 'url = "https://files.example.org/a-1-py3-none-any.whl"'), "a 1 comes from an address"),
        (package("a", 'path = "vendor/a-1-py3-none-any.whl"'), "a 1 comes from a file"),
        (package("a", 'editable = "../a"', ""), "a 1 is a directory outside the source"),
        (package("a", tag=""), "a 1 has no wheel in it"),
        (package("a", tag="cp311-cp311-win_amd64"), "a 1 has no wheel that fits; it has a-1-cp311-cp311-win_amd64.whl"),
        (package("a", tag="cp312-cp312-manylinux_2_17_x86_64"), "a 1 has no wheel that fits"),
        (package("a").replace("org/a-1", "org/b-1"), "a 1 has a wheel that is named like one of another package: b-1-"),
    ],
    ids=["git", "url", "path", "outside", "sdist only", "windows", "another python", "another package"],
)
def test_a_package_that_cannot_be_taken_over_is_named(bad: str, said: str) -> None:
    with pytest.raises(UnusablePins) as caught:
        pins_of(lock_of("uv.lock"), uv(package("good"), bad), BOOKWORM)
    assert said in caught.value.message
    assert caught.value.details["packages"] == ("a",)


def test_all_of_them_are_named_at_once() -> None:
    data = uv(package("b", tag=""), package("good"), package("a", 'git = "https://git.example.org/a"', ""))
    with pytest.raises(UnusablePins, match=r"2 packages cannot.*\n  a 1 comes from.*\n  b 1 has no wheel"):
        pins_of(lock_of("uv.lock"), data, BOOKWORM)


def test_directories_of_the_source_are_left_out_but_what_they_need_is_not() -> None:
    member = package("member", 'editable = "libs/member"', "") + '\ndependencies = [{ name = "needed" }]'
    data = uv(member) + b"[[package]]\n" + package("needed").encode()
    assert [pin.name for pin in pins_of(lock_of("uv.lock"), data, BOOKWORM)] == ["needed"]


def test_a_workspace_without_a_project_at_its_top_has_to_be_asked_for_one() -> None:
    data = b"version = 1\n" + b"".join(
        f'[[package]]\nname = "{name}"\nversion = "1"\nsource = {{ editable = "{name}" }}\n'.encode() for name in ("one", "two")
    )
    with pytest.raises(InvalidPythonLock, match="one, two") as caught:
        pins_of(lock_of("uv.lock"), data, BOOKWORM)
    assert "project" in caught.value.hint
    assert pins_of(lock_of("uv.lock", project=ProjectName("two")), data, BOOKWORM) == ()


def test_groups_of_a_workspace_whose_top_is_no_project() -> None:
    text = 'version = 1\n[manifest]\nmembers = []\n[manifest.dependency-groups]\ndev = [{ name = "a" }]\n[[package]]\n' + package("a")
    assert [pin.name for pin in pins_of(lock_of("uv.lock", groups=("dev",)), text.encode(), BOOKWORM)] == ["a"]


def test_extras_that_conflict_are_told_apart_by_their_markers() -> None:
    torch = [package("torch").replace('"1"', '"1"'), package("torch").replace('version = "1"', 'version = "2"')]
    data = uv(*torch).replace(
        b'dependencies = [{ name = "torch" }]',
        b'dependencies = [{ name = "torch", version = "1", marker = "extra == \'extra-4-shop-cpu\'" },'
        b'{ name = "torch", version = "2", marker = "extra != \'extra-4-shop-cpu\' and sys_platform == \'linux\'" }]\n'
        b"optional-dependencies = { cpu = [] }",
    )
    assert [pin.version for pin in pins_of(lock_of("uv.lock", extras=("cpu",)), data, BOOKWORM)] == ["1"]
    assert [pin.version for pin in pins_of(lock_of("uv.lock"), data, BOOKWORM)] == ["2"]


def test_one_package_at_two_versions_is_a_fault() -> None:
    lines = f"a==1 --hash=sha256:{DIGEST}\nA==2 --hash=sha256:{DIGEST}\n"
    with pytest.raises(UnusablePins, match="two versions, 1 and 2"):
        pins_of(lock_of("requirements.txt"), lines.encode(), BOOKWORM)


# Files that are not what they should be


@pytest.mark.parametrize("file", [kind for kind in LockKind if kind is not LockKind.REQUIREMENTS])
@pytest.mark.parametrize("data", [b"{", b"\xff", b"a = 1\n", b"[[package]]\nname = 1\n"], ids=["not TOML", "not UTF-8", "another", "types"])
def test_a_file_that_cannot_be_read_is_named(file: str, data: bytes) -> None:
    with pytest.raises(InvalidPythonLock, match=file):
        pins_of(lock_of(file), data, BOOKWORM)


@pytest.mark.parametrize(
    "file", ["uv/uv.lock", "uv/pylock.toml", "uv/requirements.txt", "pdm/pdm.lock", "pdm/pylock.toml", "poetry/poetry.lock"]
)
@settings(max_examples=25, deadline=None)
@given(place=st.floats(0, 1), length=st.integers(1, 200), other=st.sampled_from([b"", b"1", b'"x"', b"[]", b"\n", b"{ }"]))
def test_whatever_is_wrong_in_a_file_is_said_in_our_words(file: str, place: float, length: int, other: bytes) -> None:
    data = (GOLDEN / file).read_bytes()
    start = int(place * len(data))
    said = str(lock_of(file).file)
    try:
        pins_of(lock_of(file), data[:start] + other + data[start + length :], BOOKWORM)
    except (InvalidPythonLock, UnusablePins) as error:
        said = error.message
    assert lock_of(file).file in said


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("uv.lock", b"version = 2\n"),
        ("poetry.lock", b'[metadata]\nlock-version = "3.0"\n'),
        ("pdm.lock", b'[metadata]\nlock_version = "5.0"\n'),
        ("pylock.toml", b'lock-version = "2.0"\ncreated-by = "x"\npackages = []\n'),
    ],
)
def test_a_format_that_is_not_known_is_refused(file: str, data: bytes) -> None:
    with pytest.raises(InvalidPythonLock, match="version"):
        pins_of(lock_of(file), data, BOOKWORM)


def test_what_does_not_say_whose_packages_are_says_how_to_make_it() -> None:
    with pytest.raises(InvalidPythonLock) as caught:
        pins_of(lock_of("poetry.lock"), b'[metadata]\nlock-version = "2.0"\n', BOOKWORM)
    assert "Poetry 2.0" in caught.value.hint
    with pytest.raises(InvalidPythonLock) as caught:
        pins_of(lock_of("pdm.lock"), b'[metadata]\nlock_version = "4.4"\nstrategy = ["cross_platform"]\n', BOOKWORM)
    assert "inherit_metadata" in caught.value.hint


@pytest.mark.parametrize("file", ["uv/uv.lock", "pdm/pdm.lock", "poetry/poetry.lock", "uv/pylock.toml"])
def test_a_lock_for_other_pythons_is_refused(file: str) -> None:
    old = msgspec.structs.replace(BOOKWORM, version="3.9", full_version="3.9.2")
    with pytest.raises(InvalidPythonLock, match=r"made for Python >=3\.11, but the environment has 3\.9\.2"):
        golden(file, old)


def test_pylock_environments_have_to_hold() -> None:
    data = b'lock-version = "1.0"\ncreated-by = "x"\nenvironments = ["sys_platform == \'win32\'"]\npackages = []\n'
    with pytest.raises(InvalidPythonLock, match="environments"):
        pins_of(lock_of("pylock.toml"), data, BOOKWORM)


def test_pylock_groups_are_the_default_ones_unless_said() -> None:
    wheel = f'wheels = [{{ name = "a-1-py3-none-any.whl", url = "https://x.example.org/a", hashes = {{ sha256 = "{DIGEST}" }} }}]'
    data = (
        'lock-version = "1.0"\ncreated-by = "x"\ndependency-groups = ["test", "docs"]\ndefault-groups = ["test"]\n'
        f'[[packages]]\nname = "a"\nversion = "1"\nmarker = "\'test\' in dependency_groups"\n{wheel}\n'
        '[[packages]]\nname = "b"\nversion = "1"\n[packages.vcs]\ntype = "git"\nurl = "https://x.example.org/b"\ncommit-id = "1"\n'
    )
    with pytest.raises(UnusablePins, match="b 1 comes from a git repository"):
        pins_of(lock_of("pylock.toml"), data.encode(), BOOKWORM)
    data = data.partition('[[packages]]\nname = "b"')[0]
    assert [pin.name for pin in pins_of(lock_of("pylock.toml"), data.encode(), BOOKWORM)] == ["a"]
    assert pins_of(lock_of("pylock.toml", groups=("docs",)), data.encode(), BOOKWORM) == ()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('[package.source]\ntype = "git"\nurl = "https://git.example.org/a"', "a git repository"),
        ('[package.source]\ntype = "url"\nurl = "https://files.example.org/a.whl"', "an address"),
        ('[package.source]\ntype = "file"\nurl = "a.whl"', "a file"),
        ('[package.source]\ntype = "directory"\nurl = "../a"', "a directory outside the source"),
        ("", "has no wheel in it"),
    ],
)
def test_poetry_packages_that_cannot_be_taken_over(source: str, said: str) -> None:
    data = f'[[package]]\nname = "a"\nversion = "1"\ngroups = ["main"]\nfiles = []\n{source}\n[metadata]\nlock-version = "2.1"\n'
    with pytest.raises(UnusablePins, match=said):
        pins_of(lock_of("poetry.lock"), data.encode(), BOOKWORM)


def test_poetry_markers_may_differ_by_group() -> None:
    data = (
        '[[package]]\nname = "a"\nversion = "1"\ngroups = ["main", "dev"]\n'
        f'files = [{{ file = "a-1-py3-none-any.whl", hash = "sha256:{DIGEST}" }}]\n'
        "markers = { main = \"sys_platform == 'win32'\", dev = \"python_version >= '3.11'\" }\n"
        '[metadata]\nlock-version = "2.1"\npython-versions = "^3.11"\n'
    )
    assert pins_of(lock_of("poetry.lock"), data.encode(), BOOKWORM) == ()
    assert len(pins_of(lock_of("poetry.lock", groups=("dev",)), data.encode(), BOOKWORM)) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('git = "https://git.example.org/a"', "a git repository"),
        ('url = "https://files.example.org/a.whl"', "an address"),
        ('path = "./a-1-py3-none-any.whl"', "a file"),
        ('path = "../a"', "outside the source"),
    ],
)
def test_pdm_packages_that_cannot_be_taken_over(source: str, said: str) -> None:
    head = '[metadata]\nlock_version = "4.5.0"\nstrategy = ["inherit_metadata"]\ngroups = ["default"]\n'
    data = f'{head}[[package]]\nname = "a"\nversion = "1"\ngroups = ["default"]\n{source}\n'
    with pytest.raises(UnusablePins, match=said):
        pins_of(lock_of("pdm.lock"), data.encode(), BOOKWORM)
    inside = f'{head}[[package]]\nname = "a"\nversion = "1"\ngroups = ["default"]\npath = "./libs/a"\neditable = true\n'
    assert pins_of(lock_of("pdm.lock"), inside.encode(), BOOKWORM) == ()


# Requirements files


def requirements(text: str) -> list[str]:
    return [f"{pin.name} {pin.version}" for pin in pins_of(lock_of("requirements.txt"), text.encode(), BOOKWORM)]


def test_requirements_as_they_are_written() -> None:
    text = (
        "--index-url https://index.example.org/simple\n-f https://index.example.org/wheels\n\n# a comment \\\n"
        'Some.Name[extra] == 1.0 ; python_version >= "3.8" \\\n'
        f"    --hash=sha256:{DIGEST} \\\n    --hash=sha256:{'cd' * 32}\n    # via other\n"
        f'windows==1; sys_platform == "win32" --hash=sha256:{DIGEST}\n-e .\n./libs/mine\n'
    )
    assert requirements(text) == ["some-name 1.0"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"a>=1 --hash=sha256:{DIGEST}", "a is not pinned to one version"),
        (f"a==1.* --hash=sha256:{DIGEST}", "a is not pinned to one version"),
        ("a==1", "a 1 has no sha256 hash"),
        (f"a==1 --hash=md5:{'0' * 32}", "a 1 has no sha256 hash"),
        (f"a @ https://files.example.org/a.whl --hash=sha256:{DIGEST}", "a comes from an address"),
        ("-e ../a", "../a is a directory outside the source"),
    ],
)
def test_requirements_that_cannot_be_taken_over(line: str, said: str) -> None:
    with pytest.raises(UnusablePins, match=said):
        requirements(line)


def test_requirements_that_cannot_be_read_are_all_named_by_their_lines() -> None:
    with pytest.raises(InvalidPythonLock) as caught:
        requirements(f"a==1 \\\n  --hash=sha256:{DIGEST}\n-r other.txt\n\n!!\n")
    assert "line 3: the option -r cannot be followed" in caught.value.message
    assert "line 5: not a requirement: '!!'" in caught.value.message


# Small things


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("uv.lock", LockKind.UV),
        ("tools/poetry.lock", LockKind.POETRY),
        ("pylock.toml", LockKind.PYLOCK),
        ("pylock.dev.toml", LockKind.PYLOCK),
        ("requirements/dev.txt", LockKind.REQUIREMENTS),
    ],
)
def test_the_name_says_the_tool(name: str, kind: LockKind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize("name", ["lockage.lock", "Pipfile.lock", "pylock.a.b.toml", "uv.lock.txt.bak", "pyproject.toml"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"known are uv\.lock"):
        kind_of(name)


@pytest.mark.parametrize(
    ("folder", "path", "inside"),
    [
        ("", ".", True),
        ("", "libs/a", True),
        ("", "./libs/../a", True),
        ("", "..", False),
        ("", "libs/../../a", False),
        ("tools", "../libs/a", True),
        ("tools", "../../libs/../tools", False),
        ("", "/srv/a", False),
        ("", "file:///srv/a", False),
    ],
)
def test_whether_a_directory_is_of_the_source(folder: str, path: str, inside: bool) -> None:
    assert is_inside(folder, path) is inside


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)


@settings(deadline=None)
@given(names=st.sets(NAMES, max_size=4), name=NAMES)
def test_extra_equals_every_name_that_was_asked_for(names: set[str], name: str) -> None:
    conditions = Conditions(variables=BOOKWORM.markers(), extras=frozenset(names))
    assert conditions.holds(f"extra == '{name}'") is (name in names)
    assert conditions.holds(f'python_version >= "3.8" and extra != "{name}"') is (name not in names)


def test_a_marker_that_cannot_be_judged_is_named() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Conditions(variables=BOOKWORM.markers()).holds("nonsense == 'a'")


def test_a_files_name_is_the_last_part_of_its_address() -> None:
    assert file_name("https://index.example.org/a%2Bb/a-1%2Bcpu-py3-none-any.whl?x=/y#sha256=0") == "a-1+cpu-py3-none-any.whl"


# What `lockage init` begins with


@pytest.mark.parametrize(
    ("file", "offered"),
    [
        ("uv/uv.lock", {"groups": ("test",)}),
        ("poetry/poetry.lock", {"groups": ("dev",)}),
        ("pdm/pdm.lock", {"groups": ("test",)}),
        ("uv/pylock.toml", {}),
    ],
)
def test_the_group_of_the_tests_is_offered(file: str, offered: dict[str, Any]) -> None:
    lock = lock_of(file, **offered)
    assert offer_of([lock.file], lambda _: (GOLDEN / file).read_bytes()) == lock
    assert pins_of(lock, (GOLDEN / file).read_bytes(), BOOKWORM)


def test_nothing_is_offered_where_nothing_can_be_read() -> None:
    assert offer_of(["requirements.txt", "sub/uv.lock"], lambda _: b"version = 1\n") is None
    assert offer_of(["uv.lock"], lambda _: b"{") is None
    assert offer_of(["uv.lock"], lambda _: b"package = 1\n") == lock_of("uv.lock")
