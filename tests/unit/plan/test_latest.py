"""What was made of an object is told again for that object alone."""

from lockage.plan.latest import Latest


def test_the_very_object_is_not_made_of_again_and_an_equal_one_is() -> None:
    made: list[tuple[str, ...]] = []

    def make(value: tuple[str, ...]) -> int:
        made.append(value)
        return len(value)

    latest = Latest(make)
    first, second = ("a", *"bc"), ("a", *"bc")
    assert [latest(first), latest(first), latest(second), latest(("x",)), latest(second)] == [3, 3, 3, 1, 3]
    assert made == [first, second, ("x",), second]
