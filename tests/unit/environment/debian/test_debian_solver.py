"""Each case is named by the rule it shows; packages are written ``name version field=value``."""

import itertools
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.digest import Digest
from lockage.environment.debian import Index, Stanza, parse_field, pin, resolve, satisfies
from lockage.environment.errors import InvalidIndex, InvalidRelation, Unresolvable

DIGEST = "0" * 64


def package(name: str, version: str = "1", architecture: str = "amd64", **fields: object) -> Stanza:
    return Stanza(name=name, version=version, architecture=architecture, path=f"pool/{name}_{version}.deb", size=1, sha256=DIGEST, **fields)  # type: ignore[arg-type] # the fields of a stanza, by keyword


def chosen(stanzas: Sequence[Stanza], *terms: str) -> list[str]:
    return [f"{package.name} {package.version}" for package in resolve(Index(stanzas), terms, "amd64")]


def failure(stanzas: Sequence[Stanza], *terms: str) -> str:
    with pytest.raises(Unresolvable) as caught:
        resolve(Index(stanzas), terms, "amd64")
    return str(caught.value)


def test_depends_and_pre_depends_are_met() -> None:
    assert chosen([package("a", depends="b", pre_depends="c"), package("b"), package("c"), package("d")], "a") == ["a 1", "b 1", "c 1"]


def test_essential_packages_are_always_there_with_what_they_need() -> None:
    assert chosen([package("a"), package("e", essential=True, depends="f"), package("f")], "a") == ["a 1", "e 1", "f 1"]


def test_nothing_asked_for_is_the_essential_set() -> None:
    assert chosen([package("a"), package("e", essential=True)]) == ["e 1"]


def test_the_first_alternative_wins() -> None:
    assert chosen([package("a", depends="b | c"), package("b"), package("c")], "a") == ["a 1", "b 1"]


def test_an_alternative_that_is_selected_already_wins_over_the_first() -> None:
    assert chosen([package("a", depends="b | c"), package("b"), package("c")], "a", "c") == ["a 1", "c 1"]


def test_an_alternative_that_is_not_there_is_passed_over() -> None:
    assert chosen([package("a", depends="b | c"), package("c")], "a") == ["a 1", "c 1"]


def test_the_newest_version_wins() -> None:
    assert chosen([package("a", "1.9"), package("a", "1.10"), package("a", "1.10~rc1")], "a") == ["a 1.10"]


def alike(name: str, version: str = "1", depends: str = "") -> Stanza:
    """A package that has a sha256 of its own."""
    return msgspec.structs.replace(package(name, version, depends=depends), sha256=Digest.of(f"{name} {version}".encode()))


def kept(stanzas: Sequence[Stanza], staying: Sequence[Stanza], *terms: str, first: Sequence[str] = ()) -> list[str]:
    found = resolve(Index(stanzas), terms, "amd64", preferred=frozenset(one.sha256 for one in staying), first=first)
    return [f"{package.name} {package.version}" for package in found]


A1, A2, A3 = (alike("a", version) for version in "123")
TIED1, TIED2 = (alike("b", version, depends=f"a (= {version})") for version in "12")


def test_a_preferred_version_wins_over_the_newest() -> None:
    assert kept([A1, A2, A3], [A2], "a") == ["a 2"]


def test_a_preferred_version_gives_way_where_it_does_not_fit() -> None:
    assert kept([A1, A2, A3], [A1], "a (>= 2)") == ["a 3"]
    assert kept([A1, A2, TIED2], [A1], "a", "b") == ["a 2", "b 2"]


def test_equal_versions_are_told_apart_by_their_bytes() -> None:
    other = msgspec.structs.replace(A2, sha256=Digest.of(b"other bytes"), path="pool/other.deb")
    (found,) = resolve(Index([A2, other, A1]), ("a",), "amd64", preferred={other.sha256})
    assert found.path == "pool/other.deb"


def test_what_comes_first_decides_over_what_is_preferred() -> None:
    z1, z2, b1, b2 = alike("z", "1"), alike("z", "2"), alike("b", "1", depends="z (= 1)"), alike("b", "2", depends="z (= 2)")
    assert kept([z1, z2, b1, b2], [z1], "z", "b") == ["b 1", "z 1"]
    assert kept([z1, z2, b1, b2], [z1], "z", "b", first=["b"]) == ["b 2", "z 2"]


def test_what_comes_first_gives_way_to_what_is_asked_for() -> None:
    assert kept([A1, A2, TIED1, TIED2], [], "a (<< 2)", "b", first=["b", "gone"]) == ["a 1", "b 1"]


