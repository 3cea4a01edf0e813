"""What uv says when it fails, as our errors say it."""

import pytest

from lockage.adapters.python_index.uv import _explained
from lockage.ports import Unresolvable

START = "error: No solution found when resolving dependencies\n  cause: "
END = ", we can conclude that your requirements are unsatisfiable.\n"


@pytest.mark.parametrize(
    ("says", "means"),
    [
        (
            "Because only some-tool[hatch]<0.1.2 is available and you require some-tool[hatch]>=0.1.2",
            "Because no index that was asked has some-tool[hatch]>=0.1.2, or the project.",
        ),
        (
            "Because only some-tool<0.1.2 is available and you require some-tool>=0.1.2",
            "Because only some-tool<0.1.2 is available and you require some-tool>=0.1.2.",
        ),
        (
            "Because some-tool was not found in the package registry and you require some-tool>=1",
            "Because some-tool was not found in the package registry and you require some-tool>=1.",
        ),
    ],
)
def test_what_cannot_be_resolved_is_told_without_what_misleads(says: str, means: str) -> None:
    error = _explained(START + says + END, ["some-tool"], None)
    assert isinstance(error, Unresolvable)
    assert error.message == f"Python requirements cannot be had together for the index: {means}"
