"""Why a step failed, from what it printed: the lines worth reading, and what it says that it misses.

Invariant: nothing here decides anything. What is found is told beside the output, and never in its place.
"""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Lack", "Missing", "advice", "last_lines", "missing"]

#: How many lines are quoted, how many lacks are told, and how much of the end of an output is read for them, in bytes.
_LINES = 20
_LACKS = 5
_READ = 1 << 20


class Lack(StrEnum):
    """What kind of thing a build did not find."""

    HEADER = "header"
    LIBRARY = "library"
    PROGRAM = "program"
    MODULE = "Python module"
    NETWORK = "network"


class Missing(msgspec.Struct, frozen=True):
    """One thing that a build did not find, by the name it used."""

    lack: Lack
    name: str

    def __str__(self) -> str:
        return f"{self.lack} {self.name}" if self.name else str(self.lack)


#: What tools print when they do not find something; each group is a name. In brackets: who prints it.
_SAID: tuple[tuple[Lack, str], ...] = (
    (Lack.HEADER, r"fatal error: ([\w./+-]+): No such file or directory"),  # (gcc)
    (Lack.HEADER, r"fatal error: '([\w./+-]+)' file not found"),  # (clang)
    (Lack.LIBRARY, r"cannot find -l:?([\w.+-]+)"),  # (ld)
    (Lack.LIBRARY, r"(?:No package|Package) '([\w.+-]+)'(?:, required by '[^']*',)? (?:not )?found"),  # (pkg-config, pkgconf)
    (Lack.LIBRARY, r"Package ([\w.+-]+) was not found in the pkg-config search path"),  # (pkg-config)
    (Lack.LIBRARY, r"pkg-config --exists ([\w.+-]+)' returned non-zero"),  # (Python's subprocess)
    (Lack.LIBRARY, r"ERROR: Dependency \"([^\"]+)\" not found"),  # (meson)
    (Lack.LIBRARY, r"CMake Error[^\n]*:\n\s+Could NOT find (\w+)"),  # (CMake; without "Error" it was optional)
    (Lack.LIBRARY, r"Could not find a package configuration file provided by\s+\"(\w[\w.+-]*)\""),  # (CMake)
    (Lack.LIBRARY, r"ERROR: Dependency lookup for ([\w.+-]+) with method"),  # (meson)
    (Lack.LIBRARY, r"ERROR: (?:C|C\+\+) (?:shared or static |shared |static )?library '([\w.+-]+)' not found"),  # (meson)
    (Lack.HEADER, r"ERROR: (?:C|C\+\+) header '([\w./+-]+)' not found"),  # (meson)
    (Lack.LIBRARY, r"Package requirements \(([\w.+-]+)[^)]*\) were not met"),  # (configure scripts)
    (Lack.LIBRARY, r"lib([\w.+-]+?)\.so[\d.]*: cannot open shared object file"),  # (ctypes, ld.so)
    (Lack.LIBRARY, r"make sure the (lib\w+) and (lib\w+) development packages are installed"),  # (lxml)
    (Lack.LIBRARY, r"headers or library files could not be found for ([\w.+-]+),"),  # (pillow)
    (Lack.LIBRARY, r"Unable to load dependency (\w+), make sure"),  # (h5py)
    (Lack.PROGRAM, r"ERROR: Program '([\w.+-]+)' not found"),  # (meson)
    (Lack.PROGRAM, r"ERROR: Unknown compiler\(s\): \[\['([\w.+-]+)'"),  # (meson)
    (Lack.PROGRAM, r"unable to execute '([\w.+-]+)': No such file"),  # (distutils)
    (Lack.PROGRAM, r"command '([\w.+-]+)' failed: No such file"),  # (setuptools)
    (Lack.PROGRAM, r"(?m)^bwrap: execvp (?:/[\w./+-]*/)?([\w.+-]+): No such file"),  # (the sandbox: what a step begins with)
    (Lack.PROGRAM, r"env: .([\w.+-]+).: No such file"),  # (env)
    (Lack.PROGRAM, r"(?m)^(?:/bin/)?(?:sh|bash|dash): (?:line )?\d+: ([\w.+-]+): (?:command )?not found$"),  # (shells)
    (Lack.PROGRAM, r"(?<=/bin/sh: )\d+: ([\w.+-]+): not found"),  # (sh, where setup.py took what it said for options)
    (Lack.PROGRAM, r"No such file or directory: '([\w.+-]+)'"),  # (Python's subprocess; a file would have a folder before it)
    (Lack.PROGRAM, r"(?i)error: ([\w.+-]+) executable not found"),  # (setup.py files)
    (Lack.MODULE, r"ModuleNotFoundError: No module named '([\w.]+)'"),  # (Python)
    (Lack.NETWORK, r"Could ?n[o']t resolve host()|failed to download from `[^`]*`()"),  # (curl, cargo)
    (Lack.NETWORK, r"Temporary failure in name resolution()|Name or service not known()|Network is unreachable()"),  # (the C library)
)
#: Where the words do not say the program's name. In brackets: who prints them.
_WORDS = (
    ("can't find Rust compiler", "rustc"),  # (setuptools-rust)
    ("Cargo, the Rust package manager, is not installed", "cargo"),  # (maturin, setuptools-rust)
    ("No CMAKE_Fortran_COMPILER could be found", "gfortran"),  # (CMake)
)
_PATTERNS = tuple((lack, re.compile(pattern)) for lack, pattern in _SAID)

