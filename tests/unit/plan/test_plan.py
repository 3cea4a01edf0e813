"""Plans and resolution: order, selection, what an action depends on, and whose variable counts."""

from collections.abc import Iterable, Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.base.name import EnvironmentName, FlagName, ProjectName, StepName, Version
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree, read_tree
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration
from lockage.environment.lock import Lock, LockedEnvironment, LockedPackage, RootRef
from lockage.plan.contract import FIXED, JOBS, PLATFORM, PREVENTION, relocated
from lockage.plan.plan import (
    InputsCollide,
    NoInputs,
    NoSuchStep,
    PlannedStep,
    Resolved,
    make_plan,
    resolution_key,
    resolve,
)
from lockage.recipe.model import Recipe, Resources, Stamp, Step, StepKind, VersionFrom
from lockage.recipe.modes import MODES, PRELOADED, Mode
from lockage.record.source import CommitOrigin, Source
from lockage.variation import CONTRACT

BUILD = EnvironmentName("build")
DECLARATION = Declaration(os=OsBase(distribution="debian", suite="bookworm"), packages=("dash",))


def step(name: str, *needs: str, **changes: object) -> Step:
    made = Step(
        name=StepName(name),
        environment=BUILD,
        needs=tuple(map(StepName, needs)),
        run=("make", name),
        outputs=(RelPath(f"out-{name}"),),
    )
    return msgspec.structs.replace(made, **changes)


def recipe(*steps: Step, declaration: Declaration = DECLARATION, flags: Mapping[str, bool] = {}) -> Recipe:
    return Recipe(
        project=ProjectName("shop"),
        version=VersionFrom(rule="literal", literal="1.0"),
        environments={"build": declaration},
        steps=steps,
        flags=dict(flags),
    )


def locked(declaration: Declaration = DECLARATION, root: bytes = b"root") -> LockedEnvironment:
    return LockedEnvironment(
        declaration=declaration.digest,
        os=declaration.os,
        architecture="amd64",
        release_date="2026-11-01",
        release_sha256=Digest.of(b"Release"),
        root=RootRef(tree=BlobRef.of(root), metadata=Digest.of(root)),
        packages=(),
    )


LOCK = Lock.of({"build": locked()})
FILES = Tree.of(FileNode(RelPath(path), BlobRef.of(path.encode())) for path in ("src/a.py", "docs/x", "README"))
SOURCE = Source(tree=FILES.encode()[0], date=Instant(1_700_000_000), version=Version("1.0"), origin=CommitOrigin(commit="0" * 40))


def planned(one: Step, *, declaration: Declaration = DECLARATION, flags: Mapping[str, bool] = {}, source: Source = SOURCE) -> PlannedStep:
    others = [step(need) for need in one.needs]
    lock = Lock.of({"build": locked(declaration)})
    return make_plan(recipe(*others, one, declaration=declaration, flags=flags), lock, source, only=[one.name]).steps[-1]


def names(steps: Iterable[PlannedStep]) -> list[str]:
    return [one.name for one in steps]


# Plans


def test_each_step_comes_after_what_it_needs_and_ties_keep_the_order_of_the_recipe() -> None:
    made = make_plan(recipe(step("d", "c", "a"), step("a"), step("c"), step("b", "a")), LOCK, SOURCE)
    assert names(made.steps) == ["c", "a", "d", "b"]
    assert made.lock_digest == LOCK.digest


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_selection_has_all_it_needs_before_it_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8))
    needs = {n: data.draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set[int]() for n in range(size)}
    kinds = {n: data.draw(st.sampled_from(StepKind)) for n in range(size)}
    order = data.draw(st.permutations(range(size)))
    steps = [step(f"s{n}", *(f"s{need}" for need in sorted(needs[n])), kind=kinds[n]) for n in order]
    only = data.draw(st.sets(st.integers(0, size - 1)))
    wanted = data.draw(st.sets(st.sampled_from(StepKind)))
    made = names(make_plan(recipe(*steps), LOCK, SOURCE, only=[StepName(f"s{n}") for n in only], kinds=wanted).steps)

    closure: set[int] = set()
    todo = only or {n for n in range(size) if not wanted or kinds[n] in wanted}
    while todo:
        closure |= todo
        todo = {need for n in todo for need in needs[n]} - closure
    assert sorted(made) == sorted(f"s{n}" for n in closure)
    assert all(made.index(f"s{need}") < made.index(f"s{n}") for n in closure for need in needs[n])


