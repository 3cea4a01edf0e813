"""The documentation matches the code: error codes, commands, settings; and every error explains itself."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from lockage.base.errors import ExitCode

DOCS = Path(__file__).parents[3] / "docs"
PAGES = (*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md"))


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


def _prose(page: Path) -> str:
    """A page without its examples."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """What a heading can be linked by, as forges spell it."""
    headings = re.findall(r"^#{1,6} (.*)$", _prose(page), flags=re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", _prose(page))):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
            lost.append(target)
    assert lost == []


def test_every_page_is_reached_from_the_first() -> None:
    first = (DOCS / "README.md").read_text()
    assert [page.name for page in sorted(DOCS.glob("*.md")) if page.name != "README.md" and f"({page.name})" not in first] == []
