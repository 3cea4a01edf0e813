"""Causes of other bytes, or of failing rebuilds, that published projects had: each as the smallest step that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: The environment is the example's: python3 and gcc. What comes out is in a file named by the cause.
CAUSES = {
    # propcache: its backend puts other CFLAGS in the place of what there is, and compiles assert() by absolute path
    "own-compiler-flags-and-absolute-paths": 'CFLAGS="-g -UNDEBUG" && gcc $CFLAGS -shared -fPIC -o $0 "$PWD/causes.c"',
    "flags-recorded-in-the-product": "env | grep -E '^(CC|C[A-Z]*FLAGS|LDFLAGS)=' > $0",
    "debug-information-of-a-temporary-folder": 'cp causes.c "$TMPDIR" && gcc -g -c -o $0 "$TMPDIR/causes.c"',
    # what compiles in tempfile.mkdtemp() has the name in __FILE__
    "random-names-of-temporary-files": "python3 -c 'import tempfile; print(tempfile.mkdtemp()[-8:])' > $0",
    # scikit-build-core asks CMake for its version with a time limit, and subprocess sleeps until it has answered
    "sleeping-while-the-clock-is-moved": "python3 -c 'import time; time.sleep(0.01); print(1)' > $0",
}
SOURCE = "#include <assert.h>\nint f(int x) { assert(x); return x; }\n"


def step(cause: str) -> str:
    run = CAUSES[cause].replace("$0", f"made/{cause}")
    return f"""
[step.{cause}]
environment = "build"
inputs = ["causes.c"]
run = '''mkdir made && {run}'''
outputs = ["made/{cause}"]
artifacts = ["made/{cause}"]
"""


@pytest.fixture(scope="module")
def verified(warm: Store, module_path: Path) -> dict[str, Any]:  # Any: a document
    """All of them verified together."""
    store = warm.copy(module_path / "causes")
    store.recipe("".join(map(step, CAUSES)), **{"causes.c": SOURCE})
    found: dict[str, Any] = store("verify", "--json").json
    assert found["failures"] == [], found["last_lines"]
    assert {"build-path", "temporary-path", "clock"} <= set(found["axes"]), found["unavailable"]
    return found


@pytest.mark.parametrize("cause", CAUSES)
def test_comes_out_the_same_in_every_world(cause: str, verified: dict[str, Any]) -> None:
    (verdict,) = (artifact for artifact in verified["artifacts"] if artifact["filename"] == cause)
    assert (verdict["reproduced"], verdict["robust"]) == ("identical", "identical"), verdict["differences"]
