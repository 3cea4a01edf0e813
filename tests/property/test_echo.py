"""What an echo answers is what the whole program answers, whatever happened to what a build looks at since."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.adapters.memory.executor import MemoryExecutor, Workspace
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree
from lockage.cli.app import run
from lockage.echo.echo import ECHO_MEMO
from lockage.echo.front import answered
from lockage.environment.lock import Lock, LockedEnvironment, RootRef
from lockage.recipe.parse import parse_recipe
from lockage.wiring import Wiring, echoes

RECIPE = b"""
[project]
name = "shop"
version = "tag"
[environment.build]
os = "debian:bookworm"
[step.first]
environment = "build"
inputs = ["src/**"]
run = ["put", "first"]
outputs = ["first"]
[step.pack]
environment = "build"
inputs = ["docs/**"]
needs = ["first"]
run = ["put", "out.txt"]
outputs = ["out.txt"]
artifacts = ["out.txt"]
"""
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")


def put(workspace: Workspace) -> int:
    """Everything that a step sees into its output."""
    name = workspace.request.action.arguments[1]
    workspace.write(name, b"".join(str(path).encode() + data for path, data in sorted(workspace.files.items())))
    return 0


class Place:
    """A committed project, a store, and how the command is given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project, self.store = folder, folder / "shop", folder / "store"
        self.words = ["build"]
        self.settled = True
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LOCKAGE_HOME": str(self.store),
            "LOCKAGE_KEYS": str(folder / "keys"),
        }
        (self.project / "src").mkdir(parents=True)
        (self.project / "docs").mkdir()
        for name in ("src/a.txt", "src/b.txt", "docs/c.txt"):
            (self.project / name).write_text("one\n")
        (self.project / ".gitignore").write_text("*.tmp\n")
        (self.project / "lockage.toml").write_bytes(RECIPE)
        (self.project / "lockage.lock").write_bytes(self._lock())
        self.git("init", "-q")
        self.commit()
        self.git("tag", "v1.0")

    def _lock(self) -> bytes:
        declaration = parse_recipe(RECIPE).environments["build"]
        environment = LockedEnvironment(
            declaration=declaration.digest,
            os=declaration.os,
            architecture="amd64",
            release_date="2026-11-23",
            release_sha256=Digest.of(b"release"),
            root=RootRef(tree=BlobRef.of(b"tree"), metadata=Digest.of(b"metadata")),
            packages=(),
        )
        root = MemoryRoots(MemoryBlobs()).realise(environment, expect=False).ref
        return Lock.of({"build": msgspec.structs.replace(environment, root=root)}).encode()

    def git(self, *arguments: str, check: bool = True) -> None:
        subprocess.run([*GIT, *arguments], cwd=self.project, env=self.environ, check=check, capture_output=True)

    def commit(self, *, check: bool = True) -> None:
        self.git("add", "-A", check=check)
        self.git("commit", "-q", "--allow-empty", "-m", "one", check=check)

    def files(self, folder: str) -> list[Path]:
        return sorted(path for path in (self.store / folder).rglob("*") if path.is_file())

    @cached_property
    def out(self) -> Path:
        return self.project / "dist"

    def left(self) -> dict[str, bytes]:
        """What a build may leave: results, and the records of runs."""
        folders = [self.out, self.project / "other", self.store / "runs", self.store / "actions"]
        return {str(path): path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}

    def told(self, command: Callable[[Sequence[str]], object]) -> tuple[object, str, str]:
        """What a command gives, and what it prints."""
        with self._here() as (output, errors):
            given = command(self.words)
            return given, _text(output), _text(errors)

    @contextmanager
    def _here(self) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
        streams = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.chdir(self.project)
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            if self.settled:
                patch.setattr(echoes, "COARSEST", -(10**18))  # nothing here happens within a tick of the clock
            patch.setattr(Wiring, "executor", property(lambda self: MemoryExecutor(self.blobs, {"put": put})))
            patch.setattr(Wiring, "roots", property(lambda self: MemoryRoots(self.blobs)))
            yield streams


