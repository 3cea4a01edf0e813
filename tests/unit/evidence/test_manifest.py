"""What a consumer accepts as a channel's manifest, and what it refuses."""

from types import ModuleType
from typing import Any

import msgspec
import pytest

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.base.name import ChannelName, ProjectName
from lockage.base.path import RelPath
from lockage.evidence import Manifest, Role, Seen, read_manifest, seal_manifest
from lockage.evidence.dsse import BadSignature, InvalidEnvelope, seal
from lockage.evidence.manifest import MANIFEST_TYPE, InvalidManifest, ManifestFork, ManifestTooOld, WrongManifest
from lockage.evidence.trust import KeyNotValid, WrongRole

replace = msgspec.structs.replace


def _read(samples: ModuleType, data: bytes, **more: Any) -> Manifest:
    asked: dict[str, Any] = {"project": ProjectName("shop"), "channel": samples.PROD, "now": samples.at(60), **more}
    return read_manifest(data, samples.trust_root(), **asked)


@pytest.fixture(scope="session")
def chain(samples: ModuleType) -> list[bytes]:
    """Generations 1 to 3."""
    found: list[bytes] = []
    for number in range(1, 4):
        manifest = samples.manifest(samples.run(), number, found[-1] if found else None)
        found.append(seal_manifest(manifest, samples.signer(Role.PROMOTER)))
    return found


def _seen(chain: list[bytes], generation: int) -> Seen:
    return Seen(generation=generation, envelope=Digest.of(chain[generation - 1]))


def test_a_consumer_follows_a_channel(samples: ModuleType, chain: list[bytes]) -> None:
    assert _read(samples, chain[0]).generation == 1
    assert _read(samples, chain[0], seen=_seen(chain, 1)).generation == 1
    assert _read(samples, chain[1], seen=_seen(chain, 1)).generation == 2
    assert _read(samples, chain[2], seen=_seen(chain, 1)).previous == Digest.of(chain[1])


def test_an_older_generation_is_refused(samples: ModuleType, chain: list[bytes]) -> None:
    with pytest.raises(ManifestTooOld, match="generation 1 of prod is older than 2"):
        _read(samples, chain[0], seen=_seen(chain, 2))


def test_two_documents_of_one_generation_are_a_fork(samples: ModuleType, chain: list[bytes]) -> None:
    other = seal_manifest(replace(samples.manifest(samples.run()), issued=samples.at(59)), samples.signer(Role.PROMOTER))
    with pytest.raises(ManifestFork, match="other bytes"):
        _read(samples, other, seen=_seen(chain, 1))
    with pytest.raises(ManifestFork, match="does not follow"):
        _read(samples, chain[1], seen=Seen(generation=1, envelope=Digest.of(other)))


@pytest.mark.parametrize(("what", "value"), [("project", ProjectName("other")), ("channel", ChannelName("dev"))])
def test_anothers_manifest(samples: ModuleType, chain: list[bytes], what: str, value: str) -> None:
    with pytest.raises(WrongManifest, match=what):
        _read(samples, chain[0], **{what: value})


def test_of_another_ledger(samples: ModuleType) -> None:
    manifest = samples.manifest(samples.run())
    state = replace(manifest.ledger, origin="elsewhere", checkpoint="elsewhere\n5\n")
    with pytest.raises(WrongManifest, match="ledger 'elsewhere'"):
        _read(samples, seal_manifest(replace(manifest, ledger=state), samples.signer(Role.PROMOTER)))


def test_signed_by_another_role_or_a_stranger(samples: ModuleType) -> None:
    manifest = samples.manifest(samples.run())
    with pytest.raises(WrongRole):
        _read(samples, seal_manifest(manifest, samples.signer(Role.BUILDER)))
    with pytest.raises(BadSignature):
        _read(samples, seal_manifest(manifest, samples.signer("stranger")))


def test_issued_outside_the_keys_validity_or_in_the_future(samples: ModuleType) -> None:
    promoter = samples.signer(Role.PROMOTER)
    with pytest.raises(KeyNotValid):
        _read(samples, seal_manifest(replace(samples.manifest(samples.run()), issued=samples.at(-10)), promoter))
    with pytest.raises(InvalidManifest, match="issued at"):
        _read(samples, seal_manifest(replace(samples.manifest(samples.run()), issued=samples.at(5000)), promoter))


def _contradictions(manifest: Manifest) -> dict[str, Manifest]:
    first, second = manifest.artifacts
    return {
        "generation 0": replace(manifest, generation=0),
        "first generation with a previous": replace(manifest, previous=Digest.of(b"x")),
        "second generation without": replace(manifest, generation=2),
        "no artifacts": replace(manifest, artifacts=()),
        "out of order": replace(manifest, artifacts=(second, first)),
        "one name twice": replace(manifest, artifacts=(first, first)),
        "a path": replace(manifest, artifacts=(replace(first, name=RelPath("a/b")),)),
        "a control character": replace(manifest, artifacts=(replace(first, name=RelPath("a\nb")),)),
        "a negative size": replace(manifest, artifacts=(replace(first, size=-1),)),
        "build 0": replace(manifest, release=replace(manifest.release, build=0)),
        "another checkpoint": replace(manifest, ledger=replace(manifest.ledger, size=6)),
    }


@pytest.mark.parametrize(
    "defect",
    [
        "generation 0",
        "first generation with a previous",
        "second generation without",
        "no artifacts",
        "out of order",
        "one name twice",
        "a path",
        "a control character",
        "a negative size",
        "build 0",
        "another checkpoint",
    ],
)
def test_a_signed_manifest_that_contradicts_itself(samples: ModuleType, defect: str) -> None:
    bad = _contradictions(samples.manifest(samples.run()))[defect]
    with pytest.raises(InvalidManifest):
        seal_manifest(bad, samples.signer(Role.PROMOTER))
    with pytest.raises(InvalidManifest):
        _read(samples, seal(MANIFEST_TYPE, canonical_of(bad), [samples.signer(Role.PROMOTER)]))


def test_a_climbing_name_is_refused(samples: ModuleType) -> None:
    payload = canonical_of(samples.manifest(samples.run())).replace(b"shop-1.2.0.tar.gz", b"../../etc/passwd")
    with pytest.raises(LockageError, match=r"\.\./"):
        _read(samples, seal(MANIFEST_TYPE, payload, [samples.signer(Role.PROMOTER)]))


def test_a_signed_payload_that_is_not_canonical(samples: ModuleType) -> None:
    payload = canonical_of(samples.manifest(samples.run())).replace(b'"generation":1', b'"generation": 1')
    with pytest.raises(InvalidEnvelope, match="canonical"):
        _read(samples, seal(MANIFEST_TYPE, payload, [samples.signer(Role.PROMOTER)]))
