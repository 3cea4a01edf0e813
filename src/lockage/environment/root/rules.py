"""Realisers 1 and 2 as data: which links, files and folders a root has beyond what its packages ship.

Maintainer scripts are never run. What of their work a build can notice is written down here, each with its source. These
tables decide digests: they never change; a correction is a new realiser with tables of its own (docs/formats/root.md). Realiser 2 has
first the alternatives that packages' scripts name (:mod:`alternatives`), and CERTIFICATE_LINKS.
"""

from __future__ import annotations

from lockage.base.path import RelPath

__all__ = [
    "ALIASES",
    "ALTERNATIVES",
    "CERTIFICATES",
    "CERTIFICATE_LINKS",
    "COMPILERS",
    "COMPILER_SPECS",
    "COPIES",
    "FILES",
    "FOLDERS",
    "LINKS",
    "LOCAL",
    "PYTHON_FILES",
    "REQUIRED_ALIASES",
]

#: Directories that are links into /usr (usrmerge, Debian 12 release notes 5.1.1) or into /run (base-files postinst): what a
#: package ships below the left is put below the right.
ALIASES: dict[str, tuple[str, str]] = {
    "bin": ("usr/bin", "usr/bin"),
    "sbin": ("usr/sbin", "usr/sbin"),
    "lib": ("usr/lib", "usr/lib"),
    "lib32": ("usr/lib32", "usr/lib32"),
    "lib64": ("usr/lib64", "usr/lib64"),
    "libo32": ("usr/libo32", "usr/libo32"),
    "libx32": ("usr/libx32", "usr/libx32"),
    "var/lock": ("run/lock", "/run/lock"),
    "var/run": ("run", "/run"),
}
#: Aliases that every root has; the others only where a package ships something below either side.
REQUIRED_ALIASES = ("bin", "sbin", "lib", "var/lock", "var/run")

#: The folder of the Python layer.
LOCAL = RelPath("usr/local")

