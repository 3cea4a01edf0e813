"""A build with nothing to do imports only what it uses: that is most of what it costs (benchmarks/commands.py has the time)."""

import json
import subprocess
import sys
from pathlib import Path

#: What other commands need, or a build in which something is done; each costs milliseconds or brings what does.
HEAVY = {
    "asyncio",
    "bz2",
    "concurrent.futures",
    "cryptography",
    "difflib",
    "email",
    "http",
    "lockage.adapters.debian_mirror",
    "lockage.adapters.ledger_sql",
    "lockage.adapters.python_index",
    "lockage.adapters.roots_local",
    "lockage.adapters.sandbox_bwrap",
    "lockage.adapters.signer_file",
    "lockage.adapters.source_directory",
    "lockage.adapters.source_sdist",
    "lockage.environment.debian",
    "lockage.environment.root",
    "lockage.evidence",
    "lockage.recipe.parse",
    "logging",
    "lzma",
    "packaging",
    "random",
    "rich",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "tarfile",
    "tempfile",
    "tomllib",
    "urllib.request",
    "uv",
    "zipfile",
}
#: What no build needs as long as what it uses is kept and whole, whatever else it does.
SPARED = {
    "concurrent.futures",
    "cryptography.hazmat.primitives.serialization",
    "gzip",
    "lockage.adapters.source_git.lfs",
    "lockage.adapters.source_git.remote",
    "lockage.compare.archives",
    "lockage.environment.root.alternatives",
    "lockage.environment.root.completing",
    "lockage.evidence.manifest",
    "logging",
    "shutil",
    "tempfile",
}
#: Small ones add up as well: there are some 200 beside those that the interpreter starts with, those that keep an echo among them.
MOST = 210
#: In the first build of a store, which makes keys and signs, some 300 in all.
MOST_OF_A_FIRST = 300
#: What an echo takes: its own room, the front door and what hashes.
OF_AN_ECHO = 20

WHOLE = """
import json, sys
before = set(sys.modules)
from lockage.cli.app import run
status = run(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps(sorted(set(sys.modules) - before)))
sys.exit(status)
"""
#: Files are as young here as they are nowhere else.
KEEPING = "from lockage.wiring import echoes; echoes.COARSEST = -(10**18)"
FRONT_DOOR = """
import sys
before = set(sys.modules)
from lockage.cli import main
file = sys.argv.pop(1)
try:
    main()
finally:
    after = set(sys.modules)
    import json
    open(file, "w").write(json.dumps(sorted(after - before)))
"""


def build(project: Path, environ: dict[str, str], modules: Path, program: str = WHOLE) -> set[str]:
    """Build in a process of its own; the modules that it imported."""
    command = [sys.executable, "-P", "-c", program, str(modules), "build", str(project), "--out", str(project.parent / "out")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    return set(json.loads(modules.read_text()))


def test_a_build_with_nothing_to_do_imports_only_what_it_uses(project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    first = build(project, environ, tmp_path / "modules.json")
    assert first & HEAVY  # it signed provenance, so the list names what there is
    assert first & SPARED == set()
    assert len(first) < MOST_OF_A_FIRST
    again = build(project, environ, tmp_path / "modules.json")
    assert again & HEAVY == set()
    assert len(again) < MOST


def test_a_build_that_an_echo_answers_imports_next_to_nothing(project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    build(project, environ, tmp_path / "modules.json")
    build(project, environ, tmp_path / "modules.json", KEEPING + FRONT_DOOR)
    answered = build(project, environ, tmp_path / "modules.json", FRONT_DOOR)
    assert not {"click", "msgspec", "typing", "re", "pathlib", "subprocess", "lockage.cli.app"} & answered
    assert len(answered) < OF_AN_ECHO
