"""How fast the ledger is: durable appends, reading, verification and folding. Prints one line for each.

python benchmarks/ledger.py [--entries 100000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.adapters.ledger_sql import SqlLedger
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName, Version
from lockage.catalog import Catalog
from lockage.ledger import (
    Entry,
    EvidenceRecorded,
    Promoted,
    PromotionKind,
    ReleaseClosed,
    StoreCreated,
    VerifierKey,
    prepare_append,
    verify_ledger,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(name="example.test/store", public=PRIVATE.public_key().public_bytes_raw())
ME, DEV = PrincipalName("me"), ChannelName("dev")


def drafts_of(n: int) -> list[Entry]:
    """A release, three pieces of evidence and a promotion: what one delivery appends."""
    project, release = ProjectName(f"shop-{n % 100}"), Digest.of(b"release %d" % n)
    some = Digest.of(b"%d" % n)
    evidence = [
        EvidenceRecorded(actor=ME, subjects=(release,), statement=some, predicate=kind, bundle=some)
        for kind in ("provenance", "test", "reproduction")
    ]
    return [
        ReleaseClosed(
            actor=ME, project=project, version=Version(f"1.{n}"), build=1, release=release, artifacts=some, source=some, lock=some
        ),
        *evidence,
        Promoted(
            actor=ME,
            project=project,
            channel=DEV,
            generation=n // 100 + 1,
            release=release,
            decision=some,
            manifest=some,
            kind=PromotionKind.FORWARD,
        ),
    ]


def timed(what: str, count: int, work: Callable[[], object]) -> None:
    begin = time.perf_counter()
    work()
    took = time.perf_counter() - begin
    print(f"{what:46} {count:8} in {took:7.3f} s = {count / took:10.0f}/s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        ledger = SqlLedger(Path(folder) / "ledger.db")

        def add(batch: list[Entry]) -> None:
            made = prepare_append(ledger.head(), batch, now=Instant(1_700_000_000), key=KEY, sign=PRIVATE.sign)
            ledger.append(made.data, expected=made.expected, checkpoint=made.checkpoint, time=made.time)

        def deliver(numbers: range) -> None:
            for number in numbers:
                add(drafts_of(number))

        add([StoreCreated(actor=ME, origin=KEY.name, trust_root=Digest.of(b""))])
        timed("durable appends of one delivery (5 entries)", 200, lambda: deliver(range(200)))
        rest = [draft for n in range(200, arguments.entries // 5) for draft in drafts_of(n)]
        timed("entries appended in one transaction", len(rest), lambda: add(rest))
        timed(
            "durable appends to the large ledger",
            200,
            lambda: deliver(range(arguments.entries // 5, arguments.entries // 5 + 200)),
        )
        head = ledger.head()
        assert head is not None
        timed("heads read", 1000, lambda: [ledger.head() for _ in range(1000)])
        timed("entries read", head.size, lambda: sum(1 for _ in ledger.entries()))
        timed("entries folded", head.size, lambda: Catalog.fold(ledger.entries()))
        timed("entries folded and proven", head.size, lambda: Catalog.of_ledger(ledger.entries(), head.checkpoint, [KEY]))
        timed("entries verified, tree included", head.size, lambda: verify_ledger(ledger.entries(), head.checkpoint, [KEY], ledger.node))
        print(f"file: {sum(path.stat().st_size for path in Path(folder).iterdir()) / head.size:.0f} bytes an entry")


if __name__ == "__main__":
    main()
