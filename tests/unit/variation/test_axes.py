"""Axes and worlds: each axis changes something of the contract, nothing twice, and says what."""

import msgspec
import pytest

from lockage.variation import AXES, CONTRACT, Axis, Side, World, axis_of, select, unknown, values_of, vary

#: What a step cannot see of the sandbox, because the contract hides it: all other fields of a world are values that it fixes.
HIDDEN = {"root_order", "affinity", "old_kernel", "fixed_addresses", "niceness", "uptime", "room", "load"}
CHOICES = [choice for axis in AXES for choice in axis.choices(severe=True)]


def changed(world: World) -> set[str]:
    return {field for field in world.__struct_fields__ if getattr(world, field) != getattr(CONTRACT, field)}


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_an_axis_changes_exactly_its_fields_and_they_are_of_its_side(axis: Axis) -> None:
    fields = {field for field, _ in axis.fields}
    assert fields
    for choice in axis.choices(severe=True):
        assert axis_of(choice) == axis.name
        assert changed(vary([choice])) == fields
    assert len({vary([choice]) for choice in axis.choices(severe=True)}) == len(axis.levels)
    assert (fields <= HIDDEN) == (axis.side is Side.HOST)
    assert fields.isdisjoint(HIDDEN) == (axis.side is Side.SANDBOX)
    assert axis.catches
    assert axis.name == axis.name.lower().replace("_", "-")


def test_names_and_fields_are_used_once_and_every_field_has_an_axis() -> None:
    assert len({axis.name for axis in AXES}) == len(AXES)
    fields = [field for axis in AXES for field, _ in axis.fields]
    assert len(set(fields)) == len(fields)
    assert set(fields) == set(World.__struct_fields__)


def test_varying_everything_is_varying_each() -> None:
    everything = vary([axis.name for axis in AXES])
    assert changed(everything) == set(World.__struct_fields__)
    assert everything == vary([axis.name for axis in reversed(AXES)])
    step_by_step = CONTRACT
    for axis in AXES:
        step_by_step = vary([axis.name], step_by_step)
    assert step_by_step == everything
    assert vary(["timezone", "timezone=GMT-14"]).timezone == "Etc/GMT-14"


def test_what_is_severe_is_varied_only_when_it_is_asked_for() -> None:
    usual, everything = select(), select(severe=True)
    assert [choice for choices in everything for choice in choices] == CHOICES
    assert {axis_of(choices[0]) for choices in everything} - {axis_of(choices[0]) for choices in usual} == {
        axis.name for axis in AXES if axis.severe
    }
    assert ("clock", "clock=next-month") in usual
    assert ("clock", "clock=next-month", "clock=after-2038") in everything


@pytest.mark.parametrize(
    ("asked", "selected"),
    [
        ([], ()),
        (["timezone", "load"], (("load",), ("timezone", "timezone=GMT+12", "timezone=GMT-14"))),
        (["timezone=GMT-14"], (("timezone=GMT-14",),)),
        (["clock=after-2038", "clock"], (("clock", "clock=next-month", "clock=after-2038"),)),
        (["umask", "umask"], (("umask", "umask=shared"),)),
        (["umask=private"], (("umask",),)),
    ],
)
def test_an_axis_stands_for_its_levels_and_a_choice_for_itself(asked: list[str], selected: tuple[tuple[str, ...], ...]) -> None:
    assert select(asked) == selected


def test_what_names_no_axis_is_told() -> None:
    assert unknown(["umask", "timezone=GMT-14", "weather", "umask=other", "umask=private"]) == ("umask=other", "weather")


def test_varying_nothing_is_the_contract() -> None:
    assert vary([]) == CONTRACT == World()
    for strange in ("weather", "timezone=Mars", "weather=fine"):
        with pytest.raises(KeyError):
            vary([strange])


def test_values_are_text_for_the_record() -> None:
    assert values_of("user") == {"gid": "1234", "uid": "4321", "user": "verifier"}
    assert values_of("timezone") == {"timezone": "Asia/Kathmandu"}
    for choice in CHOICES:
        values = values_of(choice)
        assert set(values) == changed(vary([choice]))
        assert all(0 < len(value) <= 80 for value in values.values())


def test_worlds_are_values() -> None:
    assert msgspec.structs.replace(CONTRACT, umask=0o077) == vary(["umask"])
    assert len({CONTRACT, vary([]), vary(["umask"])}) == 2


def test_paths_are_far_apart_in_name_and_length() -> None:
    """A path that merely differed would not find what depends on its length, as padding in a binary does."""
    moved = vary(["build-path", "home", "temporary-path"])
    assert len(moved.build_path) > len(CONTRACT.build_path) + 10
    assert not moved.temporary.startswith(CONTRACT.temporary)
    assert not moved.home.startswith(CONTRACT.home)
