"""What git says of a working copy, and what it may see."""

import os
import subprocess
from pathlib import Path

import pytest

from lockage.echo.git import Comparison, changed, commit_of, environment

ZERO = b"0" * 40


def test_changes_with_their_old_paths() -> None:
    plain = b"1 .M N... 100644 100644 100644 %b %b a file" % (ZERO, ZERO)
    moved = b"2 R. N... 100644 100644 100644 %b %b R100 new" % (ZERO, ZERO)
    said = b"\0".join([b"# branch.oid " + ZERO, b"# branch.head main", plain, moved, b"# branch.oid lies", b"? other", b""])
    assert [(fields[0], fields[-1], before) for fields, before in changed(said)] == [
        (b"1", b"a file", None),
        (b"2", b"new", b"# branch.oid lies"),
        (b"?", b"other", None),
    ]
    assert commit_of(said) == ZERO


def test_no_commit_is_said_as_such() -> None:
    assert commit_of(b"# branch.oid (initial)\0# branch.head main\0") == b"(initial)"
    assert commit_of(b"") == b""


def test_git_sees_nothing_that_redirects_it() -> None:
    seen = environment({"PATH": "/bin", "GIT_DIR": "/elsewhere", "GIT_INDEX_FILE": "/other", "GIT_CONFIG_GLOBAL": "/mine", "LC_ALL": "de"})
    assert "GIT_DIR" not in seen
    assert "GIT_INDEX_FILE" not in seen
    assert (seen["GIT_CONFIG_GLOBAL"], seen["PATH"], seen["LC_ALL"], seen["GIT_OPTIONAL_LOCKS"]) == ("/mine", "/bin", "C", "0")


def test_every_new_file_has_its_name(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "new" / "folder").mkdir(parents=True)
    (tmp_path / "new" / "folder" / "file").touch()
    said = Comparison(str(tmp_path), dict(os.environ)).output()
    assert said is not None
    assert said.endswith(b"\0? new/folder/file\0")


def test_where_git_fails_nothing_is_said(tmp_path: Path) -> None:
    comparison = Comparison(str(tmp_path), dict(os.environ))
    assert comparison.output() is None
    comparison.stop()  # it has ended already


def test_a_comparison_that_nobody_reads_leaves_no_process(tmp_path: Path) -> None:
    Comparison(str(tmp_path), dict(os.environ)).stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
