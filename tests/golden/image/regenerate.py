"""Write or verify the golden vectors of an image on a base: `python tests/golden/image/regenerate.py [--verify]`.

Verification finds digests a second time from the vector's own documents with nothing but json and hashlib. The base is not packed, so
that its bytes are the same with every zlib.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from lockage.adapters.memory.images import make_image
from lockage.adapters.memory.packages import TarNode, make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.roots_local import LocalRoots
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import Interpreter, LockedImage
from lockage.environment.image import ImageConfig
from lockage.environment.lock import LockedEnvironment, LockedWheel, RootRef
from lockage.work.export_image import export_image

FILE = Path(__file__).with_name("vectors.json")

PYTHON = Interpreter(
    path="/usr/local/bin/python3", version="3.12.4", glibc="2.36", folder=RelPath("usr/local"), site=RelPath("lib/python3.12/site-packages")
)
SITE = "usr/local/lib/python3.12/site-packages"
BASE = make_image(
    [
        [
            TarNode(name="usr/bin/su", data=b"su", mode=0o4755),
            TarNode(name="usr/bin/also", kind="1", target="usr/bin/su"),
            TarNode(name="dev/null", kind="3", mode=0o666),
            TarNode(name="etc/shadow", data=b"secret", mode=0, gid=42),
            TarNode(name="usr/local/bin/python3.12", data=b"ELF", mode=0o755),
        ],
        [
            TarNode(name=f"{SITE}/shop/old.py", data=b"old"),
            TarNode(name=f"{SITE}/shop-0.9.dist-info/RECORD", data=b"shop/old.py,,\n"),
            TarNode(name=f"{SITE}/F\u0151.py", data=b"not ASCII"),
        ],
    ],
    compression="",
    layer_type="application/vnd.oci.image.layer.v1.tar",
    settings={"User": "1000", "Labels": {"maintainer": "somebody"}, "ExposedPorts": {"80/tcp": {}}},
    more={"history": [{"created": "2026-01-02T03:04:05Z", "created_by": "one"}, {"created_by": "two"}]},
)
WHEEL = make_wheel("shop", {"shop/__init__.py": b""})


def _environment(services: MemoryServices) -> LockedEnvironment:
    for data in BASE.blobs.values():
        services.blobs.put(data)
    wheel = services.blobs.put(WHEEL)
    draft = LockedEnvironment(
        declaration=Digest.of(b""),
        image=LockedImage(name="base", manifest=BASE.manifest, config=BASE.config, layers=BASE.layers, interpreter=PYTHON),
        architecture="amd64",
        root=RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b"")),
        packages=(),
        python=(LockedWheel(name="shop", version="1", file=RelPath("shop-1-py3-none-any.whl"), size=wheel.size, sha256=wheel.digest),),
    )
    return msgspec.structs.replace(draft, root=services.roots.realise(draft, expect=False).ref)


def _members(packed: bytes) -> list[str]:
    """Type, mode, owners, size, time, path, and where it leads."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
        return [
            f"{one.type.decode()} {one.mode:04o} {one.uid}:{one.gid} {one.size} {int(one.mtime)} {one.name} {one.linkname}".rstrip()
            for one in tar
        ]


def vectors() -> dict[str, Any]:  # Any: JSON
    """The image's documents, and what is in the layers that are not the base's."""
    services = MemoryServices()
    with tempfile.TemporaryDirectory() as folder:
        services.roots = LocalRoots(services.blobs, Path(folder) / "roots")  # type: ignore[assignment]  # real roots over blobs in memory
        place = "registry.example.org/team/base"
        config = ImageConfig(architecture="amd64", variables={"GREETING": "hello"}, command=("serve",))
        found = export_image(services, "app", _environment(services), Path("image"), config, tag="app", place=place)
    blobs = services.image_layouts.layouts[Path("image")].blobs
    manifest = json.loads(blobs[found.digest])
    return {
        "digest": f"sha256:{found.digest}",
        "base": json.loads(BASE.blobs[BASE.manifest.digest]),
        "manifest": manifest,
        "config": json.loads(blobs[Digest(manifest["config"]["digest"][7:])]),
        "layers": [_members(blobs[layer.blob.digest]) for layer in found.layers if not layer.of_base],
    }


def holds(vector: dict[str, Any]) -> bool:  # Any: JSON
    """Whether the digests are those of the documents, and the base's layers the lowest."""

    def digest(document: object) -> str:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    below = vector["base"]["layers"]
    return bool(
        digest(vector["manifest"]) == vector["digest"]
        and digest(vector["config"]) == vector["manifest"]["config"]["digest"]
        and vector["manifest"]["layers"][: len(below)] == below
    )


def main() -> int:
    text = json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"
    if "--verify" in sys.argv[1:]:
        same = text == FILE.read_text() and holds(json.loads(FILE.read_text()))
        print("same" if same else "different")
        return 0 if same else 1
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
