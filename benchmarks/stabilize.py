"""How fast a wheel is stabilized, against the interpreter's own zlib packing the same members anew; and how much memory it takes.

Run ``.venv/bin/python benchmarks/stabilize.py [WHEEL]``; without a file it makes one of about 17 MB from this machine's own Python.
"""

from __future__ import annotations

import io
import resource
import sys
import sysconfig
import time
import zipfile
import zlib
from pathlib import Path

from lockage.base.instant import ZIP_FLOOR
from lockage.compare.files import compare_files
from lockage.stabilize import content_digest, stabilize


def _sample(size: int = 58_000_000) -> bytes:
    """A zip of the standard library's files, round and round, until they are this large unpacked."""
    files = sorted(path for path in Path(sysconfig.get_path("stdlib")).rglob("*.*") if path.suffix in (".py", ".so", ".txt", ".c", ".h"))
    out, total, turn = io.BytesIO(), 0, 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        while total < size:
            for number, path in enumerate(files):
                if total < size:
                    data = path.read_bytes()
                    archive.writestr(zipfile.ZipInfo(f"{turn}/{number}/{path.name}", (2024, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
                    total += len(data)
            turn += 1
    return out.getvalue()


def _packed_by_zlib(data: bytes) -> tuple[float, int]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = [archive.read(info) for info in archive.infolist()]
    start, size = time.perf_counter(), 0
    for content in contents:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        size += len(packer.compress(content)) + len(packer.flush())
    return time.perf_counter() - start, size


def _one_byte_apart(data: bytes) -> tuple[bytes, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    largest = max(contents, key=lambda name: len(contents[name]))
    found = []
    for flip in (0, 1):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in contents.items():
                middle = len(content) // 2
                changed = content[:middle] + bytes([content[middle] ^ flip]) + content[middle + 1 :] if name == largest else content
                archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), changed, zipfile.ZIP_DEFLATED)
        found.append(out.getvalue())
    return found[0], found[1]


def main(arguments: list[str]) -> int:
    data = Path(arguments[0]).read_bytes() if arguments else _sample()
    name = Path(arguments[0]).name if arguments else "sample.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    result = stabilize(name, data, ZIP_FLOOR)
    taken = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    start = time.perf_counter()
    content_digest(name, data)
    digest = time.perf_counter() - start
    pair = _one_byte_apart(data)
    start = time.perf_counter()
    compare_files(name, *pair)
    compared = time.perf_counter() - start
    packing, size = _packed_by_zlib(data)
    print(f"{name}: {len(data):,} bytes, unpacked {unpacked:,}")
    print(f"stabilize       {taken:6.2f} s  {unpacked / taken / 1e6:6.1f} MB/s  {len(result.data):,} bytes")
    print(f"more memory     {memory / 1024:6.0f} MiB")
    print(f"zlib 6 packing  {packing:6.2f} s  {unpacked / packing / 1e6:6.1f} MB/s  {size:,} bytes")
    print(f"ratio           {taken / packing:6.2f} of the time of zlib's packing alone")
    print(f"compare         {compared:6.2f} s  with one byte of the largest member changed")
    print(f"content digest  {digest:6.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
