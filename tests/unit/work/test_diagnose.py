"""What is read from the output of a step that failed."""

import pytest

from lockage.work.diagnose import Lack, Missing, advice, last_lines, missing

#: What tools print, word for word, and what it means.
SAID = {
    "gcc": ("a.c:1:10: fatal error: libpq-fe.h: No such file or directory\n    1 | #include <libpq-fe.h>", "header libpq-fe.h"),
    "clang": ("a.c:1:10: fatal error: 'openssl/ssl.h' file not found", "header openssl/ssl.h"),
    "ld": ("/usr/bin/ld: cannot find -lsystemd: No such file or directory", "library systemd"),
    "pkg-config": ("Package libffi was not found in the pkg-config search path.\nPerhaps you", "library libffi"),
    "pkg-config, quoting": ("Package 'libxml-2.0', required by 'virtual:world', not found", "library libxml-2.0"),
    "pkg-config, short": ("No package 'cairo' found", "library cairo"),
    "subprocess": ("Command 'pkg-config --exists mariadb' returned non-zero exit status 1.", "library mariadb"),
    "meson": ('../meson.build:3:0: ERROR: Dependency "openblas" not found, tried pkgconfig and cmake', "library openblas"),
    "meson, program": ("../meson.build:9:0: ERROR: Program 'swig' not found or not executable", "program swig"),
    "CMake": (
        "CMake Error at /usr/share/cmake/Modules/Find.cmake:230 (message):\n  Could NOT find ZLIB (missing: ZLIB_LIBRARY)",
        "library ZLIB",
    ),
    "dash": ("/bin/sh: 3: autoreconf: not found", "program autoreconf"),
    "dash, taken for options": ("gcc -O2 -c a.c -o a.o /bin/sh: 1: krb5-config: not found", "program krb5-config"),
    "bash": ("bash: line 1: cmake: command not found", "program cmake"),
    "Python's subprocess": ("Could not run curl-config: [Errno 2] No such file or directory: 'curl-config'", "program curl-config"),
    "setup.py": ("Error: pg_config executable not found.", "program pg_config"),
    "Python": ("ModuleNotFoundError: No module named 'numpy.core'", "Python module numpy.core"),
    "CMake, packages": (
        'Could not find a package configuration file provided by "Eigen3"\n  with any of the following names:',
        "library Eigen3",
    ),
    "meson, lookup": (
        "../meson.build:4:2: ERROR: Dependency lookup for OpenBLAS with method 'pkgconfig' failed: Pkg-config for machine",
        "library OpenBLAS",
    ),
    "meson, library": ("../meson.build:7:5: ERROR: C shared or static library 'gmp' not found", "library gmp"),
    "meson, header": ("../meson.build:8:0: ERROR: C header 'gmp.h' not found", "header gmp.h"),
    "meson, compiler": ("../meson.build:1:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]", "program gfortran"),
    "configure": ("configure: error: Package requirements (cairo >= 1.10) were not met:", "library cairo"),
    "ld.so": ("OSError: libgeos_c.so.1: cannot open shared object file: No such file or directory", "library geos_c"),
    "pillow": (
        "The headers or library files could not be found for jpeg,\na required dependency when compiling Pillow from source.",
        "library jpeg",
    ),
    "h5py": ("error: Unable to load dependency HDF5, make sure HDF5 is installed properly", "library HDF5"),
    "distutils": ("unable to execute 'swig': No such file or directory", "program swig"),
    "setuptools": ("error: command 'nasm' failed: No such file or directory", "program nasm"),
    "sandbox": ("bwrap: execvp /bin/sh: No such file or directory", "program sh"),
    "env": ("/usr/bin/env: ‘perl’: No such file or directory", "program perl"),  # noqa: RUF001 (as coreutils print it)
    "setuptools-rust": ("error: can't find Rust compiler", "program rustc"),
    "maturin": ("💥 maturin failed\n  Cargo, the Rust package manager, is not installed or is not on PATH.", "program cargo"),
    "CMake, Fortran": ("  No CMAKE_Fortran_COMPILER could be found.", "program gfortran"),
    "cargo": ("warning: spurious network error: [6] Couldn't resolve host name (Could not resolve host: index)", "network"),
    "urllib": ("urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>", "network"),
}


