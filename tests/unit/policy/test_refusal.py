"""What a policy refuses, as people write it: one form for each, every fault told, and what holds of a machine."""

import re

import pytest

from lockage.policy.refusal import Refusal
from lockage.record.conditions import DeviationKind
from lockage.record.host import HostFact

HOST = {
    "kernel": "6.12.3-amd64",
    "cpu": "AMD EPYC 7B13",
    "cpu-features": "fpu sse4_2 avx2",
    "cpus": "8",
    "sandbox": "bubblewrap 0.11.0",
    "lockage": "0.1.0",
    "store-file-system": "ext4",
    "control-groups": "v1 and v2",
}


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("kernel < 6.12.4", True),
        ("kernel < 6.12.3", False),
        ("kernel <= 6.12.3", True),
        ("kernel < 6.2", False),
        ("kernel > 6.2", True),
        ("kernel >= 6.12.3.0", True),
        ("kernel > 6.12", True),
        ("kernel = 6.12.3-amd64", True),
        ("kernel = 6.12.3", False),
        ("kernel = 6.12.*", True),
        ("kernel != *-amd64", False),
        ("kernel != *-cloud", True),
        ("cpu = amd*", False),
        ("cpu = AMD*", True),
        ("cpu = AMD EPYC 7B13", True),
        ("cpus < 16", True),
        ("sandbox < 0.8", False),
        ("sandbox < 0.11.1", True),
        ("store-file-system = ext?", True),
        ("cpu-features has avx2", True),
        ("cpu-features has avx", False),
        ("cpu-features lacks avx512f", True),
        ("cpu-features lacks sse4_2", False),
        ("control-groups = v1*", True),
        ("memory < 1", None),
        ("python != 3.11.*", None),
    ],
)
def test_what_holds_of_a_machine(text: str, refused: bool | None) -> None:
    assert Refusal(text).refuses(HOST) is refused


def test_what_cannot_be_compared_is_not_known() -> None:
    assert Refusal("kernel < 5").refuses({"kernel": "none"}) is None


@pytest.mark.parametrize("text", ["kernel<5.15", "  kernel  <  5.15 ", "kernel <5.15"])
def test_one_form(text: str) -> None:
    assert Refusal(text) == "kernel < 5.15"
    assert Refusal(Refusal(text)) == Refusal(text)
    assert Refusal(text).fact is HostFact.KERNEL
    assert Refusal(text).kind is None


def test_every_kind_is_a_refusal() -> None:
    for kind in DeviationKind:
        assert Refusal(f" {kind} ").kind is kind
        assert Refusal(kind).fact is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "neither a kind of deviation"),
        ("stale", "neither a kind of deviation"),
        ("kernel", "neither a kind of deviation"),
        ("kernel <", "neither a kind of deviation"),
        ("kernel = " + "6" * 200, "neither a kind of deviation"),
        ("colour = red", "no fact of machines is called 'colour'"),
        ("cpu < 5", "'<' cannot be asked of cpu; one of =, !="),
        ("kernel has 6", "'has' cannot be asked of kernel"),
        ("kernel < new", "there is none in 'new'"),
    ],
)
def test_faults(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        Refusal(text)