def test_one_package_is_pinned_at_the_version_preferred() -> None:
    found = [pin(Index([A1, A3, A2]), "a", "amd64", preferred=preferred) for preferred in ((), {A1.sha256})]
    assert [one.version for one in found if one is not None] == ["3", "1"]


def test_an_older_version_is_taken_where_the_newest_does_not_fit() -> None:
    assert chosen([package("a", "1"), package("a", "2", depends="gone"), package("b", depends="a")], "b") == ["a 1", "b 1"]


def test_a_version_bound_selects_among_versions() -> None:
    assert chosen([package("a", "1"), package("a", "2"), package("a", "3")], "a (<< 3)", "a (>= 1)") == ["a 2"]


def test_one_version_of_a_name_at_most() -> None:
    assert "cannot be installed beside" in failure([package("a", "1"), package("a", "2")], "a (= 1)", "a (= 2)")


def test_a_virtual_package_is_met_by_a_provider() -> None:
    assert chosen([package("a", depends="mta"), package("exim", provides="mta")], "a") == ["a 1", "exim 1"]


def test_a_real_package_wins_over_a_provider() -> None:
    assert chosen([package("a", depends="mta"), package("aaa", provides="mta", priority="required"), package("mta")], "a") == [
        "a 1",
        "mta 1",
    ]


def test_the_provider_of_higher_priority_wins() -> None:
    providers = [package("x", provides="mta", priority="optional"), package("y", provides="mta", priority="standard")]
    assert chosen([package("a", depends="mta"), *providers], "a") == ["a 1", "y 1"]


def test_a_provider_that_is_selected_already_wins() -> None:
    providers = [package("x", provides="mta", priority="standard"), package("y", provides="mta", priority="optional")]
    assert chosen([package("a", depends="mta"), *providers], "a", "y") == ["a 1", "y 1"]


def test_a_versioned_provides_meets_a_versioned_relation() -> None:
    stanzas = [package("a", depends="api (>= 2)"), package("old", provides="api (= 1)"), package("new", provides="api (= 2)")]
    assert chosen(stanzas, "a") == ["a 1", "new 1"]


def test_an_unversioned_provides_meets_no_versioned_relation() -> None:
    assert "no api" in failure([package("a", depends="api (>= 1)"), package("p", provides="api")], "a")


def test_any_is_met_only_by_packages_that_allow_it() -> None:
    assert chosen([package("a", depends="py:any"), package("py", multi_arch="allowed")], "a") == ["a 1", "py 1"]
    assert "needs py:any" in failure([package("a", depends="py:any"), package("py", multi_arch="foreign")], "a")


def test_another_architecture_is_not_available() -> None:
    assert "gcc for amd64 only" in failure([package("gcc")], "gcc:arm64")
    assert chosen([package("gcc")], "gcc:amd64") == ["gcc 1"]
    assert "no gcc" in failure([package("gcc", architecture="arm64")], "gcc")


def test_a_term_for_another_architecture_does_not_count() -> None:
    assert chosen([package("gcc")], "gcc [amd64]", "clang [arm64]") == ["gcc 1"]


def test_a_conflict_forces_another_alternative() -> None:
    stanzas = [package("a", depends="b | c"), package("b", conflicts="d"), package("c"), package("d")]
    assert chosen(stanzas, "a", "d") == ["a 1", "c 1", "d 1"]


def test_a_conflict_deep_below_an_alternative_forces_another() -> None:
    stanzas = [package("a", depends="b | c, z"), package("b", depends="b2"), package("b2", depends="b3"), package("b3", breaks="y (<< 2)")]
    stanzas += [package("c"), package("z", depends="y"), package("y")]
    assert chosen(stanzas, "a") == ["a 1", "c 1", "y 1", "z 1"]


def test_breaks_with_a_version_spares_others() -> None:
    stanzas = [package("a", breaks="b (<< 2)"), package("b", "1"), package("b", "2")]
    assert chosen(stanzas, "a", "b") == ["a 1", "b 2"]
    assert "breaks b (<< 2)" in failure(stanzas[:2], "a", "b")


def test_a_package_may_conflict_with_what_it_provides_itself() -> None:
    assert chosen([package("exim", provides="mta", conflicts="mta")], "exim") == ["exim 1"]


def test_conflicts_reach_providers() -> None:
    stanzas = [package("exim", provides="mta", conflicts="mta"), package("postfix", provides="mta", conflicts="mta")]
    assert "conflicts with mta, which" in failure(stanzas, "exim", "postfix")


def test_an_unversioned_provider_is_spared_by_a_versioned_conflict() -> None:
    assert chosen([package("a", conflicts="v (<< 2)"), package("p", provides="v")], "a", "p") == ["a 1", "p 1"]


