"""Contents indices: which lines are kept, and which package has a file."""

import pytest

from lockage.environment.debian import PackagedFile, chosen_lines, find_files

#: Lines as the archive has them, columns and all.
INDEX = b"""\
FILE                                                    LOCATION
bin/bash                                                shells/bash
usr/bin/pg_config                                       libdevel/libpq-dev
usr/games/sl                                            games/sl
usr/include/libxml2/libxml/xmlversion.h                 libdevel/libxml2-dev
usr/include/c++/12/vector                               libdevel/libstdc++-12-dev
usr/lib/python3/dist-packages/numpy/core/include/numpy/ndarraytypes.h python/python3-numpy
usr/lib/python3/dist-packages/zlib.py                   python/python3-zlib
usr/lib/x86_64-linux-gnu/cmake/Foo/FooConfig.cmake      libdevel/libfoo-dev
usr/lib/x86_64-linux-gnu/libz.a                         libdevel/zlib1g-dev
usr/lib/x86_64-linux-gnu/libz.so                        libdevel/zlib1g-dev
usr/lib/x86_64-linux-gnu/libz.so.1.2.13                 libs/zlib1g
usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc              libdevel/zlib1g-dev
usr/share/cmake/bash_completion/bash.cmake\t\tnon-free/shells/bash,shells/other
usr/share/doc/zlib1g-dev/zlib.h                         libdevel/zlib1g-dev
usr/share/eigen3/cmake/Eigen3Config.cmake               libdevel/libeigen3-dev
usr/share/pkgconfig/eigen3.pc                           libdevel/libeigen3-dev
"""
KEPT = {
    "bin/bash",
    "usr/bin/pg_config",
    "usr/include/libxml2/libxml/xmlversion.h",
    "usr/include/c++/12/vector",
    "usr/lib/python3/dist-packages/numpy/core/include/numpy/ndarraytypes.h",
    "usr/lib/x86_64-linux-gnu/cmake/Foo/FooConfig.cmake",
    "usr/lib/x86_64-linux-gnu/libz.a",
    "usr/lib/x86_64-linux-gnu/libz.so",
    "usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc",
    "usr/share/cmake/bash_completion/bash.cmake",
    "usr/share/eigen3/cmake/Eigen3Config.cmake",
    "usr/share/pkgconfig/eigen3.pc",
}


def test_only_what_a_build_could_miss_is_kept() -> None:
    assert {line.split()[0].decode() for line in chosen_lines(INDEX).splitlines()} == KEPT


def test_pieces_of_whole_lines_keep_the_same() -> None:
    lines = INDEX.splitlines(keepends=True)
    for size in (1, 2, 5):
        pieces = [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]
        assert b"".join(map(chosen_lines, pieces)) == chosen_lines(INDEX)


def test_documentation_is_passed_over_without_losing_what_lies_among_it() -> None:
    documents = b"usr/share/doc/a/b  doc/a\nusr/share/doc/a/c  doc/a\n"
    assert chosen_lines(documents) == b""
    assert chosen_lines(documents + b"usr/share/pkgconfig/a.pc  doc/a\n") == b"usr/share/pkgconfig/a.pc  doc/a\n"
    assert chosen_lines(documents + b"usr/bin/a  doc/a\n") == b"usr/bin/a  doc/a\n"


@pytest.mark.parametrize(
    ("ending", "found"),
    [
        ("/xmlversion.h", [PackagedFile("usr/include/libxml2/libxml/xmlversion.h", "libdevel", "libxml2-dev")]),
        ("/libxml/xmlversion.h", [PackagedFile("usr/include/libxml2/libxml/xmlversion.h", "libdevel", "libxml2-dev")]),
        ("/libz.so", [PackagedFile("usr/lib/x86_64-linux-gnu/libz.so", "libdevel", "zlib1g-dev")]),
        ("bin/bash", [PackagedFile("bin/bash", "shells", "bash")]),
        (
            "/bash.cmake",
            [
                PackagedFile("usr/share/cmake/bash_completion/bash.cmake", "shells", "bash"),
                PackagedFile("usr/share/cmake/bash_completion/bash.cmake", "shells", "other"),
            ],
        ),
        ("/version.h", []),
        ("/libz.s", []),
    ],
)
def test_a_file_is_found_by_the_end_of_its_path(ending: str, found: list[PackagedFile]) -> None:
    assert list(find_files(chosen_lines(INDEX), [ending, ending])) == found


def test_the_last_line_needs_no_end() -> None:
    assert find_files(b"usr/bin/a  x/a", ["bin/a"]) == (PackagedFile("usr/bin/a", "x", "a"),)