@pytest.mark.parametrize("tool", SAID)
def test_what_a_tool_did_not_find_is_named(tool: str) -> None:
    said, means = SAID[tool]
    found = missing(f"some lines\nbefore\n{said}\nand after\n".encode())
    assert [str(lacking) for lacking in found] == [means]
    assert advice(found) is not None


@pytest.mark.parametrize(
    "harmless",
    [
        "-- Could NOT find Doxygen (missing: DOXYGEN_EXECUTABLE)",
        "No such file or directory: '/build/src/x.txt'",
        "Run-time dependency zlib found: NO (tried pkgconfig)",
        "page not found",
        "",
    ],
)
def test_what_need_not_be_there_is_not_named(harmless: str) -> None:
    assert missing(harmless.encode()) == ()
    assert advice(()) is None


def test_one_sentence_may_name_several() -> None:
    lxml = b"Error: Please make sure the libxml2 and libxslt development packages are installed."
    assert missing(lxml) == (Missing(Lack.LIBRARY, "libxml2"), Missing(Lack.LIBRARY, "libxslt"))


def test_lacks_stand_once_and_in_order_and_the_last_ones_count() -> None:
    log = b"".join(b"fatal error: %d.h: No such file or directory\n" % (number % 7) for number in range(21)) + b"cannot find -lz\n\xff"
    assert missing(log) == (*(Missing(Lack.HEADER, f"{number}.h") for number in (3, 4, 5, 6)), Missing(Lack.LIBRARY, "z"))


def test_a_module_of_the_standard_library_is_in_no_distribution() -> None:
    told = str(advice((Missing(Lack.MODULE, "http.client"), Missing(Lack.MODULE, "json"))))
    assert told.startswith("http.client, json are of Python's standard library, which python3-minimal has only in part")
    assert "distribution" not in told
    both = str(advice((Missing(Lack.MODULE, "http"), Missing(Lack.MODULE, "numpy"))))
    assert "http is of Python's" in both
    assert "distribution" in both
    for name in ("distutils", "tkinter", "numpy"):
        assert "python3-minimal" not in str(advice((Missing(Lack.MODULE, name),)))


def test_who_has_no_recipe_is_told_how_to_begin_one() -> None:
    lacks = (Missing(Lack.HEADER, "a.h"), Missing(Lack.LIBRARY, "a"))
    assert "lockage init" not in str(advice(lacks))
    assert str(advice(lacks, inferred=True)).count("packages") == 1
    assert "lockage init" in str(advice(lacks, inferred=True))


def test_frames_of_a_traceback_do_not_hide_what_was_said_before() -> None:
    frames = [line for number in range(30) for line in (f'  File "a.py", line {number}, in f', "    f()", "    ^^^")]
    log = ["Error: pg_config executable not found.", "Traceback (most recent call last):", *frames, "SystemExit: 1"]
    assert last_lines("\n".join(log).encode()) == (
        *log[:2],
        "  … 29 frames …",
        '  File "a.py", line 29, in f',
        "    f()",
        "    ^^^",
        "SystemExit: 1",
    )


def test_only_the_last_lines_are_quoted() -> None:
    assert last_lines("\n".join(map(str, range(99))).encode()) == tuple(map(str, range(79, 99)))
    assert last_lines(b"") == ()
    one = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nX: y'
    assert last_lines(one.encode()) == tuple(one.splitlines())


def test_on_an_image_no_package_can_be_named() -> None:
    told = str(advice((Missing(Lack.HEADER, "zlib.h"), Missing(Lack.PROGRAM, "cmake")), image=True))
    assert "use an image that has it" in told
    assert "`packages`" not in told
