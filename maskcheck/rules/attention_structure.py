"""Attention that mixes the wrong things: rows, other sequences, patterns that follow the padded length, factors."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import TwinKind
from maskcheck.core.trace import OperationKind
from maskcheck.rules import circumstances as c
from maskcheck.rules import masking, static
from maskcheck.rules.attention import ATTENTION_KINDS
from maskcheck.rules.rule import Match


def attention_across_batch(evidence: Evidence) -> Match | str:
    reason = c.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    if not c.mates_only(evidence):
        return "padding leaks too, not only other rows of the batch"
    facts = c.sequence_input(evidence)
    along_batch = (
        facts is not None and facts.batch_axis is not None and masking.softmax_axis(evidence) == facts.batch_axis
    )
    if masking.masked(evidence) and not along_batch:
        return "a mask enters the scores, so another row's mask is the likelier cause"
    return Match(
        f"{evidence.site.operation} attends across the rows of the batch: other rows change the answer, and padding "
        "does not."
    )


def mask_of_another_row(evidence: Evidence) -> Match | str:
    reason = c.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    if not c.only(evidence, TwinKind.MATES, TwinKind.EMPTY) or TwinKind.MATES not in c.leaking(evidence):
        return "padding of the row itself leaks too"
    if not masking.masked(evidence):
        return "no mask enters the scores"
    return Match(
        f"{evidence.site.operation} masks a row with the mask of another row of the batch: only mates of other "
        "lengths change the answer."
    )


def fully_masked_row(evidence: Evidence) -> Match | str:
    if not c.only(evidence, TwinKind.EMPTY):
        return "rows with real positions leak as well"
    near = (evidence.site, *evidence.upstream[:6], *evidence.downstream[:6])
    attention = next((s for s in near if s.kind in ATTENTION_KINDS), None)
    if attention is None or c.named(evidence.site, "div"):
        return "no attention is near, or it is a division"
    return Match(
        f"{attention.operation} over a row without any real key has nothing to choose from, and what it makes of it "
        "travels on."
    )


def non_finite_padding(evidence: Evidence) -> Match | str:
    if not c.only(evidence, TwinKind.POISON):
        return "finite padding leaks as well"
    return Match(
        f"Only NaN, infinite or huge values in the padding get past {evidence.site.operation}: they survive a "
        "multiplication by 0."
    )


def half_precision_mask(evidence: Evidence) -> Match | str:
    cause = static.static_cause(evidence, static.HALF_PRECISION)
    if c.only(evidence, TwinKind.PRECISION):
        if c.is_a(evidence, "an attention", *ATTENTION_KINDS, OperationKind.ELEMENTWISE):
            return "neither an attention nor the arithmetic of its mask"
        return Match(
            f"{evidence.site.operation} leaks only in half precision: its mask value does not fit there.", cause
        )
    if cause is None or c.is_a(evidence, "an attention", *ATTENTION_KINDS):
        return "no mask constant outside half precision"
    return Match(
        f"The mask value of {evidence.site.operation} does not fit into half precision: {c.sentence(cause.reason)}",
        cause,
    )


def cross_attention(evidence: Evidence) -> Match | str:
    if not masking.crosses_sequences(evidence):
        return "queries and keys belong to one sequence"
    if masking.masked(evidence):
        return "a mask enters the scores"
    whose = f"the padding of {evidence.domain!r}" if evidence.domain else "the other sequence's padding"
    return Match(
        f"{evidence.site.operation} lets the queries of one sequence attend to {whose}: the cross-attention has no "
        "mask.",
        c.lost_mask(evidence),
    )


def causal_without_mask(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if not c.left_only(evidence):
        return "right padding leaks as well"
    if masking.masked(evidence):
        return "a padding mask enters the scores"
    return Match(
        f"{evidence.site.operation} is causal and has no padding mask: right padding is out of sight, left padding "
        "is read as history."
    )


def window_ignores_left_padding(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if not c.left_only(evidence):
        return "right padding leaks as well"
    if not masking.masked(evidence):
        return "no mask enters the scores"
    return Match(
        f"{evidence.site.operation} honours the mask but counts its window or chunk from column 0, so left padding "
        "moves it."
    )


def length_dependent_pattern(evidence: Evidence) -> Match | str:
    if evidence.site.kind not in ATTENTION_KINDS:
        return f"{evidence.site.operation} is not an attention"
    if not c.number_only(evidence):
        return "what stands in the pads matters, not only their number"
    mass = masking.pad_mass(evidence)
    if mass is not None and mass > masking.HIDDEN_MASS:
        return "the pads themselves hold weight"
    join = masking.joining_site(evidence)
    fill = masking.fill_of(join) if join is not None else None
    if fill is not None and masking.is_weak(fill):
        return "the value that masks the scores is weak"
    return Match(
        f"Which real positions {evidence.site.operation} lets see each other depends on the padded length; the pads "
        "themselves are masked."
    )


def linear_attention(evidence: Evidence) -> Match | str:
    if evidence.site.kind is OperationKind.REDUCE_SUM and _normalises_keys(evidence):
        return Match(
            f"{evidence.site.operation} sums the mapped keys over all positions, pads included, for the denominator "
            "of a linear attention without a mask.",
            c.lost_mask(evidence),
        )
    reason = c.is_a(evidence, "a product", OperationKind.MATMUL)
    if reason:
        return reason
    facts = c.data_inputs(evidence)
    if len(facts) < 2 or not all(f.sequence_axes for f in facts[:2]):
        return "it is not a product of two activations along the sequence"
    if _reads_softmax(evidence):
        return "one factor is a softmax"
    if keeps_both_axes(evidence):
        return "the product is a map of scores, which contracts no sequence axis"
    return Match(
        f"{evidence.site.operation} sums keys times values over all positions, pads included: this linear attention "
        "has no mask.",
        c.lost_mask(evidence),
    )


def weights_on_pads(evidence: Evidence) -> Match | str:
    """The weights are clean and their product with the values is not: weights at pads that are blind to content."""
    reason = c.is_a(evidence, "a product", OperationKind.MATMUL)
    if reason:
        return reason
    if not _reads_softmax(evidence):
        return "no factor is a softmax"
    if not c.mask_reaches(evidence):
        return "no mask is among the ancestors of the weights"
    return Match(
        f"{evidence.site.operation} multiplies the pads' values by weights that are not zero and do not depend on "
        "them: all keys are masked alike."
    )


def low_rank(evidence: Evidence) -> Match | str:
    kinds = (OperationKind.MATMUL, OperationKind.REDUCE_MEAN, OperationKind.REDUCE_SUM, OperationKind.CONVOLUTION)
    reason = c.is_a(evidence, "a product or a mean", *kinds)
    if reason:
        return reason
    if not c.any_kind(evidence.downstream, *ATTENTION_KINDS):
        return "no attention follows"
    facts = c.sequence_input(evidence)
    if evidence.site.kind is OperationKind.MATMUL:
        if len(c.data_inputs(evidence)) != 1 or not contracts_sequence(evidence):
            return "it does not project along the sequence with a weight"
    elif facts is None or len(facts.shape) < 4:
        return "it does not average segments of keys per head"
    return Match(
        f"{evidence.site.operation} mixes keys or values along the padded axis before the attention, where a later "
        "mask cannot undo it."
    )


def contracts_sequence(evidence: Evidence) -> bool:
    """Whether a matrix product sums over a sequence axis, as far as the facts of its inputs tell."""
    keys = evidence.site.inputs
    for position, key in enumerate(keys[:2]):
        facts = evidence.facts(key)
        if facts is None or facts.constant or facts.shape_only or not facts.shape:
            continue
        summed = len(facts.shape) - 1 if position == 0 else max(len(facts.shape) - 2, 0)
        if summed in facts.sequence_axes:
            return True
    facts, out = c.sequence_input(evidence), evidence.output_facts
    return facts is not None and out is not None and len(out.sequence_axes) < len(facts.sequence_axes)


def keeps_both_axes(evidence: Evidence) -> bool:
    out = evidence.output_facts
    return out is not None and len(out.sequence_axes) > 1


def _normalises_keys(evidence: Evidence) -> bool:
    """Whether a sum over time meets the queries in a product that divides a sequence."""
    facts = c.sequence_input(evidence)
    after = [s for s in evidence.downstream if s.kind is not OperationKind.LAYOUT]
    if facts is None or len(facts.shape) < 3 or len(after) < 2 or after[0].kind is not OperationKind.MATMUL:
        return False
    divided = evidence.facts(after[1].outputs[0]) if c.named(after[1], "div") and after[1].outputs else None
    return divided is not None and bool(divided.sequence_axes)


def _reads_softmax(evidence: Evidence) -> bool:
    makers = [s for s in evidence.upstream if c.reads(evidence.site, s)]
    near = makers or list(evidence.upstream[:2])
    return c.any_kind(near, OperationKind.SOFTMAX)