def test_a_long_chain_of_steps_is_a_plan() -> None:
    chain = [step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, 2000))]
    made = make_plan(recipe(*reversed(chain)), LOCK, SOURCE)
    assert names(made.steps) == [one.name for one in chain]


def test_a_step_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(NoSuchStep, match=r"'whel'; it has wheel, docs"):
        make_plan(recipe(step("wheel"), step("docs")), LOCK, SOURCE, only=[StepName("whel")])


def test_only_delivering_steps_deliver() -> None:
    made = make_plan(recipe(step("a"), step("b", artifacts=("out-b/*",))), LOCK, SOURCE)
    assert names(made.deliver()) == ["b"]


# Variables, from what yields to what always holds: prevention, environment, step, flags, fixed, stamps


def variables(one: Step, *, of_environment: Mapping[str, str] = {}, flags: Mapping[str, bool] = {}) -> dict[str, str]:
    declaration = msgspec.structs.replace(DECLARATION, variables=dict(of_environment))
    made = planned(one, declaration=declaration, flags=flags).variables
    assert list(made) == sorted(made)
    return dict(made)


def test_a_step_gets_the_contracts_variables_and_nothing_of_the_host() -> None:
    assert set(variables(step("a"))) == {*PREVENTION, *JOBS, *PLATFORM, *FIXED, "SOURCE_DATE_EPOCH"}


def test_whose_variable_counts() -> None:
    assert variables(step("a"))["CPPFLAGS"] == PREVENTION["CPPFLAGS"][0]
    assert variables(step("a"), of_environment={"CPPFLAGS": "-O1"})["CPPFLAGS"] == "-O1"
    assert variables(step("a", variables={"CPPFLAGS": "-O2"}), of_environment={"CPPFLAGS": "-O1"})["CPPFLAGS"] == "-O2"
    flag = "LOCKAGE_FLAG_NEW_CHECKOUT_V2"
    both = variables(step("a", variables={flag: "x"}, flags=(FlagName("new-checkout.v2"),)), flags={"new-checkout.v2": True, "other": True})
    assert both[flag] == "1"
    assert "LOCKAGE_FLAG_OTHER" not in both
    for name, value in FIXED.items():
        assert variables(step("a", variables={name: "x"}), of_environment={name: "y"})[name] == value
    assert variables(step("a", variables={"SOURCE_DATE_EPOCH": "7"}))["SOURCE_DATE_EPOCH"] == str(int(ZIP_FLOOR))


def test_only_a_stamp_tells_of_date_and_version() -> None:
    assert "LOCKAGE_VERSION" not in variables(step("a"))
    stamped = variables(step("a", stamp=(Stamp.DATE, Stamp.VERSION)))
    assert (stamped["SOURCE_DATE_EPOCH"], stamped["LOCKAGE_VERSION"]) == ("1700000000", "1.0")


def test_moved_paths_are_mapped_away_where_they_are() -> None:
    made = planned(step("a", variables={"MINE": "=/build= =/tmp="})).variables
    assert relocated(made, build_path=CONTRACT.build_path, temporary=CONTRACT.temporary) == made
    moved = dict(relocated(made, build_path="/var/tmp/elsewhere", temporary="/scratch"))
    assert moved["CARGO_BUILD_RUSTFLAGS"] == "--remap-path-prefix=/var/tmp/elsewhere=."
    assert {name for name, value in made if moved[name] != value} == {"CARGO_BUILD_RUSTFLAGS"}


def test_every_prevention_says_why() -> None:
    assert all(reason for _, reason in PREVENTION.values())
    assert all(JOBS.values())
    assert all(PLATFORM.values())
    assert variables(step("a"))["_PYTHON_HOST_PLATFORM"] == "linux-x86_64"
    assert not (set(PREVENTION) | set(JOBS) | set(PLATFORM)) & set(FIXED)
    assert not set(PREVENTION) & set(JOBS)


def test_tools_are_told_how_many_cpus_the_step_sees() -> None:
    many = step("a", resources=Resources(cpus=3))
    assert {variables(many)[name] for name in JOBS} == {"3"}
    assert {variables(msgspec.structs.replace(many, modes=(Mode.SINGLE_CPU,)))[name] for name in JOBS} == {"1"}
    assert variables(msgspec.structs.replace(many, variables={"MAX_JOBS": "7"}))["MAX_JOBS"] == "7"


