"""What a channel demands, and the verdict on it: facts in, a verdict with reasons out."""

from lockage.policy.decision import DECISION_TYPE, Decision, DecisionMismatch, decide, read_decision, rejudge, seal_decision
from lockage.policy.defaults import DEFAULT_POLICIES
from lockage.policy.deviations import Deviations, Work
from lockage.policy.gates import From, Gate, GateResult, Reproduced, SourceClean, Tests
from lockage.policy.judge import ENGINE, Verdict, judge
from lockage.policy.policy import InvalidPolicy, Policy, parse_policy
from lockage.policy.proposal import Kind, NamedArtifact, Proposal, Standing, Stay
from lockage.policy.refusal import Refusal

__all__ = [
    "DECISION_TYPE",
    "DEFAULT_POLICIES",
    "ENGINE",
    "Decision",
    "DecisionMismatch",
    "Deviations",
    "From",
    "Gate",
    "GateResult",
    "InvalidPolicy",
    "Kind",
    "NamedArtifact",
    "Policy",
    "Proposal",
    "Refusal",
    "Reproduced",
    "SourceClean",
    "Standing",
    "Stay",
    "Tests",
    "Verdict",
    "Work",
    "decide",
    "judge",
    "parse_policy",
    "read_decision",
    "rejudge",
    "seal_decision",
]
