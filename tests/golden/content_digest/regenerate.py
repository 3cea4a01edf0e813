"""Content digests and stabilized bytes of the files in inputs/, as vectors.json.

Run ``.venv/bin/python tests/golden/content_digest/regenerate.py``; with ``--verify`` it writes nothing and exits 1 if anything
differs. A difference means that digests which were signed and logged would no longer hold: a new pass version is due.
The inputs are kept as bytes; ``--inputs`` makes them anew, with whatever compressor the interpreter has.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.stabilize import PASSES_VERSION, content_digest, stabilize
from lockage.stabilize.errors import MalformedArchive

HERE = Path(__file__).parent
DATE = Instant.parse("2024-05-06T07:08:09Z")


def _zip(members: list[tuple[str, bytes, int]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, target, data, mode in (
            ("toy-1.0", tarfile.DIRTYPE, "", b"", 0o775),
            ("toy-1.0/run", tarfile.REGTYPE, "", b"#!/bin/sh\n", 0o775),
            ("toy-1.0/again", tarfile.LNKTYPE, "toy-1.0/run", b"", 0o775),
            ("toy-1.0/link", tarfile.SYMTYPE, "run", b"", 0o777),
            ("toy-1.0/grüße.txt", tarfile.REGTYPE, "", "grüße\n".encode() * 50, 0o664),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode, info.size, info.mtime = kind, target, mode, len(data), 1600000000.5
            info.uid, info.uname = 1000, "somebody"
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make_inputs() -> dict[str, bytes]:
    text = "".join(f"line {number * number} of the file\n" for number in range(400)).encode()
    inner = _zip([("inner.txt", text, 0o100644)])
    record = b"toy/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\r\ntoy-1.0.dist-info/RECORD,,\r\n"
    return {
        "plain.txt": text,
        "empty.bin": b"",
        "log.gz": gzip.compress(text, mtime=1600000000),
        "plain.zip": _zip([("b/", b"", 0o040775), ("b/run", text, 0o100775), ("a.txt", text * 3, 0o100664), ("link", b"a.txt", 0o120777)]),
        "nested.zip": _zip([("inner.zip", inner, 0o100644)]),
        "prefixed.pyz": b"#!/usr/bin/env python3\n" + _zip([("__main__.py", text, 0o100644)]),
        "toy-1.0-py3-none-any.whl": _zip([("toy-1.0.dist-info/RECORD", record, 0o100664), ("toy/__init__.py", b"", 0o100664)]),
        "toy-1.0.tar": _tar(),
        "toy-1.0.tar.gz": gzip.compress(_tar(), mtime=1600000000),
        "broken.whl": b"PK\x03\x04 cut short",
    }


def _stable(name: str, data: bytes) -> str:
    try:
        return Digest.of(stabilize(name, data, DATE).data)
    except MalformedArchive as error:
        return error.code


def vectors() -> dict[str, object]:
    found = {
        path.name: {
            "content_digest": content_digest(path.name, path.read_bytes()),
            "stabilized_sha256": _stable(path.name, path.read_bytes()),
        }
        for path in sorted((HERE / "inputs").iterdir())
    }
    return {"passes": PASSES_VERSION, "date": str(DATE), "files": found}


def main(arguments: list[str]) -> int:
    if "--inputs" in arguments:
        for name, data in make_inputs().items():
            (HERE / "inputs" / name).write_bytes(data)
    text = json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n"
    kept = HERE / "vectors.json"
    if "--verify" in arguments:
        return 0 if kept.read_text(encoding="utf-8") == text else 1
    kept.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
