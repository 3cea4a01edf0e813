"""Repositories as they are, made of projects of other people: with a submodule, with Git LFS, with two projects; each up to prod."""

from __future__ import annotations

import shutil
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from tests.e2e.conftest import EXAMPLE
from tests.e2e.test_sdists import sdists as sdists

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

#: The example's environment, which the store has: nothing is resolved or fetched anew.
ENVIRONMENT = (EXAMPLE / "lockage.toml").read_text().partition("[step.")[0].partition("[environment")
STEPS = """
[step.wheel]
inputs = [{inputs}]
stamp = ["date"]
run = \'\'\'{go}mkdir wheels && python3 -c "from setuptools import build_meta; build_meta.build_wheel('wheels')"\'\'\'
outputs = ["{below}wheels"]
artifacts = ["{below}wheels/*.whl"]

[step.import]
kind = "test"
needs = ["wheel"]
inputs = []
run = \'\'\'
python3 -m venv .v
.v/bin/pip install --no-index --no-deps {below}wheels/*.whl
.v/bin/python -c "{imported}"
\'\'\'
"""


class Repositories:
    """A store with a folder of repositories in which projects go their whole way."""

    def __init__(self, store: Store, sdists: Path) -> None:
        self.store = store
        self.sdists = sdists
        self.lock = (store.work / "lockage.lock").read_bytes()
        self.folder = store.home.parent / "repositories"
        self.folder.mkdir()

    def git(self, where: Path, *arguments: str) -> str:
        done = self.store.run(["git", "-c", "protocol.file.allow=always", *arguments], cwd=where)
        assert done.code == 0, done
        return done.stdout.strip()

    def unpacked(self, name: str, to: Path) -> Path:
        (file,) = self.sdists.glob(f"{name}-*.tar.gz")
        with tarfile.open(file) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # which Python has since 3.11.4
            archive.extractall(to.parent / "unpacked")
        (top,) = (to.parent / "unpacked").iterdir()
        to.parent.mkdir(parents=True, exist_ok=True)
        top.rename(to)
        (to.parent / "unpacked").rmdir()
        return to

    def commit(self, where: Path) -> None:
        if not (where / ".git").exists():
            self.git(where, "init", "-q", "-b", "main")
        self.git(where, "add", "-A")
        self.git(where, "commit", "-q", "-m", "a commit")

    def recipe(self, where: Path, name: str, imported: str, *, project: str = "", inputs: str = '"**"', below: str = "") -> None:
        """A recipe in the example's environment, with the example's lock beside it."""
        declared = "".join(ENVIRONMENT[1:]) if not project else ""
        go = f"cd {below} && " if below else ""
        steps = STEPS.format(inputs=inputs, below=below, go=go, imported=imported)
        (where / "lockage.toml").write_text(f'[project]\nname = "{name}"\nversion = "1.0"\n{project}\n{declared}{steps}')
        (where / "lockage.lock").write_bytes(self.lock)

    def up_to_prod(self, where: Path, name: str) -> list[str]:
        """Lock, build, test, verify, release, promote, pull; returns the artifacts' digests."""
        store, out = self.store, self.folder / f"{name}-out"
        assert store("lock", "--json", cwd=where, expect=0).json["written"] is False
        built = store("build", "--out", out, "--json", cwd=where, expect=0).json
        assert built["source"]["origin"]["kind"] == "commit"
        store("test", "--json", cwd=where, expect=0)
        verified = store("verify", "--axes", "priority,umask", "--json", cwd=where, expect=0).json  # without copies of the root
        assert (verified["reproduced"], verified["robust"]) == ("identical", "identical")
        release = store("release", "--json", cwd=where, expect=0).json["release"]
        for channel in ("dev", "staging", "prod"):
            assert store("promote", name, "--to", channel, "--json", expect=0).json["release"] == release
        pulled = store("pull", "prod", "--project", name, "--into", self.folder / f"{name}-prod", "--json", expect=0).json
        digests = [artifact["sha256"] for artifact in built["artifacts"]]
        assert [sha256((self.folder / f"{name}-prod" / a["name"]).read_bytes()).hexdigest() for a in pulled["artifacts"]] == digests
        return digests