def test_cycles_are_no_obstacle() -> None:
    assert chosen([package("a", depends="b"), package("b", depends="c"), package("c", pre_depends="a")], "b") == ["a 1", "b 1", "c 1"]


def test_recommends_do_not_exist_here() -> None:
    assert "recommends" not in Stanza.__struct_fields__


def test_the_order_of_terms_and_stanzas_does_not_matter() -> None:
    stanzas = [
        package("a", depends="v"),
        package("b", depends="w | x"),
        package("x"),
        package("w", conflicts="y"),
        package("y", provides="v"),
    ]
    stanzas += [package("z", provides="v"), package("x", "2")]
    first = resolve(Index(stanzas), ["a", "b"], "amd64")
    for seed in range(20):
        dice = random.Random(seed)
        assert resolve(Index(dice.sample(stanzas, len(stanzas))), dice.sample(["a", "b"], 2), "amd64") == first


def test_a_failure_names_who_needs_what_and_what_the_suite_has_and_who_asked() -> None:
    stanzas = [package("z", "5", depends="x"), package("x", "1.2", depends="y (>= 3)"), package("y", "2.9")]
    assert failure(stanzas, "z") == "x 1.2 needs y (>= 3); the suite has y 2.9 (needed by z 5, asked for as z)"


def test_a_failure_of_what_was_asked_for_itself() -> None:
    assert failure([package("python3", "3.11")], "python3 (>= 4)") == "asked for is python3 (>= 4); the suite has python3 3.11"


def test_a_failed_conflict_names_both_sides() -> None:
    text = failure([package("a", conflicts="b"), package("b"), package("c", depends="b")], "a", "c")
    assert text == "a 1 conflicts with b (asked for as a); b is needed by c 1, asked for as c"


def test_an_unresolvable_essential_set_is_explained() -> None:
    assert "essential" in failure([package("e", essential=True, depends="gone")])


def test_malformed_terms_and_stanzas_are_told_apart() -> None:
    with pytest.raises(InvalidRelation):
        resolve(Index([package("a")]), ["a >= 1"], "amd64")
    with pytest.raises(InvalidIndex):
        resolve(Index([package("a", depends="b >= 1")]), ["a"], "amd64")


# Completeness: on small worlds a solution is found exactly if exhaustive search finds one, and it is valid.

_NAMES = "abcde"
_TERMS = st.builds(
    " | ".join,
    st.lists(
        st.builds("{}{}".format, st.sampled_from([*_NAMES, "v"]), st.sampled_from(["", "", " (= 1)", " (>> 1)"])), min_size=1, max_size=2
    ),
)
_WORLD = st.lists(
    st.builds(
        package,
        st.sampled_from(_NAMES),
        st.sampled_from(["1", "2"]),
        depends=st.lists(_TERMS, max_size=2).map(", ".join),
        conflicts=st.lists(st.builds("{}{}".format, st.sampled_from([*_NAMES, "v"]), st.sampled_from(["", " (= 1)"])), max_size=1).map(
            ", ".join
        ),
        provides=st.sampled_from(["", "", "v", "v (= 1)"]),
    ),
    max_size=7,
    unique_by=lambda stanza: (stanza.name, stanza.version),
)


def _meets(stanza: Stanza, name: str, operator: str | None, version: str | None) -> bool:
    if stanza.name == name and (operator is None or satisfies(stanza.version, operator, version or "")):
        return True
    return any(
        provided.name == name
        and (operator is None or (provided.operator == "=" and satisfies(provided.version or "", operator, version or "")))
        for (provided,) in parse_field(stanza.provides)
    )


def _valid(world: Sequence[Stanza], terms: Sequence[str]) -> bool:
    if len({stanza.name for stanza in world}) < len(world):
        return False
    needs = [term for text in [*terms, *(stanza.depends for stanza in world)] for term in parse_field(text)]
    met = all(any(_meets(stanza, one.name, one.operator, one.version) for one in term for stanza in world) for term in needs)
    return met and not any(
        _meets(other, one.name, one.operator, one.version)
        for stanza in world
        for (one,) in parse_field(stanza.conflicts)
        for other in world
        if other is not stanza
    )


@settings(max_examples=300, deadline=None)
@given(_WORLD, st.lists(_TERMS, min_size=1, max_size=3))
def test_a_solution_is_found_whenever_there_is_one(world: list[Stanza], terms: list[str]) -> None:
    possible = any(_valid(some, terms) for size in range(len(world) + 1) for some in itertools.combinations(world, size))
    if possible:
        by_key = {(stanza.name, stanza.version): stanza for stanza in world}
        assert _valid([by_key[one.name, one.version] for one in resolve(Index(world), terms, "amd64")], terms)
    else:
        assert failure(world, *terms)
