"""Writes the golden vectors of the ledger and of release documents anew: python tests/golden/ledger/regenerate.py [--verify]

These bytes are final. If ``--verify`` (what the unit tests do) fails, the code has changed the format: mend the code.
"""

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName, StepName, Version
from lockage.ledger import (
    Conflicted,
    EvidenceRecorded,
    HoldReleased,
    HoldSet,
    PolicySet,
    Promoted,
    PromotionKind,
    Refused,
    ReleaseClosed,
    StoreCreated,
    TrustRootSet,
    VerifierKey,
    consistency_proof,
    prepare_append,
    prove,
)
from lockage.ledger.merkle import extend
from lockage.record.artifact import Artifact
from lockage.record.release import Release, close_release
from lockage.record.source import CommitOrigin, Source

FOLDER = Path(__file__).parent
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(name="example.test/store", public=PRIVATE.public_key().public_bytes_raw())
ME, ROBOT = PrincipalName("ada@example.test"), PrincipalName("robot")
SHOP, DEV, PROD = ProjectName("shop"), ChannelName("dev"), ChannelName("prod")


def digest(what: str) -> Digest:
    return Digest.of(what.encode())


def artifact(name: str, data: bytes, step: str) -> Artifact:
    ref = BlobRef.of(data)
    return Artifact(name=name, blob=ref, raw=ref, content_digest=digest(f"content of {name}"), step=StepName(step))


def release() -> Release:
    return close_release(
        [
            artifact("shop-1.4.0-cp311-cp311-linux_x86_64.whl", b"wheel", "wheel"),
            artifact("shop-1.4.0.tar.gz", b"sdist", "wheel"),
            artifact("manual (draft).html", b"manual", "docs"),
        ],
        project=SHOP,
        version=Version("1.4.0"),
        build=1,
        platform="linux_x86_64",
        source=Source(
            tree=BlobRef.of(b"tree"),
            date=Instant.parse("2026-11-01T12:00:00Z"),
            version=Version("1.4.0"),
            origin=CommitOrigin(
                commit="0123456789abcdef0123456789abcdef01234567", repository="https://example.test/shop.git", tag="v1.4.0"
            ),
        ),
        recipe=digest("recipe"),
        lock=digest("lock"),
    )


def vectors() -> dict[str, bytes]:
    document = release()
    drafts = (
        StoreCreated(actor=ME, origin=KEY.name, trust_root=digest("trust root 1")),
        TrustRootSet(actor=ME, trust_root=digest("trust root 2")),
        PolicySet(actor=ME, channel=PROD, policy=digest("policy")),
        ReleaseClosed(
            actor=ROBOT,
            project=SHOP,
            version=document.version,
            build=1,
            release=document.digest,
            artifacts=document.artifact_set,
            source=document.source.digest,
            lock=document.lock,
        ),
        EvidenceRecorded(
            actor=ROBOT,
            subjects=tuple(sorted(item.sha256 for item in document.artifacts)),
            statement=digest("statement"),
            predicate="https://slsa.dev/provenance/v1",
            bundle=digest("bundle"),
        ),
        Promoted(
            actor=ME,
            project=SHOP,
            channel=DEV,
            generation=1,
            release=document.digest,
            decision=digest("decision 1"),
            manifest=digest("manifest 1"),
            kind=PromotionKind.FORWARD,
        ),
        Refused(
            actor=ME, project=SHOP, channel=PROD, release=document.digest, decision=digest("decision 2"), reasons=("from", "reproduced")
        ),
        Conflicted(actor=ROBOT, project=SHOP, channel=DEV, release=document.digest, expected=0, found=1, reason="generation"),
        Promoted(
            actor=ME,
            project=SHOP,
            channel=DEV,
            generation=2,
            release=document.digest,
            decision=digest("decision 3"),
            manifest=digest("manifest 2"),
            kind=PromotionKind.ROLLBACK,
            reason="zurück: Übung 🔥",
        ),
        HoldSet(actor=ME, project=SHOP, channel=DEV, reason="rollback"),
        HoldReleased(actor=ME, project=SHOP, channel=DEV, reason="all clear"),
    )
    made = prepare_append(None, drafts, now=Instant.parse("2026-11-23T20:00:00Z"), key=KEY, sign=PRIVATE.sign)
    _, nodes = extend((), 0, made.data)
    known = {(node.level, node.index): node.hash for node in nodes}
    tree = {
        "vkey": str(KEY),
        "nodes": [[node.level, node.index, node.hash.hex()] for node in nodes],
        "edge": [part.hex() for part in made.edge],
        "root": made.root.hex(),
        "consistency 7 to 11": [step.hex() for step in consistency_proof(lambda level, index: known.get((level, index)), 7, 11)],
    }
    return {
        "entries.jsonl": b"".join(data + b"\n" for data in made.data),
        "checkpoint": made.checkpoint,
        "tree.json": json.dumps(tree, indent=1).encode() + b"\n",
        "entry-5.tlog-proof": prove(lambda level, index: known.get((level, index)), 5, made.checkpoint).encode(),
        "release.json": document.encode(),
    }


def main() -> int:
    for name, data in vectors().items():
        if "--verify" in sys.argv:
            if (FOLDER / name).read_bytes() != data:
                print(f"{name}: differs", file=sys.stderr)
                return 1
        else:
            (FOLDER / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
