"""Roots of real suites: what builds need works in them, and they are the same wherever they are put together."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.roots_local import LocalRoots
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration
from lockage.environment.lock import LockedEnvironment
from lockage.plan.action import Action
from lockage.plan.contract import FIXED
from lockage.ports import ExecutionRequest
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.variation import CONTRACT
from lockage.wiring import Wiring
from lockage.work.lock import lock_environment

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

PACKAGES = ("python3-dev", "python3-venv", "gcc", "g++", "libc6-dev", "make", "gawk", "ca-certificates", "openssl")
REQUIREMENTS = ("build", "hatchling", "setuptools", "flit-core")

FILES = {
    "a.c": '#include <stdio.h>\nint main(void) { puts("C"); return 0; }\n',
    "a.cc": '#include <iostream>\nint main() { std::cout << "C++" << std::endl; }\n',
    "extension.c": (
        "#include <Python.h>\n"
        'static PyObject *word(PyObject *self, PyObject *none) { return PyUnicode_FromString("extension"); }\n'
        'static PyMethodDef methods[] = {{"word", word, METH_NOARGS, ""}, {0}};\n'
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "extension", 0, -1, methods};\n'
        "PyMODINIT_FUNC PyInit_extension(void) { return PyModule_Create(&module); }\n"
    ),
    "p/pyproject.toml": (
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "shop"\nversion = "1"\n'
    ),
    "p/src/shop/__init__.py": "",
}

#: Every line prints one word or fails.
SCRIPT = """
cc a.c -o a && ./a
c++ a.cc -o b && ./b
c99 a.c -o c && ./c
cc -shared -fPIC $(python3-config --cflags --ldflags) extension.c -o extension.so && python3 -c 'import extension; print(extension.word())'
python3 -m venv --system-site-packages /tmp/v && /tmp/v/bin/python -c 'import hatchling; print("venv")'
python3 -c 'import ssl; assert len(ssl.create_default_context().get_ca_certs()) > 100; print("certificates")'
python3 -c 'import os, pwd; assert pwd.getpwuid(os.getuid()).pw_name == "builder"; print("user")'
echo 1 awk | awk '{print $2}'
which cc make openssl > /dev/null && echo which
pyproject-build --version > /dev/null && echo scripts
python3 -m build --no-isolation p > /dev/null 2>&1 && test -f p/dist/shop-1-py2.py3-none-any.whl && echo wheel
test "$(dpkg-query -W -f '${Status}' gcc)" = 'install ok installed' && echo dpkg
"""
WORDS = ["C", "C++", "C", "extension", "venv", "certificates", "user", "awk", "which", "scripts", "wheel", "dpkg"]


@pytest.fixture(scope="module")
def wiring(module_path: Path) -> Wiring:
    return Wiring({**os.environ, "LOCKAGE_HOME": str(module_path)})


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def environment(request: pytest.FixtureRequest, wiring: Wiring) -> LockedEnvironment:
    base = OsBase(distribution="debian", suite=request.param)
    return lock_environment(wiring, request.param, Declaration(os=base, packages=PACKAGES, python=REQUIREMENTS))


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=os.environ["LOCKAGE_TEST_MEMORY"]) as folder:
        yield Path(folder)


def test_what_builds_need_works(wiring: Wiring, environment: LockedEnvironment) -> None:
    tree, directories = Tree.of(FileNode(RelPath(path), wiring.blobs.put(text.encode())) for path, text in FILES.items()).encode()
    wiring.blobs.put_many(directories.values())
    action = Action(
        arguments=("/bin/sh", "-euc", SCRIPT),
        variables=tuple(sorted({**FIXED, "SOURCE_DATE_EPOCH": "315532800"}.items())),
        outputs=(),
        workspace=tree,
        root=environment.root,
        cpus=1,
        architecture=environment.architecture,
    )
    outcome = wiring.executor.execute(
        ExecutionRequest(action=action, root=wiring.roots.realise(environment), resources=Resources(timeout=120), world=CONTRACT)
    )
    log = wiring.blobs.get(outcome.log).decode()
    assert isinstance(outcome, ActionResult), (outcome, log)
    assert (outcome.exit_code, log.split()) == (0, WORDS), log


def test_the_same_root_on_another_file_system_with_another_umask(
    wiring: Wiring, environment: LockedEnvironment, other_file_system: Path
) -> None:
    before = os.umask(0o077)
    try:
        there = LocalRoots(wiring.blobs, other_file_system / "roots", workers=1).realise(
            msgspec.structs.replace(environment, packages=environment.packages[::-1], python=environment.python[::-1])
        )
    finally:
        os.umask(before)
    assert there.ref == environment.root
