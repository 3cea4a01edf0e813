"""Blobs that are kept together, by two processes, beside damage, sweeps and audits: what the model says can be read, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stored import alter, lose, names_in, places_of

from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.packs import mending
from lockage.ports import BlobCorrupt, BlobMissing

LATER = Instant(1 << 33)
EVENTS = ["together", "apart", "tidy", "damage", "damage a table", "cut off", "lose", "read", "vouch", "audit", "sweep"]
DATA = [b"blob %d " % number * 3 for number in range(8)]


class Model:
    """A store that two processes use, which of its blobs must be whole, and which may be."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.processes = [LocalBlobs(home), LocalBlobs(home)]
        self.sure: set[bytes] = set()
        self.maybe: set[bytes] = set()

    def put(self, items: list[bytes]) -> None:
        self.sure.update(items)
        self.maybe.update(items)

    def doubt(self, digests: set[str]) -> None:
        self.sure -= {data for data in DATA if Digest.of(data) in digests}

    def check(self, blobs: LocalBlobs) -> None:
        for data in DATA:
            ref = BlobRef.of(data)
            try:
                assert blobs.get(ref) == data
                assert data in self.maybe
            except (BlobMissing, BlobCorrupt):
                assert data not in self.sure

    def act(self, what: str, which: int, number: int) -> None:
        blobs, data = self.processes[which], DATA[number]
        near = [DATA[(number + step) % len(DATA)] for step in range(3)]
        held = places_of(self.home, Digest.of(data))
        match what:
            case "together" | "tidy":
                blobs.put_messages({BlobRef.of(one): one for one in near})
                self.put(near)
                if what == "tidy":
                    blobs.settle()
            case "apart":
                blobs.put(data)
                if all(isinstance(place, Path) for place in held):
                    self.put([data] if not held else [])
            case "damage" if held:
                alter(self.home, Digest.of(data), b"other")
                self.doubt({Digest.of(data)})
            case "damage a table" if held and not isinstance(held[0], Path):
                path = Path(held[0][0].path)
                path.chmod(0o600)
                good = path.read_bytes()
                path.write_bytes(good[:20] + bytes([good[20] ^ 1]) + good[21:])
            case "cut off" if held and not isinstance(held[0], Path):
                path, at = Path(held[0][0].path), held[0][1]
                path.chmod(0o600)
                path.write_bytes(path.read_bytes()[: at + 1])
                self.doubt(set(held[0][0].table.texts()))
            case "lose" if held:
                self.doubt(
                    {name for place in held for name in ([str(Digest.of(data))] if isinstance(place, Path) else place[0].table.texts())}
                )
                lose(self.home, Digest.of(data))
            case _:
                self._look(what, blobs)

    def _look(self, what: str, blobs: LocalBlobs) -> None:
        match what:
            case "vouch":
                refs = [BlobRef.of(one) for one in sorted(self.sure)]
                assert blobs.vouch(refs, None) is not None
                for one in sorted(self.maybe - self.sure):
                    if blobs.vouch([BlobRef.of(one)], None) is not None:
                        assert blobs.get(BlobRef.of(one)) == one
            case "audit":
                blobs.audit(lambda _: None)
                assert LocalBlobs(self.home).audit(lambda _: None).damaged == ()
            case "sweep":
                needed = {Digest.of(one) for one in DATA[:5]}
                blobs.sweep(lambda: needed, LATER)
                self.sure &= set(DATA[:5])
            case _:
                self.check(blobs)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 1), st.integers(0, 7)), max_size=25))
def test_what_was_put_and_not_damaged_since_is_read_by_everybody(tmp_path: Path, events: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mending, "_MANY", 1)
        model = Model(Path(tempfile.mkdtemp(dir=tmp_path)) / "blobs")
        for what, which, number in events:
            model.act(what, which, number)
        for blobs in (*model.processes, LocalBlobs(model.home)):
            model.check(blobs)
            blobs.put_messages({BlobRef.of(data): data for data in DATA})
            model.put(DATA)
            for reader in (*model.processes, LocalBlobs(model.home)):
                assert [reader.get(BlobRef.of(data)) for data in DATA] == DATA
        assert names_in(model.home) >= {Digest.of(data) for data in DATA}