@pytest.fixture
def repositories(warm: Store, sdists: Path, tmp_path: Path) -> Repositories:
    return Repositories(warm.copy(tmp_path / "store"), sdists)


def test_an_extension_with_its_c_code_in_a_submodule(repositories: Repositories) -> None:
    folder, git = repositories.folder, repositories.git
    top = repositories.unpacked("markupsafe", folder / "markup")
    (top / "src/markupsafe").rename(folder / "speedups")
    repositories.commit(folder / "speedups")
    repositories.recipe(top, "markupsafe", "import markupsafe._speedups")
    repositories.commit(top)
    git(top, "submodule", "--quiet", "add", "../speedups", "src/markupsafe")
    repositories.commit(top)
    git(folder, "clone", "-q", "markup", "copy")
    refused = repositories.store("build", "--json", cwd=folder / "copy").error
    assert (refused["code"], refused["exit_code"]) == ("source-unusable", 2)
    assert "submodule update --init --recursive src/markupsafe" in refused["hint"]

    digests = repositories.up_to_prod(top, "markupsafe")
    elsewhere = repositories.store("build", f"file://{top}", "--out", folder / "again", "--json", expect=0).json
    assert [artifact["sha256"] for artifact in elsewhere["artifacts"]] == digests
    assert all(step["cached"] for step in elsewhere["steps"]), "the same tree, wherever it comes from"


def test_a_module_that_is_kept_in_large_file_storage(repositories: Repositories) -> None:
    top = repositories.unpacked("six", repositories.folder / "six")
    content = (top / "six.py").read_bytes()
    name = sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"
    (top / "six.py").write_text(pointer)
    (top / ".gitattributes").write_text("six.py filter=lfs diff=lfs merge=lfs -text\n")
    repositories.recipe(top, "six", "import six; assert six.PY3")
    repositories.commit(top)
    refused = repositories.store("build", "--json", cwd=top).error
    assert refused["code"] == "source-unusable"
    assert refused["message"].endswith(": six.py")
    kept = top / ".git/lfs/objects" / name[:2] / name[2:4]
    kept.mkdir(parents=True)
    (kept / name).write_bytes(content)
    repositories.up_to_prod(top, "six")


def test_two_projects_of_one_repository_that_share_an_environment(repositories: Repositories) -> None:
    store, top = repositories.store, repositories.folder / "mono"
    markup = repositories.unpacked("markupsafe", top / "libs/markup")
    six = repositories.unpacked("six", top / "libs/six")
    (top / "common").mkdir()
    (six / "six.py").rename(top / "common/six.py")
    (top / "environments.toml").write_text("".join(ENVIRONMENT[1:]))
    shares = 'shares = "../../environments.toml"'
    repositories.recipe(markup, "mono-markup", "import markupsafe._speedups", project=shares)
    inputs = '"libs/six/**", "common/**"'
    project = f'{shares}\nroot = "../.."'
    repositories.recipe(six, "mono-six", "import six", project=project, inputs=inputs, below="libs/six/")
    text = (six / "lockage.toml").read_text()
    (six / "lockage.toml").write_text(text.replace("cd libs/six/ && ", "cp common/six.py libs/six/ && cd libs/six/ && "))
    repositories.commit(top)

    refused = store("build", "--json", cwd=top).error
    assert refused["code"] == "not-a-project"
    assert "`lockage build libs/markup`, `lockage build libs/six`" in refused["hint"]
    assert store("lock", "--json", cwd=markup, expect=0).json["environments"].keys() == {"build"}
    store("build", "--out", repositories.folder / "markup-out", "--json", cwd=markup, expect=0)
    digests = repositories.up_to_prod(six, "mono-six")

    (top / "common/six.py").write_text((top / "common/six.py").read_text() + "\n# changed\n")
    shutil.rmtree(repositories.folder / "mono-six-out")
    repositories.commit(top)
    beside = store("build", top / "libs/markup", "--out", repositories.folder / "a", "--json", expect=0).json
    assert all(step["cached"] for step in beside["steps"]), "a change elsewhere is none of this project"
    changed = store("build", f"file://{top}#subdirectory=libs/six", "--out", repositories.folder / "b", "--json", expect=0).json
    assert not any(step["cached"] for step in changed["steps"])
    assert [artifact["sha256"] for artifact in changed["artifacts"]] != digests
