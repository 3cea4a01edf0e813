"""Trust roots: what is signed by enough admins is read, everything else is refused."""

from types import ModuleType

import msgspec
import pytest

from lockage.adapters.memory.signer import MemoryKeys
from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.base.name import PrincipalName
from lockage.evidence import dsse
from lockage.evidence.dsse import BadSignature
from lockage.evidence.trust import LOCAL_BUILDER, Builder, InvalidTrustRoot, Principal, PrincipalKind, Role, TrustedKey, TrustRoot
from lockage.evidence.trusted import TRUST_ROOT_TYPE, initial_trust_root, read_successor, read_trust_root, seal_trust_root

replace = msgspec.structs.replace
BOB = MemoryKeys(b"bob").load_or_create("admin")


def _with_bob(samples: ModuleType, root: TrustRoot, *roles: Role) -> TrustRoot:
    key = TrustedKey.of(BOB.public, roles=roles or [Role.ADMIN], not_before=samples.T0, not_after=samples.at(1000))
    bob = Principal(name=PrincipalName("bob"), kind=PrincipalKind.ROBOT, keys=(key,))
    return replace(root, version=root.version + 1, principals=(*root.principals, bob))


def test_a_first_root_has_one_key_for_each_role(samples: ModuleType) -> None:
    root = samples.trust_root()
    assert sorted(key.roles for _, key in root.listed()) == [(role,) for role in sorted(Role)]
    data = seal_trust_root(root, [samples.signer("admin")])
    assert read_trust_root(data, pinned=root.digest) == root


def test_a_first_root_needs_every_role(samples: ModuleType) -> None:
    with pytest.raises(InvalidTrustRoot, match="missing: admin, builder, promoter, tester, verifier"):
        initial_trust_root(samples.ANN, {Role.LEDGER: samples.signer("ledger").public}, samples.ORIGIN, samples.T0)


def test_another_root_than_the_pinned_one(samples: ModuleType) -> None:
    data = seal_trust_root(samples.trust_root(), [samples.signer("admin")])
    with pytest.raises(InvalidTrustRoot, match="pinned"):
        read_trust_root(data, pinned=Digest.of(b"another"))


@pytest.mark.parametrize("role", ["builder", "nobody"])
def test_signed_by_no_admin(samples: ModuleType, role: str) -> None:
    with pytest.raises(BadSignature):
        read_trust_root(seal_trust_root(samples.trust_root(), [samples.signer(role)]))


def test_one_key_does_not_count_twice(samples: ModuleType) -> None:
    admin = samples.signer("admin")
    root = replace(_with_bob(samples, samples.trust_root()), admins_needed=2)
    with pytest.raises(BadSignature, match="signed twice"):
        read_trust_root(seal_trust_root(root, [admin, admin]))
    with pytest.raises(InvalidTrustRoot, match="signed by 1 admins"):
        read_trust_root(seal_trust_root(root, [admin]))
    assert read_trust_root(seal_trust_root(root, [admin, BOB])) == root


def test_an_admin_whose_key_has_ended(samples: ModuleType) -> None:
    root = replace(_with_bob(samples, samples.trust_root()), issued=samples.at(1000))
    with pytest.raises(InvalidTrustRoot, match="signed by 0 admins"):
        read_trust_root(seal_trust_root(root, [BOB]))


def test_a_document_that_is_not_canonical(samples: ModuleType) -> None:
    payload = canonical_of(samples.trust_root()).replace(b'"version":1', b'"version": 1')
    with pytest.raises(InvalidTrustRoot, match="canonical"):
        read_trust_root(dsse.seal(TRUST_ROOT_TYPE, payload, [samples.signer("admin")]))


def test_a_successor_is_signed_by_the_admins_of_both(samples: ModuleType) -> None:
    first, admin = samples.trust_root(), samples.signer("admin")
    second = _with_bob(samples, first)
    assert read_successor(seal_trust_root(second, [admin]), first) == second
    with pytest.raises(InvalidTrustRoot, match="signed by 0 admins of version 1"):
        read_successor(seal_trust_root(second, [BOB]), first)
    third = replace(second, version=3, principals=second.principals[1:] + tuple(_without_admin(p) for p in second.principals[:1]))
    assert read_successor(seal_trust_root(third, [admin, BOB]), second) == third


