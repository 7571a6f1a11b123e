"""Fixed maps over time, and reductions over the batch."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import TwinKind
from maskcheck.core.trace import OperationKind
from maskcheck.rules import circumstances as c
from maskcheck.rules.attention_structure import contracts_sequence
from maskcheck.rules.rule import Match


def fourier(evidence: Evidence) -> Match | str:
    if evidence.site.kind is not OperationKind.FOURIER and not c.named(evidence.site, "fft", "dft"):
        return f"{evidence.site.operation} is not a Fourier transform"
    return Match(
        f"{evidence.site.operation} mixes every position with every pad by a transform that no mask can enter."
    )


def token_mixing(evidence: Evidence) -> Match | str:
    reason = c.is_a(evidence, "a product", OperationKind.MATMUL)
    if reason:
        return reason
    if len(c.data_inputs(evidence)) != 1:
        return "it is not a product with a weight"
    facts = c.sequence_input(evidence)
    if facts is None or len(facts.shape) < 3 or not facts.sequence_axes or not contracts_sequence(evidence):
        return "the product does not run along the sequence"
    if c.left_only(evidence):
        return "right padding is clean, so the map looks back only"
    return Match(
        f"{evidence.site.operation} multiplies along the padded axis with one weight for each pair of columns."
    )


def across_rows(evidence: Evidence) -> Match | str:
    reason = c.is_a(evidence, "a reduction", *c.REDUCTIONS)
    if reason:
        return reason
    if TwinKind.MATES not in c.leaking(evidence):
        return "other rows do not change it"
    if not c.works_along_batch(evidence) and not c.mates_only(evidence):
        return "its result keeps the rows apart"
    return Match(
        f"{evidence.site.operation} reduces over the rows of the batch, so every other row changes the answer."
    )


def running_sum(evidence: Evidence) -> Match | str:
    reason = c.is_a(evidence, "a scan", OperationKind.SCAN)
    if reason:
        return reason
    return Match(f"{evidence.site.operation} collects pads together with real positions.", c.lost_mask(evidence))