@pytest.mark.parametrize("name", [*PREVENTION, *JOBS, *PLATFORM, "MINE", "OURS"])
def test_a_step_can_leave_any_variable_out_that_is_not_the_contracts(name: str) -> None:
    ours = {"OURS": "1"}
    one = step("a", variables={"MINE": "1"} if name != "MINE" else {})
    without = variables(msgspec.structs.replace(one, unset=(name,)), of_environment=ours)
    assert name not in without
    assert set(without) == set(variables(one, of_environment=ours)) - {name}


def test_what_the_contract_fixes_cannot_be_left_out() -> None:
    left = variables(step("a", unset=(*FIXED, "SOURCE_DATE_EPOCH")))
    assert {*FIXED, "SOURCE_DATE_EPOCH"} <= set(left)


def test_a_mode_is_part_of_the_action_and_of_what_is_remembered_of_it() -> None:
    plain, held = planned(step("a")), planned(step("a", modes=(Mode.FROZEN_CLOCK,)))
    assert resolution_key(plain, BlobRef.of(b"x"), {}) != resolution_key(held, BlobRef.of(b"x"), {})
    one, two = (resolve(each, Tree.of([FileNode(RelPath("a"), BlobRef.of(b"a"))]), {}) for each in (plain, held))
    assert one.encoded.ref != two.encoded.ref
    assert two.action.modes == (Mode.FROZEN_CLOCK,)


@pytest.mark.parametrize("mode", Mode)
def test_the_library_that_holds_a_mode_is_part_of_the_action(mode: Mode) -> None:
    def made(version: bytes) -> Resolved:
        library = LockedPackage(
            name=PRELOADED, version="1", architecture="amd64", path=RelPath("pool/x.deb"), size=1, sha256=Digest.of(version)
        )
        one = planned(step("a", modes=(mode,)))
        return resolve(
            msgspec.structs.replace(one, environment=msgspec.structs.replace(one.environment, instruments=(library,))), FILES, {}
        )

    one, two = made(b"one"), made(b"two")
    assert one.action.preload == (Digest.of(b"one") if MODES[mode].preloads else None)
    assert (one.encoded.ref != two.encoded.ref) == MODES[mode].preloads


def test_a_single_cpu_is_one_whatever_was_declared() -> None:
    assert (
        resolve(
            planned(step("a", resources=Resources(cpus=4), modes=(Mode.SINGLE_CPU,))),
            Tree.of([FileNode(RelPath("a"), BlobRef.of(b"a"))]),
            {},
        ).action.cpus
        == 1
    )


def test_no_variable_takes_the_place_of_a_tools_own_flags() -> None:
    """setuptools and configure scripts optimise by flags of their own, unless one of these is set."""
    assert {"CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS", "LDFLAGS", "RUSTFLAGS"}.isdisjoint(PREVENTION)


def test_no_compiler_flag_says_a_path() -> None:
    """Builds record their flags (configuration modules, version texts): a path among them would be in the product."""
    assert {name for name, (value, _) in PREVENTION.items() if "/" in value} == {"CARGO_BUILD_RUSTFLAGS"}


# Resolution


def workspace(resolved: Resolved) -> dict[str, BlobRef]:
    blobs = resolved.directories
    tree = read_tree(resolved.action.workspace, blobs.__getitem__)
    return {node.path: node.blob for node in tree if isinstance(node, FileNode)}


def outputs(**files: str) -> dict[StepName, Tree]:
    return {StepName(name): Tree.of([FileNode(RelPath(path), BlobRef.of(name.encode()))]) for name, path in files.items()}


def test_a_step_sees_its_inputs_and_the_outputs_of_its_needs_at_their_own_paths() -> None:
    resolved = resolve(planned(step("a", "b", inputs=("src/**",))), FILES, outputs(b="out-b/x"))
    assert workspace(resolved) == {"src/a.py": BlobRef.of(b"src/a.py"), "out-b/x": BlobRef.of(b"b")}
    assert workspace(resolve(planned(step("a", "b", inputs=())), FILES, outputs(b="out-b/x"))) == {"out-b/x": BlobRef.of(b"b")}


def test_everything_that_an_action_names_is_handed_over() -> None:
    resolved = resolve(planned(step("a")), FILES, {})
    assert all(BlobRef.of(data) == ref for ref, data in resolved.directories.items())
    assert resolved.encoded.ref in resolved.directories
    assert BlobRef.of(resolved.encoded.command) in resolved.directories
    assert BlobRef.of(resolved.action.input_root) in resolved.directories


