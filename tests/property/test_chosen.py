"""What is chosen of a tree that was put in order once is what is selected of it each time anew."""

from hypothesis import given
from hypothesis import strategies as st

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, LinkNode, Node, Tree
from lockage.recipe.chosen import Chosen
from lockage.recipe.glob import InvalidPattern, check_pattern, select

NAMES = st.sampled_from(["a", "b", "ab", "a.b", "a\1", "-", "Z", "ü"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.sampled_from(["a", "b", "ab", "a.b", "*", "**", "?", "[ab]", "a*", "Z", "ü"])
PATTERNS = st.builds(
    lambda no, parts, end: no + "/".join(parts) + end,
    st.sampled_from(["", "", "", "!"]),
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from(["", "", "/", "/**"]),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees of every kind of node, without one below another that is no folder."""
    nodes: list[Node] = []
    taken: list[str] = []
    for path in draw(st.lists(PATHS, unique=True, max_size=14)):
        if any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in taken):
            continue
        taken.append(path)
        blob = BlobRef.of(draw(st.sampled_from([b"", b"1"])))
        kinds: list[Node] = [FileNode(RelPath(path), blob), LinkNode(RelPath(path), "x"), Directory(RelPath(path))]
        nodes.append(draw(st.sampled_from(kinds)))
    return Tree.of(nodes)


def valid(pattern: str) -> bool:
    try:
        check_pattern(pattern)
    except InvalidPattern:
        return False
    return True


CHOICES = st.lists(PATTERNS.filter(valid), min_size=1, max_size=4).map(tuple)


@given(trees(), st.lists(CHOICES, min_size=1, max_size=4))
def test_the_same_is_chosen(tree: Tree, choices: list[tuple[str, ...]]) -> None:
    chosen = Chosen(lambda: tree)
    for patterns in choices:
        try:
            wanted = select(tree, patterns)
        except InvalidPattern:
            continue  # exclusions alone, which no recipe has
        assert chosen.select(patterns) == wanted


@given(trees(), trees(), CHOICES)
def test_digests_are_equal_if_the_same_is_chosen_and_only_then(one: Tree, other: Tree, patterns: tuple[str, ...]) -> None:
    if all(pattern.startswith("!") for pattern in patterns):
        return
    same = select(one, patterns)[0] == select(other, patterns)[0]
    assert (Chosen(lambda: one).digest(patterns) == Chosen(lambda: other).digest(patterns)) == same


def test_what_is_known_is_not_read() -> None:
    def read() -> Tree:
        raise AssertionError("was read")

    known = BlobRef.of(b"x").digest
    assert Chosen(read, {("**",): known}).digest(("**",)) == known
