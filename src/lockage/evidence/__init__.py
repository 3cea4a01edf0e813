"""Envelopes and trust roots in, verified facts out; and the writing of what is signed.

The names are imported when first asked for: a build that signs its provenance reads no evidence.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.evidence.bundle import sign_statements
    from lockage.evidence.dsse import BadSignature, InvalidEnvelope, WrongPayloadType
    from lockage.evidence.facts import (
        Evidence,
        Fact,
        FactKind,
        ProvenanceFact,
        Rejected,
        ReproductionFact,
        TestFact,
        gather,
        verify_evidence,
    )
    from lockage.evidence.keys import Algorithm, PublicKey, Signing
    from lockage.evidence.manifest import (
        LedgerState,
        Manifest,
        ManifestArtifact,
        ManifestRelease,
        Seen,
        read_manifest,
        seal_manifest,
    )
    from lockage.evidence.predicate import Inputs, ReproductionRound, VariedAxis, provenance, reproduction, test_result
    from lockage.evidence.statement import Statement
    from lockage.evidence.trust import LOCAL_BUILDER, Role, TrustRoot
    from lockage.evidence.trusted import initial_trust_root, read_successor, read_trust_root, seal_trust_root

__all__ = [
    "LOCAL_BUILDER",
    "Algorithm",
    "BadSignature",
    "Evidence",
    "Fact",
    "FactKind",
    "Inputs",
    "InvalidEnvelope",
    "LedgerState",
    "Manifest",
    "ManifestArtifact",
    "ManifestRelease",
    "ProvenanceFact",
    "PublicKey",
    "Rejected",
    "ReproductionFact",
    "ReproductionRound",
    "Role",
    "Seen",
    "Signing",
    "Statement",
    "TestFact",
    "TrustRoot",
    "VariedAxis",
    "WrongPayloadType",
    "gather",
    "initial_trust_root",
    "provenance",
    "read_manifest",
    "read_successor",
    "read_trust_root",
    "reproduction",
    "seal_manifest",
    "seal_trust_root",
    "sign_statements",
    "test_result",
    "verify_evidence",
]

_MODULES = ("dsse", "keys", "trust", "trusted", "statement", "bundle", "predicate", "facts", "manifest")


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            found = getattr(import_module(f"lockage.evidence.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'lockage.evidence' has no attribute {name!r}")
