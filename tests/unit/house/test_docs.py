"""The documentation matches the code: error codes, commands, settings; and every error explains itself."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lockage.base.errors import ExitCode

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def regenerate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", DOCS / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page",
    [
        "errors.md",
        "fix.md",
        "formats/events.schema.json",
        "commands.md",
        "settings.md",
        "stabilizers.md",
        "verify.md",
        "what-can-differ.md",
        "why-did-my-build-differ.md",
    ],
)
def test_pages_made_from_the_code_are_true(regenerate: ModuleType, page: str) -> None:
    assert (DOCS / page).read_text() == regenerate.PAGES[page](), "run: .venv/bin/python docs/regenerate.py"


def test_every_error_has_its_own_code_and_explains_itself(regenerate: ModuleType) -> None:
    errors = regenerate.every_error()
    assert len(errors) > 30
    assert len({kind.code for kind in errors}) == len(errors)
    for kind in errors:
        assert "code" in vars(kind), f"{kind.__name__} has no code of its own"
        assert kind.code == kind.code.lower().replace("_", "-").replace(" ", "-")
        assert kind.__doc__, kind
        assert kind.hint.endswith("."), kind
        assert isinstance(kind.exit_code, ExitCode)