#: Folders with their modes: mount points of the sandbox, and what base-files' postinst makes.
FOLDERS: tuple[tuple[str, int], ...] = (
    ("build", 0o755),
    ("dev", 0o755),
    ("etc/opt", 0o755),
    ("etc/ssl/certs", 0o755),
    ("home", 0o755),
    ("home/builder", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("srv", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr/local", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/local/etc", 0o755),
    ("usr/local/games", 0o755),
    ("usr/local/include", 0o755),
    ("usr/local/lib", 0o755),
    ("usr/local/sbin", 0o755),
    ("usr/local/share/man", 0o755),
    ("usr/local/src", 0o755),
    ("var/cache", 0o755),
    ("var/log", 0o755),
    ("var/opt", 0o755),
    ("var/tmp", 0o1777),
)

#: Files written unless a package ships one at that path. Who and where a step is, is the contract's (docs/what-can-differ.md): where
#: these bytes are the sandbox's own, it needs no mount over them.
FILES: dict[str, str] = {
    "etc/compiler-options": "-ffile-prefix-map=/build=.\n-ffile-prefix-map=/tmp=/tmp\n",
    "etc/fstab": "",
    "etc/group": "root:x:0:\nbuilder:x:1000:\nnogroup:x:65534:\n",
    "etc/hostname": "lockage\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 lockage\n",
    "etc/machine-id": "6c6f636b616765000000000000000001\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\nprotocols: files\nservices: files\n",
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "builder:x:1000:1000:builder:/home/builder:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "etc/resolv.conf": "",
    "etc/shells": "/bin/sh\n",
    "etc/timezone": "Etc/UTC\n",
}

#: A program of GCC that compiles, below either folder; and what is written to `usr/lib/gcc/<the same>/specs`, where GCC reads it
#: (GCC manual, "Specifying subprocesses"). So every compilation maps the build path away, also where a build sets CFLAGS of its own;
#: and as no command line and no variable says the path, no build can record it with its flags.
COMPILERS = r"usr/lib(?:exec)?/gcc/([^/]+/[^/]+)/(?:cc1|cc1plus|f951)"
COMPILER_SPECS = "*cpp_unique_options:\n+ @/etc/compiler-options \n\n*cc1_options:\n+ @/etc/compiler-options \n\n"

#: Written where there is a python3: names from `tempfile` follow each other in one fixed order in every process, instead of being
#: drawn at random. Builds compile in temporary folders, and their names end up in __FILE__ and debug information. A name that is
#: taken is passed over as before, and the sandbox's temporary folder is nobody else's. Not for programs run with `python3 -S`.
PYTHON_FILES: dict[str, str] = {
    "usr/lib/python3/dist-packages/lockage_temporary_names.pth": "import lockage_temporary_names\n",
    "usr/lib/python3/dist-packages/lockage_temporary_names.py": """\
import sys


class _Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "tempfile":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec("tempfile")
        load = spec.loader.exec_module

        def load_and_fix(module):
            load(module)
            module._RandomNameSequence.rng = property(_fixed)

        spec.loader.exec_module = load_and_fix
        return spec


def _fixed(names):
    from os import getpid
    from random import Random

    if getattr(names, "_rng_pid", None) != getpid():
        names._rng, names._rng_pid = Random(0), getpid()
    return names._rng


sys.meta_path.insert(0, _Finder())
""",
}

#: (source, target): copied if a package ships the source and none ships the target (base-files postinst).
COPIES: tuple[tuple[str, str], ...] = (
    ("usr/share/base-files/dot.bashrc", "root/.bashrc"),
    ("usr/share/base-files/dot.profile", "root/.profile"),
    ("usr/share/base-files/motd", "etc/motd"),
    ("usr/share/base-files/profile", "etc/profile"),
)

#: (link, target): made unless a package ships the link.
LINKS: tuple[tuple[str, str], ...] = (
    ("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
    ("etc/mtab", "../proc/self/mounts"),
    ("usr/local/man", "share/man"),
)

#: Where ca-certificates keeps each certificate, and the file they are joined in (update-ca-certificates).
CERTIFICATES = ("usr/share/ca-certificates/", "etc/ssl/certs/ca-certificates.crt", "etc/ca-certificates.conf")

#: Realiser 2: where OpenSSL looks for a file of certificates by default (OPENSSLDIR of Debian's openssl); made where its folder is there.
CERTIFICATE_LINKS: tuple[tuple[str, str], ...] = (("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt"),)

#: (link, candidates): the first candidate that a package ships is linked, in the order of the priorities that Debian's scripts
#: give to update-alternatives. ``*`` stands for one path segment's text; of several matches the last in byte order is taken.
ALTERNATIVES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("usr/bin/awk", ("usr/bin/gawk", "usr/bin/mawk", "usr/bin/original-awk")),
    ("usr/bin/c++", ("usr/bin/g++", "usr/bin/clang++")),
    ("usr/bin/c89", ("usr/bin/c89-gcc",)),
    ("usr/bin/c99", ("usr/bin/c99-gcc",)),
    ("usr/bin/cc", ("usr/bin/gcc", "usr/bin/clang")),
    ("usr/bin/editor", ("usr/bin/nano", "usr/bin/vim.basic", "usr/bin/vim.tiny")),
    ("usr/bin/f77", ("usr/bin/gfortran",)),
    ("usr/bin/f95", ("usr/bin/gfortran",)),
    ("usr/bin/faked", ("usr/bin/faked-sysv", "usr/bin/faked-tcp")),
    ("usr/bin/fakeroot", ("usr/bin/fakeroot-sysv", "usr/bin/fakeroot-tcp")),
    ("usr/bin/jar", ("usr/lib/jvm/*/bin/jar",)),
    ("usr/bin/java", ("usr/lib/jvm/*/bin/java",)),
    ("usr/bin/javac", ("usr/lib/jvm/*/bin/javac",)),
    ("usr/bin/lua", ("usr/bin/lua5.*",)),
    ("usr/bin/lzma", ("usr/bin/xz",)),
    ("usr/bin/mpicc", ("usr/bin/mpicc.openmpi", "usr/bin/mpicc.mpich")),
    ("usr/bin/mpicxx", ("usr/bin/mpicxx.openmpi", "usr/bin/mpicxx.mpich")),
    ("usr/bin/mpirun", ("usr/bin/mpirun.openmpi", "usr/bin/mpirun.mpich")),
    ("usr/bin/nawk", ("usr/bin/gawk", "usr/bin/mawk", "usr/bin/original-awk")),
    ("usr/bin/pager", ("usr/bin/less", "usr/bin/more")),
    ("usr/bin/unlzma", ("usr/bin/xz",)),
    ("usr/bin/vi", ("usr/bin/vim.basic", "usr/bin/vim.tiny", "usr/bin/nvi")),
    ("usr/bin/which", ("usr/bin/which.debianutils", "usr/bin/which.gnu")),
    ("usr/bin/yacc", ("usr/bin/bison.yacc", "usr/bin/byacc")),
    ("usr/lib/cpp", ("usr/bin/cpp",)),
    ("usr/sbin/rmt", ("usr/sbin/rmt-tar",)),
    *(
        (f"usr/lib/{triplet}/{name}", tuple(f"usr/lib/{triplet}/{folder}/{name}" for folder in folders))
        for triplet in ("aarch64-linux-gnu", "x86_64-linux-gnu")
        for name, folders in (
            ("libblas.a", ("openblas-pthread", "openblas-openmp", "openblas-serial", "atlas", "blas")),
            ("libblas.so", ("openblas-pthread", "openblas-openmp", "openblas-serial", "atlas", "blas")),
            ("libblas.so.3", ("openblas-pthread", "openblas-openmp", "openblas-serial", "atlas", "blas")),
            ("liblapack.a", ("openblas-pthread", "openblas-openmp", "openblas-serial", "atlas", "lapack")),
            ("liblapack.so", ("openblas-pthread", "openblas-openmp", "openblas-serial", "atlas", "lapack")),
            ("liblapack.so.3", ("openblas-pthread", "openblas-openmp", "openblas-serial", "atlas", "lapack")),
            ("libopenblas.a", ("openblas-pthread", "openblas-openmp", "openblas-serial")),
            ("libopenblas.so", ("openblas-pthread", "openblas-openmp", "openblas-serial")),
            ("libopenblas.so.0", ("openblas-pthread", "openblas-openmp", "openblas-serial")),
        )
    ),
)