@pytest.mark.parametrize("path", ["src/a.py", "src", "README/x"])
def test_outputs_and_inputs_at_one_path_name_step_and_path(path: str) -> None:
    with pytest.raises(InputsCollide, match=r"step 'a': .*(src/a.py|src|README)") as caught:
        resolve(planned(step("a", "b")), FILES, outputs(b=path))
    assert caught.value.details["step"] == "a"


def test_inputs_that_match_nothing_are_named() -> None:
    with pytest.raises(NoInputs, match=r"step 'a': .*lib/\*\*"):
        resolve(planned(step("a", inputs=("lib/**",))), FILES, {})


def test_limits_and_names_are_not_part_of_an_action() -> None:
    one = step("a")
    other = msgspec.structs.replace(
        one,
        name=StepName("renamed"),
        kind=StepKind.CHECK,
        artifacts=("out-a/*",),
        stabilize=False,
        resources=Resources(memory=1, disk=1, timeout=1, processes=1),
    )
    first, second = planned(one), planned(other)
    assert resolve(first, FILES, {}).encoded == resolve(second, FILES, {}).encoded
    assert resolution_key(first, SOURCE.tree, {}) == resolution_key(second, SOURCE.tree, {})


CHANGES: dict[str, dict[str, object]] = {
    "run": {"run": ("make", "other")},
    "variables": {"variables": {"A": "1"}},
    "outputs": {"outputs": (RelPath("other"),)},
    "cpus": {"resources": Resources(cpus=2)},
    "stamp": {"stamp": (Stamp.VERSION,)},
    "inputs": {"inputs": ("src/**",)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_action_depends_on_changes_it_and_its_key(change: str) -> None:
    before, after = planned(step("a")), planned(step("a", **CHANGES[change]))
    assert resolve(before, FILES, {}).encoded.ref != resolve(after, FILES, {}).encoded.ref
    assert resolution_key(before, SOURCE.tree, {}) != resolution_key(after, SOURCE.tree, {})


def test_root_and_architecture_change_both() -> None:
    before = planned(step("a"))
    for environment in (
        locked(root=b"another"),
        msgspec.structs.replace(before.environment, architecture="arm64"),
        msgspec.structs.replace(before.environment, root=msgspec.structs.replace(before.environment.root, metadata=Digest.of(b"m"))),
    ):
        after = msgspec.structs.replace(before, environment=environment)
        assert resolve(before, FILES, {}).encoded.ref != resolve(after, FILES, {}).encoded.ref
        assert resolution_key(before, SOURCE.tree, {}) != resolution_key(after, SOURCE.tree, {})


small = st.text("ab/", max_size=3)


@st.composite
def situations(draw: st.DrawFn) -> tuple[PlannedStep, Tree, dict[StepName, Tree]]:
    """A step, a source and what it needs, all from few values, so that equal parts are common."""
    inputs = draw(st.sampled_from([(), ("**",), ("src/**",)]))
    one = step(
        "a",
        *draw(st.sampled_from([(), ("b",)])),
        run=(draw(st.sampled_from(["x", "y"])),),
        inputs=inputs,
        variables=draw(st.sampled_from([{}, {"A": "1"}])),
        resources=Resources(cpus=draw(st.integers(1, 2)), memory=draw(st.integers(1, 2))),
    )
    paths = draw(st.sampled_from([("src/a",), ("src/a", "docs/x")]))
    source = Tree.of(FileNode(RelPath(path), BlobRef.of(path.encode())) for path in paths)
    return planned(one), source, outputs(b=draw(st.sampled_from(["out-b/x", "out-b/y"]))) if one.needs else {}


@given(situations(), situations())
@settings(max_examples=80, deadline=None)
def test_equal_keys_mean_equal_actions(
    one: tuple[PlannedStep, Tree, dict[StepName, Tree]], other: tuple[PlannedStep, Tree, dict[StepName, Tree]]
) -> None:
    keys, actions = [], []
    for made, source, needs in (one, other):
        refs = {name: tree.encode()[0] for name, tree in needs.items()}
        keys.append(resolution_key(made, source.encode()[0], refs))
        actions.append(resolve(made, source, needs).encoded.ref)
    assert (keys[0] == keys[1]) <= (actions[0] == actions[1])
