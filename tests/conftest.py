"""The sample world that the golden vectors of evidence are made of, for every test that needs signed evidence."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

# A machine that others use as well is slow now and then; how fast things are is what benchmarks measure.
settings.register_profile("lockage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("lockage"), max_examples=25)
settings.load_profile("quick" if os.environ.get("LOCKAGE_TEST_PROFILE") == "quick" else "lockage")

SAMPLES = Path(__file__).parent / "golden" / "evidence" / "samples.py"


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    return _module("evidence_samples", SAMPLES)


@pytest.fixture(scope="session")
def loopback() -> ModuleType:
    """Servers that stand in for a company's (tests/loopback.py)."""
    return _module("loopback", Path(__file__).with_name("loopback.py"))


@pytest.fixture(scope="session")
def schemas() -> ModuleType:
    """A validator of JSON Schemas (tests/schemas.py)."""
    return _module("schemas", Path(__file__).with_name("schemas.py"))
