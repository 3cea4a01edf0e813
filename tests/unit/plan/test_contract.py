"""What every step finds among its variables."""

from lockage.plan.contract import FIXED, PREVENTION, relocated


def test_a_mapping_follows_the_path_that_it_maps() -> None:
    variables = (("CARGO_BUILD_RUSTFLAGS", PREVENTION["CARGO_BUILD_RUSTFLAGS"][0]), ("MINE", "a=/build=b"))
    moved = dict(relocated(variables, build_path="/srv/other", temporary="/var/cache/t"))
    assert moved == {"CARGO_BUILD_RUSTFLAGS": "--remap-path-prefix=/srv/other=.", "MINE": "a=/build=b"}, "a recipe's variables are its own"
    assert relocated(variables, build_path="/build", temporary=FIXED["TMPDIR"]) == variables


def test_no_compiler_flag_says_a_path() -> None:
    """Builds record their flags (build logs, `sysconfig`, configuration modules): a path among them would be in the product."""
    assert {name for name, (value, _) in PREVENTION.items() if "/" in value} == {"CARGO_BUILD_RUSTFLAGS"}
    assert all(reason for _, reason in PREVENTION.values())
