"""Layers of an image on top of each other: what of OCI's layer.md counts, one rule a test; and layers named by their defect."""

import pytest

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root import InvalidPackage, Kind, Member
from lockage.environment.root.fitted import fitted
from lockage.environment.root.layered import followed, layered


def file(path: str, data: str = "x", mode: int = 0o644) -> Member:
    return Member(path=RelPath(path), kind=Kind.FILE, mode=mode, size=len(data), sha256=Digest.of(data.encode()), source=f"{path}={data}")


def folder(path: str, mode: int = 0o755) -> Member:
    return Member(path=RelPath(path), kind=Kind.DIRECTORY, mode=mode)


def link(path: str, target: str) -> Member:
    return Member(path=RelPath(path), kind=Kind.LINK, mode=0o777, target=target)


def hardlink(path: str, target: str) -> Member:
    return Member(path=RelPath(path), kind=Kind.HARDLINK, mode=0o644, target=target)


def paths(*layers: list[Member]) -> dict[str, str]:
    """What the layers make: every path that is no folder, and what it is."""
    found = layered(layers)
    for path, entry in found.items():
        above = path.parent
        assert path == entry.path
        assert above is None or found[above].kind is Kind.DIRECTORY, f"{path} lies below a {found[above].kind}"
    return {str(path): entry.target or entry.source for path, entry in sorted(found.items()) if entry.kind is not Kind.DIRECTORY}


def test_a_later_layer_replaces_and_adds() -> None:
    assert paths([file("a/x", "1"), file("a/y")], [file("a/x", "2"), file("b")]) == {"a/x": "a/x=2", "a/y": "a/y=x", "b": "b=x"}


def test_a_whiteout_hides_what_lies_below_it_in_other_layers() -> None:
    assert paths([file("a/x"), file("a/y"), file("d/e/f")], [file("a/.wh.x", ""), file(".wh.d", "")]) == {"a/y": "a/y=x"}


def test_whiteout_files_must_only_apply_to_resources_in_lower_layers() -> None:
    assert paths([file("a/x", "1")], [file("a/x", "2"), file("a/.wh.x", "")]) == {"a/x": "a/x=2"}
    assert paths([file("a/x", "1"), file("a/z")], [file("a/y"), file("a/.wh..wh..opq", "")]) == {"a/y": "a/y=x"}


def test_an_opaque_whiteout_leaves_the_folder_and_its_attributes() -> None:
    found = layered([[folder("a", 0o700), file("a/b/c")], [file("a/.wh..wh..opq", "")]])
    assert [(str(path), entry.mode) for path, entry in found.items()] == [("a", 0o700)]


def test_a_whiteout_of_what_is_not_there_is_nothing() -> None:
    assert paths([file("a")], [file(".wh.b", ""), file("c/.wh.d", ""), file(".wh..wh.plnk", "")]) == {"a": "a=x"}


def test_the_attributes_of_a_folder_are_those_of_the_last_layer_that_has_it() -> None:
    found = layered([[folder("a", 0o700), file("a/b")], [folder("a", 0o755)]])
    assert found[RelPath("a")].mode == 0o755
    assert RelPath("a/b") in found


def test_a_file_takes_the_place_of_a_folder_with_all_that_is_in_it_and_the_other_way_round() -> None:
    assert paths([file("a/b/c")], [file("a")]) == {"a": "a=x"}
    assert paths([file("a")], [file("a/b")]) == {"a/b": "a/b=x"}
    assert paths([link("a", "b"), file("b/c")], [folder("a"), file("a/d")]) == {"a/d": "a/d=x", "b/c": "b/c=x"}


def test_a_path_that_passes_a_link_ends_where_that_leads() -> None:
    base = [link("lib", "usr/lib"), folder("usr/lib"), link("usr/lib64", "/lib")]
    assert paths(base, [file("lib/a"), file("usr/lib64/b"), file("lib/.wh.c", "")])["usr/lib/a"] == "lib/a=x"
    assert paths([*base, file("usr/lib/c")], [file("lib64"), file("lib/.wh.c", "")]).keys() == {"lib", "lib64", "usr/lib64"}


def test_no_link_leads_out_of_the_root() -> None:
    found = paths([link("up", "../../../etc"), link("root", "/"), folder("etc")], [file("up/passwd"), file("root/root/x")])
    assert found.keys() == {"up", "root", "etc/passwd", "x"}


def test_a_hardlink_is_another_name_of_a_file_of_its_layer_or_of_one_below() -> None:
    found = layered([[file("a"), link("l", "b"), folder("b")], [hardlink("b/x", "a"), hardlink("c", "l/x")]])
    assert {found[RelPath(path)].source for path in ("a", "b/x", "c")} == {"a=x"}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([hardlink("a", "b")], "hardlink to b, which is no file"),
        ([folder("b"), hardlink("a", "b")], "hardlink to b, which is no file"),
        ([link("a", "b"), link("b", "a"), file("a/x")], "links lead in a circle"),
        ([file("d/.wh.", "")], "hides what has no name"),
        ([file("d/.wh...", "")], "hides what has no name"),
    ],
)
def test_layers_that_contradict_themselves(members: list[Member], said: str) -> None:
    with pytest.raises(InvalidPackage, match=said):
        layered([members])


def test_a_path_is_followed_to_its_end_or_to_its_last_part() -> None:
    entries = layered([[link("a", "b"), link("b", "c/d"), file("c/d")]])
    assert followed(entries, RelPath("a"), last=True) == "c/d"
    assert followed(entries, RelPath("a"), last=False) == "a"
    assert followed(entries, RelPath("c/none/x"), last=True) == "c/none/x"


def test_what_a_root_needs_is_added_where_nothing_is() -> None:
    entries = layered(
        [[file("etc/passwd"), link("home", "/var/home"), file("usr/lib/gcc/t/12/cc1"), file("opt/rh/usr/libexec/gcc/t/14/cc1plus")]]
    )
    added = fitted(entries)
    assert RelPath("etc/passwd") not in added
    assert {"etc/group", "etc/compiler-options", "usr/lib/gcc/t/12/specs", "opt/rh/usr/lib/gcc/t/14/specs"} <= added.keys()
    assert entries[RelPath("tmp")].mode == 0o1777
    assert RelPath("home/builder") not in entries
    assert all(path.parent is None or entries[path.parent].kind is Kind.DIRECTORY for path in entries)


def test_every_python_of_an_image_names_temporary_files_in_one_order() -> None:
    entries = layered([[folder("opt/python/lib/python3.12/site-packages"), folder("usr/lib/python3/dist-packages")]])
    names = {path for path in fitted(entries) if path.name.startswith("lockage_temporary_names")}
    assert {str(path.parent) for path in names} == {"opt/python/lib/python3.12/site-packages", "usr/lib/python3/dist-packages"}
    assert len(names) == 4
