"""A root is a function of its packages: in whatever order, beside whatever other roots, and from whatever is kept unpacked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.test_roots import BASE, PYTHON, WHEEL, Bench

from lockage.adapters.memory.packages import TarNode, make_deb
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.base.instant import Instant
from lockage.ports import RootDrift

TOOLS = [
    make_deb(
        f"tool{number}",
        [
            TarNode(name=f"./usr/bin/tool{number}", data=b"tool%d" % number, mode=0o755),
            TarNode(name=f"./usr/bin/same{number}", kind="1", target=f"./usr/bin/tool{number}", mode=0o755),
            TarNode(name="./usr/share/common", data=b"what several bring"),
        ],
    )
    for number in range(3)
]
DEBS = [BASE, PYTHON, *TOOLS]

environments = st.tuples(st.lists(st.sampled_from(DEBS), unique=True, max_size=5).map(lambda found: (PYTHON, *found)), st.booleans())
actions = st.lists(st.one_of(environments, st.sampled_from(["sweep", "damage"])), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(actions=actions)
def test_a_root_does_not_depend_on_what_is_kept(actions: list[tuple[tuple[bytes, ...], bool] | str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "roots"
        blobs = MemoryBlobs()
        for number, action in enumerate(actions):
            if isinstance(action, str):
                _sweep(blobs, folder) if action == "sweep" else _damage(folder)
            else:
                packages, with_wheel = action
                wheels = [WHEEL] if with_wheel else []
                shared, alone = Bench(LocalRoots(blobs, folder), blobs), Bench(LocalRoots(blobs, Path(place) / f"{number}"), blobs)
                environment = shared.environment(dict.fromkeys(packages), wheels)
                expected = alone.roots.realise(environment, expect=False)
                try:
                    found = shared.roots.realise(environment, expect=False)
                except RootDrift:  # the damaged layer itself, or the one below it
                    try:
                        found = shared.roots.realise(environment, expect=False)
                    except RootDrift:
                        found = shared.roots.realise(environment, expect=False)
                assert found.ref == expected.ref
                assert _seen(found.layers) == _seen(expected.layers)


def _sweep(blobs: MemoryBlobs, folder: Path) -> None:
    LocalRoots(blobs, folder).sweep([], Instant(1 << 33))


def _damage(folder: Path) -> None:
    """Write to one file of one package, and so to all layers that have it."""
    for file in sorted(folder.glob("packages/*/1"))[:1]:
        file.write_bytes(b"damaged")


def _seen(layers: tuple[tuple[str, Path], ...]) -> list[tuple[str, str, int, int, bytes]]:
    """What a step sees of layers."""
    return [
        (
            place,
            str(path.relative_to(layer)),
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for place, layer in layers
        for path in sorted(layer.rglob("*"))
    ]