def _text(stream: io.TextIOWrapper) -> str:
    if stream.closed:
        return ""
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def written(name: str, text: str) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        (place.project / name).parent.mkdir(exist_ok=True, parents=True)
        (place.project / name).write_text(text)

    return change


def of_git(*arguments: str) -> Callable[[Place], object]:
    """What git makes of it; it may refuse, as after other changes."""
    return lambda place: place.git(*arguments, check=False)


def of_environ(name: str, value: str) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        if place.environ.pop(name, None) is None:
            place.environ[name] = value

    return change


def of_words(*words: str) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        place.words = ["build"] if place.words == ["build", *words] else ["build", *words]

    return change


def of_store(folder: str, what: Callable[[Path], object], number: int = 0) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        found = place.files(folder)
        if found:
            _done(what, found[number % len(found)])

    return change


def of_blob(what: Callable[[Path], object]) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        artifact = place.out / "out.txt"
        name = Digest.of(artifact.read_bytes()) if artifact.is_file() else ""
        blob = place.store / "blobs" / "sha256" / name[:2] / name[2:]
        packs = [path for path in place.files("blobs/packs") if name and bytes.fromhex(name) in path.read_bytes()]
        for file in [blob, *packs] if blob.is_file() else packs:
            _done(what, file)

    return change


def _done(what: Callable[[Path], object], path: Path) -> None:
    path.parent.chmod(0o700)
    path.chmod(0o600)
    what(path)


def damage(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if data else b"x")


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


def same_size(place: Place) -> None:
    """Other bytes, with the size and the time of change that they had before."""
    path = place.project / "src" / "a.txt"
    if path.is_file():
        state = path.stat()
        path.write_text("two\n" if path.read_text() == "one\n" else "one\n")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def linked(place: Place) -> None:
    path = place.out / "out.txt"
    if path.is_file() and not path.is_symlink():
        path.rename(place.folder / "elsewhere")
        path.symlink_to(place.folder / "elsewhere")


def untouched(place: Place) -> None:
    """Nothing happens."""


