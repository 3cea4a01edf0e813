"""The catalogue of causes, as data: what a difference looks like, what made it, and what mends it.

The first entry that fits counts, so that special ones stand before general ones; the last of each axis fits whatever it looks like. Every
entry has a seeded example in the tests.
"""

from __future__ import annotations

import msgspec

from lockage.compare.spot import CONTENT, FAILED, MISSING, PRESENCE, Spot
from lockage.compare.trace import Mark, Trace
from lockage.variation import AXES

__all__ = ["CAUSES", "Cause", "cause_of"]

#: In place of an axis: every rebuild differs.
_ITSELF = "-"
_MODES = ("mode", "executable", "external attributes")
_OWNERS = ("uid", "gid", "uname", "gname", "user", "group", "owner")


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One cause. The axis ``-`` stands for none: it differs by itself, whatever is varied. An empty field fits everything.

    ``places`` are beginnings of names of ELF sections, ``suffixes`` ends of member names, ``aspects`` those of a :class:`Spot`.
    """

    name: str
    axes: tuple[str, ...]
    says: str
    fix: str
    marks: tuple[Mark, ...] = ()
    places: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    aspects: tuple[str, ...] = ()

    def fits(self, spot: Spot, axes: tuple[str, ...], seen: Trace | None) -> bool:
        """Whether the difference at ``spot``, made by ``axes``, looks like this."""
        marks, place = (seen.marks, seen.place) if seen is not None else (frozenset(), "")
        return (
            any(axis in self.axes for axis in axes or (_ITSELF,))
            and (not self.marks or any(mark in marks for mark in self.marks))
            and (not self.places or place.startswith(self.places))
            and (not self.suffixes or (spot.member or spot.artifact).lower().endswith(self.suffixes))
            and (not self.aspects or spot.aspect in self.aspects)
        )


def _cause(  # one line an entry below
    name: str,
    axes: str,
    says: str,
    fix: str,
    *,
    marks: tuple[Mark, ...] = (),
    places: tuple[str, ...] = (),
    suffixes: tuple[str, ...] = (),
    aspects: tuple[str, ...] = (),
) -> Cause:
    return Cause(name=name, axes=tuple(axes.split()), says=says, fix=fix, marks=marks, places=places, suffixes=suffixes, aspects=aspects)


_SORT = "Sort what was listed before it is used: `sorted(os.listdir(…))`, `find … | LC_ALL=C sort`, `$(sort $(wildcard …))`."
_DEBUG = 'Compile without debug information (`-g0`), or map the path away: `-ffile-prefix-map="$PWD"=.`.'
_EPOCH = 'Use `SOURCE_DATE_EPOCH` in place of the clock, and give the step `stamp = ["date"]` if it should be the source\'s date.'
_PYC = 'Leave .pyc files out, or compile them by `python3 -m compileall --invalidation-mode unchecked-hash -s "$PWD"`.'
_NAMES = "Name temporary files by what is in them, and keep their names out of the product."

#: In the order in which they are tried.
CAUSES: tuple[Cause, ...] = (
    _cause(
        "rebuild-fails",
        " ".join(axis.name for axis in AXES),
        "the step cannot be run so",
        "Read the rebuild's last lines; what the step asks of its surroundings it should be given, or do without.",
        aspects=(FAILED,),
    ),
    _cause(
        "fails-now-and-then",
        "-",
        "the step fails by itself, whatever is varied",
        "Look for a race or a time-out: `-j1`, longer limits.",
        aspects=(FAILED,),
    ),
    _cause(
        "platform-in-file-name",
        "architecture",
        "the file is named for the machine that `uname -m` tells of",
        "Build where the kernel reports the machine that is built for, or say the platform (`--plat-name`, `_PYTHON_HOST_PLATFORM`).",
        aspects=(MISSING,),
    ),
    _cause(
        "other-file-name",
        " ".join(axis.name for axis in AXES) + f" {_ITSELF}",
        "the rebuild delivers no file of this name",
        "Look at what the name is made of: a date, a host or a user in it should be given, and not asked for.",
        aspects=(MISSING,),
    ),
    # The clock
    _cause("pyc-source-time", "clock -", "compiled Python carries the time of its source", _PYC, suffixes=(".pyc",)),
    _cause(
        "archive-member-time",
        "clock -",
        "a static library carries the times of its members",
        "Make it by `ar rcD`; lockage sets `ARFLAGS=rcD`, so the build overrides it.",
        suffixes=(".a", ".lib"),
    ),
    _cause(
        "compressed-at",
        "clock -",
        "the compressor wrote the time into its header",
        "Compress by `gzip -n`, or `gzip.GzipFile(…, mtime=0)`.",
        suffixes=(".gz", ".tgz", ".svgz"),
    ),
    _cause(
        "packed-at",
        "clock timezone -",
        "an archive carries the times of its members",
        "Set the members' times to `SOURCE_DATE_EPOCH` before packing, or pack with a tool that does.",
        suffixes=(".zip", ".jar", ".npz", ".tar", ".xz", ".bz2", ".zst", ".whl", ".egg", ".pyz", ".docx", ".epub", ".mo", ".po", ".pot"),
    ),
    _cause(
        "image-time",
        "clock timezone -",
        "an image or a document carries the time at which it was made",
        "Tell the tool the date (most know `SOURCE_DATE_EPOCH`), or strip it: `-define png:exclude-chunk=time`.",
        suffixes=(".png", ".pdf", ".jpg", ".jpeg", ".svg", ".ps", ".eps", ".ico"),
    ),
    _cause(
        "compiled-date",
        "clock -",
        "the time of the build is compiled in",
        "Do without `__DATE__` and `__TIME__`, and give what is compiled in from the clock by `SOURCE_DATE_EPOCH`.",
        suffixes=(".so", ".o", ".dll", ".exe", ".pyd"),
        marks=(Mark.TIME,),
    ),
    _cause("current-time", "clock", "the time of the build is written down", _EPOCH, marks=(Mark.TIME, Mark.NUMBER)),
    _cause("depends-on-clock", "clock", "it depends on the time of the build", _EPOCH),
    # Where it was built
    _cause(
        "build-path-in-debug-information",
        "build-path temporary-path",
        "debug information names the folder of the build",
        _DEBUG,
        places=(".debug", ".zdebug", ".line", ".gnu_debug"),
    ),
    _cause(
        "build-path-in-run-path",
        "build-path temporary-path",
        "the run path of a library names the folder of the build",
        "Link with `-Wl,-rpath,$ORIGIN`, or without a run path (CMake: `CMAKE_BUILD_WITH_INSTALL_RPATH=ON`).",
        places=(".dynstr", ".dynamic"),
    ),
    _cause(
        "build-id",
        "build-path temporary-path",
        "the build-id follows other differences in what was linked",
        "Mend those; or link with `-Wl,--build-id=none`.",
        places=(".note.gnu.build-id",),
    ),
    _cause(
        "build-path-compiled-in",
        "build-path temporary-path",
        "`__FILE__` or a configured path is compiled in",
        'Map it away by `-fmacro-prefix-map="$PWD"=.`, or compile by relative paths.',
        suffixes=(".so", ".o", ".a", ".pyd"),
        marks=(Mark.BUILD_PATH, Mark.TEMPORARY),
    ),
    _cause("build-path-in-pyc", "build-path temporary-path", "compiled Python carries the folder of its source", _PYC, suffixes=(".pyc",)),
    _cause("temporary-path-written", "temporary-path", "the folder for temporary files is written down", _NAMES),
    _cause(
        "build-path-written",
        "build-path",
        "the folder of the build is written down",
        "Write paths relative to the project (`os.path.relpath`), or leave them out.",
        marks=(Mark.BUILD_PATH,),
    ),
    _cause(
        "depends-on-build-path",
        "build-path",
        "it depends on the folder of the build, or on how long its path is",
        "Look for hashes of paths, sorted absolute paths and names cut to a length.",
    ),
    # Who built it, and where
    _cause(
        "owner-of-members",
        "user",
        "an archive carries who owned its members",
        "Pack with `--owner=0 --group=0 --numeric-owner`, or a filter that sets them.",
        suffixes=(".tar", ".tar.gz", ".tgz", ".cpio", ".a"),
    ),
    _cause(
        "owner-of-members",
        "user",
        "an archive carries who owned its members",
        "Pack with `--owner=0 --group=0 --numeric-owner`, or a filter that sets them.",
        aspects=_OWNERS,
    ),
    _cause(
        "user-written", "user", "the user's name or number is written down", "Leave `getpass.getuser()`, `whoami`, `id` out of the product."
    ),
    _cause(
        "home-written",
        "home",
        "the home directory is written down, or something in it is used",
        "Leave `~` and `$HOME` out of the product, and settings in them out of the build.",
    ),
    _cause(
        "host-name-written",
        "hostname",
        "the host's name is written down",
        "Leave `hostname`, `uname -n`, `socket.gethostname()` out of the product.",
    ),
    _cause(
        "kernel-written",
        "kernel",
        "the kernel's release is written down, or decides something",
        "Leave `uname -r` and `platform.release()` out; decide by the target's features, not the builder's.",
    ),
    _cause(
        "group-written",
        "group",
        "the name of the user's group is written down",
        "Leave `id -gn`, `ls -l` and `stat %G` out of the product.",
    ),
    _cause(
        "account-written",
        "account",
        "the user's full name or login shell is written down",
        "Take the author's name from the project's metadata, not from the account.",
    ),
    _cause(
        "settings-used",
        "settings",
        "a user's own settings, or files in the home directory, decide something",
        "Run the tool without them (`HOME=$(mktemp -d)`, `--norc`, `GIT_CONFIG_GLOBAL=/dev/null`).",
    ),
    _cause(
        "domain-name-written",
        "domain-name",
        "the machine's domain is written down",
        "Leave `domainname` and `getfqdn()` out of the product.",
    ),
    _cause(
        "machine-id-written",
        "machine-id boot-id",
        "the identity of the machine, or of its last start, is written down",
        "Derive identifiers from what is built (`uuid.uuid5`), not from where.",
    ),
    _cause(
        "uptime-written",
        "uptime",
        "the time since the machine was started is written down, or seeds something",
        "Use `SOURCE_DATE_EPOCH` in place of clocks, the monotonic one too, and seed generators with a constant.",
    ),
    _cause(
        "free-space-decides",
        "free-space",
        "the size of the disk, or what is free on it, decides something",
        "Leave `df`, `statvfs` and `shutil.disk_usage()` out of the build.",
    ),
    _cause(
        "folder-size-written",
        "workspace-disk",
        "sizes or numbers that the file system gives to folders are written down",
        "Count the bytes of files (`du --apparent-size`, without folders), and sort what is listed.",
    ),
    _cause(
        "repository-decides",
        "repository",
        "whether there is a git repository decides something",
        "Say in the project what belongs to it (MANIFEST.in, `include`), and hand the version in.",
    ),
    _cause(
        "leftovers-used",
        "temporary-files",
        "files that others left in the folder for temporary files are taken",
        "Work in a folder of your own: `mktemp -d`, `tempfile.TemporaryDirectory`.",
    ),
    _cause(
        "process-number",
        "process-ids",
        "a process id is written down, or seeds something",
        "Leave `$$` and `os.getpid()` out of the product and of its seeds.",
    ),
    _cause(
        "source-time-written",
        "source-times",
        "the times of the source's files are written down, or decide what is made anew",
        "Use `SOURCE_DATE_EPOCH`; make what is generated either always or never.",
    ),
    _cause(
        "source-modes-kept",
        "source-modes",
        "the modes of the source's files are taken over",
        "Set them where it is packed or installed: `install -m 644`, `tar --mode=u=rwX,go=rX,g-s`.",
    ),
    # Language, time zone, modes
    _cause(
        "local-time",
        "timezone",
        "a time is written in the builder's time zone",
        "Use UTC: `datetime.fromtimestamp(t, timezone.utc)`, `date -u`, `time.gmtime`.",
    ),
    _cause(
        "order-by-language",
        "locale",
        "the order of a sort follows the builder's language",
        "Sort by bytes: `LC_ALL=C sort`; in Python without `locale.strxfrm`.",
        marks=(Mark.ORDER,),
    ),
    _cause(
        "case-by-language",
        "locale",
        "upper and lower case follow the builder's language",
        "Change case with `LC_ALL=C`: in some languages the capital of i is İ.",
        marks=(Mark.CASE,),
    ),
    _cause(
        "words-by-language",
        "locale",
        "messages, numbers or dates are written in the builder's language",
        "Run the tool that writes them with `LC_ALL=C.UTF-8`.",
    ),
    _cause(
        "mode-from-umask",
        "umask",
        "modes of files follow the builder's umask",
        "Set them: `install -m 644`, `os.chmod`, or `umask 022` first.",
        aspects=_MODES,
    ),
    _cause(
        "mode-from-umask",
        "umask",
        "modes of files follow the builder's umask",
        "Set them: `install -m 644`, `os.chmod`, or `umask 022` first.",
    ),
    # Orders
    _cause("folder-order", "file-order", "files are taken in the order in which the folder lists them", _SORT),
    _cause("system-folder-order", "root-order", "files of the environment are taken in the order in which a folder lists them", _SORT),
    _cause(
        "hash-order",
        "perl-hash-seed",
        "what is in a hash of Perl is written in the order of its hashes",
        "Write `sort keys %hash`.",
    ),
    _cause(
        "set-order",
        "hash-seed",
        "a set of texts is written in the order of its hashes",
        "Write `sorted(…)` of it, or use a dict, which keeps its order.",
        marks=(Mark.ORDER,),
    ),
    _cause(
        "hash-written",
        "hash-seed",
        "a hash of a text, which every process makes anew, is written down or decides something",
        "Use `hashlib` in place of `hash()`.",
    ),
    # Machine
    _cause(
        "parallel-order",
        "cpu-count cpu-affinity priority parallelism load",
        "what ran side by side is put together in the order in which it ended",
        "Collect results in the order in which they were started: `Executor.map`, not `as_completed`; or `-j1`.",
        marks=(Mark.ORDER,),
    ),
    _cause(
        "cpu-count-written",
        "cpu-count",
        "the number of CPUs is written down, or decides how the work is divided",
        "Divide the work into a fixed number of parts.",
    ),
    _cause(
        "cpu-dependent", "cpu-affinity", "which CPU ran it decides something", "Look for `sched_getcpu`, affinity masks and per-CPU data."
    ),
    _cause(
        "cpu-model-written",
        "cpu-model",
        "the CPU that /proc/cpuinfo names is written down, or decides for what is compiled",
        "Leave it out, and name the target: `-march=x86-64-v2`, not `-march=native`.",
    ),
    _cause(
        "cpu-features-decide",
        "cpu-features",
        "what a library computes depends on the instruction sets that it finds, or is told to use",
        "Ask for one code path (`OPENBLAS_CORETYPE`, `NPY_DISABLE_CPU_FEATURES` in `variables`), or round results.",
        marks=(Mark.NUMBER, Mark.RANDOM),
    ),
    _cause(
        "memory-size-written",
        "memory-size",
        "the machine's memory is written down, or decides how the work is divided",
        "Divide the work into a fixed number of parts.",
    ),
    _cause(
        "jobs-decide",
        "parallelism",
        "how many things run at once is written down, or decides something",
        "Set `MAKEFLAGS`, `MAX_JOBS` and their like in `variables` of the step, and leave them out of the product.",
        marks=(Mark.NUMBER,),
    ),
    _cause(
        "machine-type-written",
        "architecture",
        "the machine that uname names decides something, or is written down",
        "Ask the compiler for its target (`gcc -dumpmachine`, `sysconfig.get_platform()`), not `uname -m`.",
    ),
    _cause(
        "race",
        "priority load",
        "how fast things run side by side decides something",
        "Look for work that does not wait for what it needs; `-j1` shows it.",
    ),
    _cause(
        "memory-address",
        "address-layout",
        "addresses in memory are written down, or used as an order",
        "Leave `id()`, `repr()` of objects and pointers out of the product; sort by what things are.",
    ),
    _cause(
        "environment-written",
        "environment ci desktop proxy screen parallelism cpu-features search-path variable-order",
        "variables of the builder's environment are written down",
        "Write down those that matter, by name.",
        marks=(Mark.VARIABLE,),
    ),
    _cause(
        "order-of-variables",
        "variable-order",
        "the order of the environment variables is that of the product",
        "Sort them, or better leave them out.",
    ),
    _cause(
        "search-path-written",
        "search-path",
        "PATH is written down, or its length or a folder of it decides something",
        "Name programs (`python3`), not where they were found; leave PATH out of the product.",
    ),
    _cause(
        "ci-decides",
        "ci",
        "whether a CI service builds it decides something",
        "Find who asks for `CI` or its like, and set it in `variables` of the step.",
    ),
    _cause(
        "screen-decides",
        "screen terminal",
        "the terminal, its size, or whether there is one, decides how something is written",
        "Give tools a width and no colours: `COLUMNS=80`, `NO_COLOR=1`, `--color=never`; write to files, not to what may be a terminal.",
    ),
    _cause(
        "input-decides",
        "input",
        "what standard input is decides something",
        "Give the tool its input by name, or `</dev/null`.",
    ),
    _cause(
        "limits-decide",
        "limits",
        "a limit of open files or of the stack is written down, or decides something",
        "Set it in the step (`ulimit -n 1024`), or leave it out.",
    ),
    _cause(
        "signals-decide",
        "signals",
        "signals that were ignored when it was started decide something",
        "Do not let the product depend on how a pipeline ends: `set -o pipefail`, no `| head` on what must be whole.",
    ),
    _cause(
        "shell-dependent",
        "shell",
        "it depends on which shell /bin/sh is",
        "Write what every shell does alike (`printf`, not `echo -e`), or name the shell: `#!/bin/bash`.",
    ),
    _cause(
        "network-decides",
        "loopback",
        "whether the loopback network is there decides something",
        "Let the step work without a network, or say why it needs one.",
    ),
    _cause(
        "second-run",
        "second-run",
        "what an earlier run left in the folder gets into the product",
        "Remove it first (`rm -rf build *.egg-info`), or make the step's outputs anew.",
    ),
    _cause(
        "environment-decides",
        "environment ci desktop proxy screen parallelism cpu-features",
        "a variable of the builder's environment decides something",
        "Find who asks for it (`DISPLAY`, `TERM`, `BUILD_ID`), and set it in `variables` of the step.",
    ),
    # By itself: every rebuild differs
    _cause(
        "random-order",
        "-",
        "the same things come in another order each time",
        "Sort them; what runs side by side is to be collected in a fixed order.",
        marks=(Mark.ORDER,),
    ),
    _cause("current-time", "-", "the time of the build is written down", _EPOCH, marks=(Mark.TIME,)),
    _cause("pyc-source-time", "-", "compiled Python carries the time of its source", _PYC, suffixes=(".pyc",)),
    _cause(
        "memory-address",
        "-",
        "addresses in memory are written down",
        "Leave `id()`, `repr()` of objects and pointers out of the product.",
        marks=(Mark.ADDRESS,),
    ),
    _cause(
        "random-value",
        "-",
        "something random is written down: a UUID, a key, the name of a temporary file",
        "Derive it from what is built (`uuid.uuid5`, a hash of the content), or seed the generator.",
        marks=(Mark.RANDOM,),
    ),
    _cause(
        "process-number",
        "-",
        "a number that is another one each time is written down: a process id, a count, a time that something took",
        "Leave it out of the product.",
        marks=(Mark.NUMBER,),
    ),
    _cause(
        "member-now-and-then",
        "-",
        "a file is there in one build and not in the other",
        "Look for a race, and for names that are random.",
        aspects=(PRESENCE,),
    ),
    _cause(
        "differs-by-itself",
        "-",
        "it differs whatever is varied",
        "Look for random numbers, times and races in the step that is named.",
        aspects=(CONTENT,),
    ),
    _cause(
        "differs-by-itself", "-", "it differs whatever is varied", "Look for random numbers, times and races in the step that is named."
    ),
)


def cause_of(spot: Spot, axes: tuple[str, ...], seen: Trace | None) -> Cause:
    """The first cause that fits; of several axes that make a difference together, the one that the first fitting entry names."""
    return next(cause for cause in CAUSES if cause.fits(spot, axes, seen))
