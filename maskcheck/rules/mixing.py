"""Fixed maps over time, and reductions over the batch."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import TwinKind
from maskcheck.ir.operation import REDUCTIONS, Kind
from maskcheck.rules import masking, predicates
from maskcheck.rules.attention_structure import asked_again, contracts_sequence, keeps_both_axes
from maskcheck.rules.rule import Match


def fourier_mixing(evidence: Evidence) -> Match | str:
    if evidence.site.kind is not Kind.FOURIER:
        return f"{evidence.site.operator} is not a Fourier transform"
    return Match(f"{evidence.site.operator} mixes every position with every pad by a transform that no mask can enter.")


def token_mixing(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a product", Kind.MATMUL)
    if reason:
        return reason
    if len(predicates.data_inputs(evidence)) != 1:
        return "it is not a product with a weight"
    facts = predicates.sequence_input(evidence)
    if facts is None or len(facts.shape) < 3 or not facts.sequence_axes or not contracts_sequence(evidence):
        return "the product does not run along the sequence"
    if predicates.left_only(evidence):
        return "right padding is clean, so the map looks back only"
    return Match(f"{evidence.site.operator} multiplies along the padded axis with one weight for each pair of columns.")


def soft_assignment(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a product", Kind.MATMUL)
    if reason:
        return reason
    facts = predicates.data_inputs(evidence)
    if len(facts) < 2 or not all(f.sequence_axes for f in facts[:2]) or keeps_both_axes(evidence):
        return "it does not sum two activations over the sequence"
    shares = next((s for s in evidence.upstream if s.kind is Kind.SOFTMAX), None)
    scores = evidence.facts(shares.inputs[0]) if shares is not None else None
    if shares is None or scores is None or masking.shares_positions(shares, scores):
        return "no factor shares positions out to clusters"
    if asked_again(evidence):
        return "queries ask what it collects, as in a linear attention"
    return Match(
        f"{evidence.site.operator} collects what every position gives to its clusters, and pads give their share too.",
        predicates.lost_mask(evidence),
    )


def reduction_across_rows(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a reduction", *REDUCTIONS)
    if reason:
        return reason
    if TwinKind.MATES not in predicates.leaking(evidence):
        return "other rows do not change it"
    if not predicates.works_along_batch(evidence) and not predicates.mates_only(evidence):
        return "its result keeps the rows apart"
    return Match(f"{evidence.site.operator} reduces over the rows of the batch, so every other row changes the answer.")


def running_sum_over_padding(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a scan", Kind.SCAN)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operator} collects pads together with real positions.", predicates.lost_mask(evidence)
    )