CHANGES: dict[str, Callable[[Place], object]] = {
    "nothing": untouched,
    "the same bytes": written("src/a.txt", "one\n"),
    "as many other bytes": written("src/a.txt", "two\n"),
    "as many other bytes at the same time": same_size,
    "more bytes": written("src/b.txt", "one and a half\n"),
    "a file that no step sees": written("README", "read me\n"),
    "a new file": written("src/new.txt", "new\n"),
    "a new file in a new folder": written("docs/more/new.txt", "new\n"),
    "another new file in that folder": written("docs/more/other.txt", "other\n"),
    "an ignored file": written("src/x.tmp", "x\n"),
    "what is ignored": written(".gitignore", "*.txt\n*.tmp\n"),
    "excluded by the repository": written(".git/info/exclude", "new.txt\n"),
    "attributes": written(".gitattributes", "*.txt text eol=crlf\n"),
    "a file is gone": lambda place: (place.project / "src" / "b.txt").unlink(missing_ok=True),
    "a file can be executed": lambda place: (place.project / "lockage.toml").chmod(0o755),
    "a comment in the recipe": lambda place: (place.project / "lockage.toml").write_bytes(RECIPE + b"# more\n"),
    "the recipe as it was": lambda place: (place.project / "lockage.toml").write_bytes(RECIPE),
    "a recipe that is none": written("lockage.toml", "[project\n"),
    "the lock is gone": lambda place: (place.project / "lockage.lock").unlink(missing_ok=True),
    "all of it back": of_git("checkout", "-q", "-f", "."),
    "all of it back, new files as well": of_git("clean", "-qfd"),
    "staged": of_git("add", "-A"),
    "a commit": lambda place: place.commit(check=False),
    "the commit before": of_git("reset", "-q", "--hard", "HEAD~"),
    "moved in the index": of_git("mv", "src/b.txt", "src/moved.txt"),
    "another branch": of_git("checkout", "-q", "-B", "other"),
    "a tag": of_git("tag", "v2.0"),
    "a tag moved": of_git("tag", "-f", "v1.0"),
    "a tag with a message": of_git("tag", "-f", "-a", "-m", "x", "v3.0"),
    "no tag": of_git("tag", "-d", "v1.0", "v2.0", "v3.0"),
    "packed refs": of_git("pack-refs", "--all"),
    "packed objects": of_git("gc", "-q", "--prune=now"),
    "an address": of_git("config", "remote.origin.url", "https://example.org/shop.git"),
    "another address": of_git("config", "remote.origin.url", "https://example.org/other.git"),
    "a repository inside": of_git("init", "-q", "src/inner"),
    "a submodule": of_git("submodule", "add", "-q", "./.git", "module"),
    "a change in the submodule": written("module/docs/c.txt", "changed\n"),
    "an artifact is gone": lambda place: (place.out / "out.txt").unlink(missing_ok=True),
    "an artifact is another": written("dist/out.txt", "other\n"),
    "an artifact is a link": linked,
    "a process died there": written("dist/.lockage/1/x", "x"),
    "no results": lambda place: shutil.rmtree(place.out, ignore_errors=True),
    "an artifact's blob is gone": of_blob(Path.unlink),
    "an artifact's blob is cut off": of_blob(lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "an artifact's blob is damaged": of_blob(damage),
    "an artifact's blob was written again": of_blob(replace),
    "an artifact's blob was touched": of_blob(os.utime),
    "some blob is gone": of_store("blobs/sha256", Path.unlink, 3),
    "some other blob is gone": of_store("blobs/sha256", Path.unlink, 10),
    "some blob is damaged": of_store("blobs/sha256", damage, 7),
    "a pack of blobs is gone": of_store("blobs/packs", Path.unlink),
    "another pack of blobs is gone": of_store("blobs/packs", Path.unlink, -1),
    "a pack of blobs is damaged": of_store("blobs/packs", damage),
    "a pack of blobs is cut off": of_store("blobs/packs", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "a pack of blobs was written again": of_store("blobs/packs", replace, -1),
    "a pack of blobs was touched": of_store("blobs/packs", os.utime),
    "a result is gone": of_store("actions", Path.unlink),
    "results are damaged": of_store("actions/packs", damage),
    "a run's record is gone": of_store("runs", Path.unlink, -1),
    "a run's record is damaged": of_store("runs", damage, -1),
    "an echo is damaged": of_store(f"memo/{ECHO_MEMO}", damage),
    "an echo is cut off": of_store(f"memo/{ECHO_MEMO}", lambda path: path.write_bytes(path.read_bytes()[:50])),
    "a memo is gone": of_store("memo", Path.unlink, 5),
    "no memos": lambda place: shutil.rmtree(place.store / "memo", ignore_errors=True),
    "a store of tomorrow": lambda place: (place.store / "format").write_text("99\n"),
    "a store of today": lambda place: (place.store / "format").write_text("1\n"),
    "as many jobs": of_environ("LOCKAGE_JOBS", "3"),
    "as many jobs as there cannot be": of_environ("LOCKAGE_JOBS", "none"),
    "too many CPUs": of_environ("LOCKAGE_CPUS", "100000"),
    "a log that folds": of_environ("GITHUB_ACTIONS", "true"),
    "ignored by the user": of_environ("GIT_CONFIG_GLOBAL", "/nowhere"),
    "another store": of_environ("LOCKAGE_HOME", "/dev/null/store"),
    "for programs": of_words("--json"),
    "into another folder": of_words("--out", "other"),
    "one step": of_words("--step", "first"),
    "a lock of its own": of_words("--lock", "lockage.lock"),
    "looked at thoroughly": of_words("--recheck"),
    "told to others": of_words("--events", "../events"),
    "an option that there is not": of_words("--echo"),
}


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="lockage-echo-") as folder:
        yield Place(Path(folder))


def answers(there: Place) -> bool:
    """Whether an echo answers; what it answers is what the whole program answers then, which finds nothing left to do."""
    given, *printed = there.told(answered)
    before = there.left()
    status, *whole = there.told(lambda words: run(list(words)))
    if not given:
        assert printed == ["", ""]
        return False
    assert (0, *printed) == (status, *whole)
    assert there.left() == before
    return True


@pytest.mark.parametrize("words", [[], ["--json"], ["--lock", "lockage.lock"], ["--out", "other"], ["-j", "2", "."]])
def test_a_build_with_nothing_to_do_is_answered_the_second_time(words: list[str]) -> None:
    with place() as there:
        there.words = ["build", *words]
        assert [answers(there) for _ in range(3)] == [False, False, True]


def test_of_a_source_that_has_just_changed_no_echo_is_kept() -> None:
    with place() as there:
        there.settled = False
        assert [answers(there) for _ in range(3)] == [False, False, False]
        assert there.files(f"memo/{ECHO_MEMO}") == []


def test_of_a_build_that_did_something_no_echo_is_kept() -> None:
    with place() as there:
        assert not answers(there)
        assert there.files(f"memo/{ECHO_MEMO}") == []
        assert not answers(there)
        assert len(there.files(f"memo/{ECHO_MEMO}")) == 1


@pytest.mark.parametrize("ignored", ["inner/", "nothing/"])
def test_of_a_directory_that_is_no_part_of_its_repository_no_echo_is_kept(ignored: str) -> None:
    with place() as there:
        inner = there.project / "inner"
        shutil.copytree(there.project, inner, ignore=shutil.ignore_patterns(".git", "inner"))
        (there.project / ".gitignore").write_text(f"{ignored}\n*.tmp\n")
        (inner / "lockage.toml").write_bytes(RECIPE.replace(b'"tag"', b'"1.0"'))
        (inner / "src" / "x.tmp").write_text("one\n")  # it is read, though git does not speak of it
        there.project = inner
        assert [answers(there) for _ in range(3)] == [False, False, False]
        (inner / "src" / "x.tmp").write_text("two\n")
        assert not answers(there)


def test_an_echo_names_the_run_that_the_whole_program_names() -> None:
    with place() as there:
        there.words = ["build", "--json"]
        assert [answers(there) for _ in range(3)] == [False, False, True]
        there.words = ["build"]
        of_store("actions", Path.unlink)(there)
        assert not answers(there)  # another run of the same: all that the echo looks at is as it was
        there.words = ["build", "--json"]
        assert [answers(there) for _ in range(2)] == [False, True]


def test_a_loss_that_anybody_finds_ends_every_echo() -> None:
    with place() as there:
        assert [answers(there) for _ in range(3)] == [False, False, True]
        of_blob(damage)(there)
        there.words = ["build", "--recheck"]
        assert not answers(there)
        assert there.files(f"memo/{ECHO_MEMO}") == []


@pytest.mark.parametrize("what", [Path.unlink, damage])
@pytest.mark.parametrize("name", ["lockage.lock", "lockage.toml", "src"])
def test_what_the_store_has_lost_of_a_changed_working_copy_is_read_again(name: str, what: Callable[[Path], object]) -> None:
    with place() as there:
        lost = there.project / name
        if lost.is_dir():
            files = [FileNode(RelPath(one.name), BlobRef.of(one.read_bytes())) for one in lost.iterdir()]
            digest = Tree.of(files).encode()[0].digest  # of the commit, which the changed copy's tree is made from
        else:
            digest = Digest.of(lost.read_bytes())
        written("src/new.txt", "new\n")(there)
        assert [answers(there) for _ in range(3)] == [False, False, True]
        _done(what, there.store / "blobs" / "sha256" / digest[:2] / digest[2:])
        answers(there)
        status, *printed = there.told(lambda words: run(list(words)))
        assert (status, "unchanged" in printed[0]) == (0, True), printed


@pytest.mark.parametrize("change", CHANGES)
def test_after_each_change_the_answer_is_that_of_the_whole_program(change: str) -> None:
    with place() as there:
        assert [answers(there) for _ in range(3)] == [False, False, True]
        CHANGES[change](there)
        for _ in range(3):
            answers(there)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=2, max_size=10))
def test_after_any_changes_the_answer_is_that_of_the_whole_program(changes: list[str]) -> None:
    with place() as there:
        assert [answers(there) for _ in range(3)] == [False, False, True]
        for change in changes:
            CHANGES[change](there)
            answers(there)
