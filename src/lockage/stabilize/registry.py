"""Every pass, in order: its name, version, the files that it is for, and what it changes and never touches (docs/stabilizers.md).

A pass's version changes whenever its bytes could. This module is light: a pass's code is imported when it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from lockage.stabilize.compressor import COMPRESSOR, Compressor
from lockage.stabilize.stream import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.stabilize.job import Job

__all__ = ["PASSES", "PASSES_VERSION", "Pass"]


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """A named, versioned pure function over the bytes of certain files; ``function`` is a name in ``module`` of this room.

    ``suffixes`` are ends of paths (none: every path), ``magic`` how the bytes begin, one of several. ``container``: it packs its whole
    file anew and hands its members on. ``default``: it runs unless it is switched off. ``changes`` and ``never`` are for people.
    """

    name: str
    version: int
    suffixes: tuple[str, ...]
    module: str
    function: str
    changes: str
    never: str
    magic: tuple[bytes, ...] = (b"",)
    container: bool = False
    default: bool = True
    compressor: Compressor | None = None

    def applies(self, path: str, data: bytes) -> bool:
        """Whether it is meant for files of this path that begin like these bytes."""
        return (not self.suffixes or path.lower().endswith(self.suffixes)) and data.startswith(self.magic)

    def run(self, data: bytes, job: Job) -> bytes:
        """The file after this pass; what was changed is told to ``job``. Raises the errors of this room, and :class:`Unhandled`."""
        function: Callable[[bytes, Job], bytes] = getattr(import_module(f"lockage.stabilize.{self.module}"), self.function)
        return function(data, job)


_CONTENT = "the bytes of any member that no other pass is for; paths; the executable bit; links and their targets"
_TAR = "member order, times, modes, owners, dialect, extended attributes"
_ZIP = "member order, times, modes, creator, flags, extra fields, comments, stray bytes, packing"

#: In order. Of the containers that a file could be only the first runs; passes over plain files run before it.
PASSES = (
    Pass(
        name="wheel",
        version=2,
        suffixes=(".whl",),
        module="zip_pass",
        function="stabilize_wheel",
        container=True,
        compressor=COMPRESSOR,
        changes=f"{_ZIP}; `.dist-info` last, in `RECORD` the order of rows and the rows of changed members",
        never=f"{_CONTENT}; any member, if `RECORD` was wrong, missing or signed",
    ),
    Pass(
        name="jar",
        version=1,
        suffixes=(".jar", ".war", ".ear", ".jmod"),
        module="zip_pass",
        function="stabilize_jar",
        container=True,
        compressor=COMPRESSOR,
        changes=f"{_ZIP}; `META-INF` first, Clojure sources two seconds older than their classes",
        never=f"{_CONTENT}; a signed jar; the bytes before a jmod's first member",
    ),
    Pass(
        name="epub",
        version=1,
        suffixes=(".epub", ".odt", ".ods", ".odp"),
        module="zip_pass",
        function="stabilize_epub",
        container=True,
        compressor=COMPRESSOR,
        changes=f"{_ZIP}; `mimetype` first and stored, as the format wants it",
        never=_CONTENT,
    ),
    Pass(
        name="zip",
        version=2,
        suffixes=(".zip", ".egg", ".npz", ".pyz"),
        module="zip_pass",
        function="stabilize_zip",
        container=True,
        compressor=COMPRESSOR,
        changes=_ZIP,
        never=f"{_CONTENT}; the shebang line of a zip application",
    ),
    Pass(
        name="tar-gzip",
        version=2,
        suffixes=(".tar.gz", ".tgz", ".crate"),
        module="tar_pass",
        function="stabilize_tar_gzip",
        container=True,
        compressor=COMPRESSOR,
        changes=f"{_TAR}; the gzip header, packing",
        never=_CONTENT,
    ),
    *(
        Pass(
            name=f"tar-{name}",
            version=1,
            suffixes=suffixes,
            module="tar_pass",
            function=f"stabilize_tar_{name}",
            container=True,
            compressor=STREAMS[name],
            changes=f"{_TAR}; packing",
            never=_CONTENT,
        )
        for name, suffixes in (("bzip2", (".tar.bz2", ".tbz2")), ("xz", (".tar.xz", ".txz")), ("zstd", (".tar.zst", ".tzst")))
    ),
    Pass(
        name="tar",
        version=2,
        suffixes=(".tar",),
        module="tar_pass",
        function="stabilize_tar",
        container=True,
        changes=_TAR,
        never=_CONTENT,
    ),
    Pass(
        name="gzip",
        version=2,
        suffixes=(".gz", ".svgz"),
        module="tar_pass",
        function="stabilize_gzip",
        container=True,
        compressor=COMPRESSOR,
        changes="name, time, operating system and comment of the header; packing; several parts become one",
        never="the content, unless another pass is for it (`page.html.gz`)",
    ),
    Pass(
        name="ar",
        version=1,
        suffixes=(".a",),
        magic=(b"!<arch>\n",),
        module="ar_pass",
        function="stabilize_ar",
        container=True,
        changes="time and owner of every member become 0, as `ar D` writes them, modes 0644 or 0755",
        never="the order of members (linkers care), the symbol table, members; a thin archive",
    ),
    Pass(
        name="pyc",
        version=1,
        suffixes=(".pyc",),
        module="pyc_pass",
        function="stabilize_pyc",
        changes="the source's time in the header; marks of objects that nothing refers to, and the numbers of the others",
        never="code, constants, the source's size, the hash of a hash-based file; files of Pythons other than 3.8 to 3.14",
    ),
    Pass(
        name="png",
        version=1,
        suffixes=(".png",),
        magic=(b"\x89PNG\r\n\x1a\n",),
        module="png_pass",
        function="stabilize_png",
        changes="`tIME`; the times in text chunks (`date:create`, `date:modify`, `date:timestamp`, `Creation Time`)",
        never="pixels, any other chunk, bytes behind the end",
    ),
    Pass(
        name="gettext",
        version=1,
        suffixes=(".mo", ".gmo", ".po", ".pot"),
        module="gettext_pass",
        function="stabilize_gettext",
        changes="`POT-Creation-Date` and `PO-Revision-Date`, where they are later than the date",
        never="messages, any other header",
    ),
    Pass(
        name="sqlite",
        version=1,
        suffixes=(".db", ".db3", ".sqlite", ".sqlite3"),
        magic=(b"SQLite format 3\0",),
        module="sqlite_pass",
        function="stabilize_sqlite",
        changes="header: change counter and the counter it is valid for (1), version of the library that wrote last (0)",
        never="pages, free pages and their order, schema cookie; a file whose two counters differ",
    ),
    Pass(
        name="html",
        version=1,
        suffixes=(".html", ".htm", ".xhtml"),
        module="stamp_pass",
        function="stabilize_html",
        changes="the time in the stamps of known generators (below)",
        never="anything else; a stamp written in another form",
    ),
    Pass(
        name="javascript",
        version=1,
        suffixes=("api_project.js", "api_project.json", "api_data.js"),
        module="stamp_pass",
        function="stabilize_javascript",
        changes="the time that apidoc writes",
        never="anything else",
    ),
    Pass(
        name="java-properties",
        version=1,
        suffixes=(".properties",),
        module="java_pass",
        function="stabilize_properties",
        changes="the line with the time that Java writes at the top",
        never="keys, values, any other comment",
    ),
    Pass(
        name="java-manifest",
        version=1,
        suffixes=("meta-inf/manifest.mf",),
        module="java_pass",
        function="stabilize_manifest",
        changes="main attributes that say who built it, when and on which host: gone",
        never="any other attribute; a manifest with digests of its entries",
    ),
    Pass(
        name="wheel-file",
        version=1,
        suffixes=(".dist-info/wheel",),
        module="text_pass",
        function="stabilize_wheel_file",
        changes="the order of the `Tag` lines",
        never="anything else",
    ),
    Pass(
        name="egg-info",
        version=1,
        suffixes=tuple(
            f"{folder}-info/{file}" for folder in ("egg", ".dist") for file in ("sources.txt", "top_level.txt", "namespace_packages.txt")
        ),
        module="text_pass",
        function="stabilize_lines",
        changes="the order of lines of `SOURCES.txt`, `top_level.txt` and `namespace_packages.txt`",
        never="lines",
    ),
    Pass(
        name="elf",
        version=1,
        suffixes=(),
        magic=(b"\x7fELF",),
        module="elf_pass",
        function="stabilize_elf",
        default=False,
        changes="the random part of temporary folders in RPATH and debug sections; the build id, to a digest of the file",
        never="code, data, symbols, sizes and places of anything; compressed debug sections",
    ),
)

#: Names and versions of every pass and of the compressors: what a remembered result, and provenance, must be keyed by.
PASSES_VERSION = ";".join(
    (
        *(f"{each.name}={each.version}" for each in PASSES),
        *(f"{each.package}={each.version}:{each.level}:{each.sample[:16]}" for each in (COMPRESSOR, *STREAMS.values())),
    )
)