_ADVICE = {
    Lack.HEADER: "Name the OS package that has it (mostly one whose name ends in -dev) in `packages` of the environment in lockage.toml.",
    Lack.LIBRARY: "Name the OS package that has it (mostly one whose name ends in -dev) in `packages` of the environment in lockage.toml.",
    Lack.PROGRAM: "Name the OS package or wheel that has it in `packages` or `python` of the environment in lockage.toml.",
    Lack.MODULE: "Name the distribution that has it in `python` of the environment in lockage.toml.",
    Lack.NETWORK: "A step has no network: put what it downloads into the source, or into `packages` or `python` of the environment; "
    "what a test asks can be answered by a service (docs/services.md).",
}


#: What to do about a module of the standard library; Debian's python3-minimal has only some of them.
_OF_PACKAGES = (Lack.HEADER, Lack.LIBRARY, Lack.PROGRAM)
_OF_IMAGES = (
    "The environment begins with an image, whose digest fixes what it holds: use an image that has it, or begin with a suite (`os`)."
)
_STANDARD = "{} of Python's standard library, which python3-minimal has only in part: name the OS package python3 in `packages`."
#: Modules that some Python has and Debian's python3 package has not: those of other packages, and those that Python 3.12 and 3.13 removed.
_ELSEWHERE = frozenset(
    [
        "ensurepip",
        "idlelib",
        "lib2to3",
        "tkinter",
        "turtle",
        "turtledemo",
        "venv",
        "asynchat",
        "asyncore",
        "distutils",
        "imp",
        "smtpd",
        "aifc",
        "audioop",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "imghdr",
        "mailcap",
        "msilib",
        "nis",
        "nntplib",
        "ossaudiodev",
        "pipes",
        "sndhdr",
        "spwd",
        "sunau",
        "telnetlib",
        "uu",
        "xdrlib",
    ]
)


def missing(log: bytes) -> tuple[Missing, ...]:
    """What the output says that it did not find, in the order in which it says so; empty if it says nothing of the kind."""
    text = log[-_READ:].decode(errors="replace")
    found = [
        (match.start(), Missing(lack, name))
        for lack, form in _PATTERNS
        for match in form.finditer(text)
        for name in match.groups()
        if name is not None
    ]
    found += [(text.find(words), Missing(Lack.PROGRAM, name)) for words, name in _WORDS if words in text]
    return tuple(dict.fromkeys(lacking for _, lacking in sorted(found, key=lambda one: one[0])))[-_LACKS:]


def advice(lacks: Iterable[Missing], *, inferred: bool = False, image: bool = False) -> str | None:
    """What to do about what is missing; None if nothing is.

    ``inferred``: there is no lockage.toml yet; ``image``: the environment begins with one, so that no OS package can be named.
    """
    lacks = tuple(lacks)
    standard = [one.name for one in lacks if one.lack is Lack.MODULE and one.name.partition(".")[0] in sys.stdlib_module_names - _ELSEWHERE]
    kinds = dict.fromkeys(lacking.lack for lacking in lacks if lacking.lack is not Lack.MODULE or lacking.name not in standard)
    texts = dict.fromkeys(_OF_IMAGES if image and kind in _OF_PACKAGES else _ADVICE[kind] for kind in kinds)
    if standard:
        texts[_STANDARD.format(f"{', '.join(standard)} {'is' if len(standard) == 1 else 'are'}")] = None
    if not texts:
        return None
    start = ("`lockage init` in the unpacked source writes a lockage.toml to start from.",) if inferred else ()
    return " ".join((*texts, *start))


def last_lines(log: bytes) -> tuple[str, ...]:
    """The end of an output. Of each traceback only the last frame counts, so that what stood before it is still seen."""
    return tuple(_without_frames(log[-_READ:].decode(errors="replace").splitlines())[-_LINES:])


def _without_frames(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        kept.append(line)
        at += 1
        if not line.endswith("Traceback (most recent call last):"):
            continue
        inner = " " * (len(line) - len(line.lstrip()) + 2)
        end = at
        while end < len(lines) and lines[end].startswith(inner):
            end += 1
        heads = [number for number in range(at, end) if lines[number].lstrip().startswith('File "')]
        if len(heads) > 1:
            kept.append(f"{inner}… {len(heads) - 1} frames …")
            at = heads[-1]
        kept.extend(lines[at:end])
        at = end
    return kept
