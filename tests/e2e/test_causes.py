"""Causes of other bytes, or of failing rebuilds, that published projects had: each as the smallest project that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: The environment is the example's: python3 and gcc.
CAUSES = {
    "own-compiler-flags-and-absolute-paths": (
        # propcache: its backend puts other CFLAGS in the place of what there is, and compiles assert() by absolute path
        'CFLAGS="-g -UNDEBUG" && mkdir made && gcc $CFLAGS -shared -fPIC -o made/a.so "$PWD/a.c"',
        {"a.c": "#include <assert.h>\nint f(int x) { assert(x); return x; }\n"},
    ),
    "flags-recorded-in-the-product": (
        "mkdir made && echo \"FLAGS = '$CPPFLAGS ${CFLAGS-}'\" > made/config.py",
        {},
    ),
    "debug-information-of-a-temporary-folder": (
        'mkdir made && mkdir "$TMPDIR/b" && cp a.c "$TMPDIR/b" && gcc -g -c -o made/a.o "$TMPDIR/b/a.c"',
        {"a.c": "int f(int x) { return x; }\n"},
    ),
    "random-names-of-temporary-files": (
        # what compiles in tempfile.mkdtemp() has the name in __FILE__
        "mkdir made && python3 -c 'import tempfile; print(tempfile.mkdtemp()[-8:])' > made/name.txt",
        {},
    ),
    "sleeping-while-the-clock-is-moved": (
        # scikit-build-core asks CMake for its version with a time limit, and subprocess sleeps until it has answered
        "mkdir made && touch made/x && python3 -c 'import subprocess, time; time.sleep(0.01); subprocess.run([\"true\"], timeout=9)'",
        {},
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_comes_out_the_same_in_every_world(cause: str, shop: Store) -> None:
    run, files = CAUSES[cause]
    steps = f"[step.made]\nenvironment = \"build\"\nrun = '''{run}'''\noutputs = [\"made\"]\nartifacts = [\"made/*\"]\n"
    shop.recipe(steps, **files)
    found = shop("verify", "--json", expect=0).json
    assert (found["reproduced"], found["robust"], found["failures"]) == ("identical", "identical", [])
    assert {"build-path", "temporary-path", "clock"} <= set(found["axes"])