def _without_admin(principal: Principal) -> Principal:
    return replace(principal, keys=tuple(key for key in principal.keys if Role.ADMIN not in key.roles))


@pytest.mark.parametrize("defect", ["version", "issued", "origin"])
def test_what_cannot_follow(samples: ModuleType, defect: str) -> None:
    first, admin = samples.trust_root(), samples.signer("admin")
    other = initial_trust_root(samples.ANN, {role: samples.signer(role).public for role in Role}, "elsewhere", samples.T0)
    bad = {
        "version": replace(first, version=3),
        "issued": replace(first, version=2, issued=samples.at(-1), principals=_earlier(first, samples)),
        "origin": replace(other, version=2),
    }[defect]
    with pytest.raises(InvalidTrustRoot):
        read_successor(seal_trust_root(bad, [admin]), replace(first, principals=_earlier(first, samples)))


def _earlier(root: TrustRoot, samples: ModuleType) -> tuple[Principal, ...]:
    return tuple(replace(p, keys=tuple(replace(key, not_before=samples.at(-100)) for key in p.keys)) for p in root.principals)


def _of_key(root: TrustRoot, **changes: object) -> TrustRoot:
    first = root.principals[0]
    return replace(root, principals=(replace(first, keys=(replace(first.keys[0], **changes), *first.keys[1:])),))


def test_all_faults_are_named_at_once(samples: ModuleType) -> None:
    root = samples.trust_root()
    first = root.principals[0].keys[0]
    wrong = replace(
        _of_key(root, id=Digest.of(b"other"), not_after=first.not_before, roles=()),
        version=0,
        admins_needed=3,
        builders=(Builder(id=LOCAL_BUILDER, keys=(Digest.of(b"no key"),), level=3),),
    )
    faults = "; ".join(wrong.faults())
    for expected in ("its id is not", "never valid", "roles are missing", "the first is 1", "3 admins are needed", "not listed", "level 3"):
        assert expected in faults
    with pytest.raises(InvalidTrustRoot):
        seal_trust_root(wrong, [samples.signer("admin")])


def test_malformed_and_doubled_keys_are_faults(samples: ModuleType) -> None:
    root = samples.trust_root()
    assert "base64" in root_faults(_of_key(root, public="!"))
    assert "not ecdsa-p256" in root_faults(_of_key(root, algorithm="ecdsa-p256"))
    assert "a key is listed twice" in root_faults(replace(root, principals=(*root.principals, replace(root.principals[0], name="b"))))
    assert "a principal is listed twice" in root_faults(replace(root, principals=root.principals * 2))
    assert "verifier key" in root_faults(replace(root, ledger=replace(root.ledger, origin="elsewhere")))


def root_faults(root: TrustRoot) -> str:
    return "; ".join(root.faults())


def test_the_level_is_honest(samples: ModuleType) -> None:
    root = samples.trust_root()
    builder = next(key for _, key in root.listed(Role.BUILDER)).id
    hosted = replace(root, builders=(*root.builders, Builder(id="https://ci.example/v1", keys=(builder,), level=2)))
    assert hosted.level(builder, LOCAL_BUILDER) == 1
    assert hosted.level(builder, "https://ci.example/v1") == 2
    assert hosted.level(Digest.of(b"other key"), "https://ci.example/v1") == 1
    assert hosted.level(builder, "https://unknown.example/") == 1


def test_unknown_fields_and_duplicate_keys_are_refused(samples: ModuleType) -> None:
    payload = canonical_of(samples.trust_root())
    for bad in (payload[:-1] + b',"z":1}', b'{"admins_needed":1,' + payload[1:]):
        with pytest.raises(Integrity):
            read_trust_root(dsse.seal(TRUST_ROOT_TYPE, bad, [samples.signer("admin")]))
