"""Attention that mixes the wrong things: rows, other sequences, patterns that follow the padded length, factors."""

from __future__ import annotations

import math

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.static_fact import FactKind
from maskcheck.rules import masking, predicates, static
from maskcheck.rules.attention import ATTENTION_KINDS
from maskcheck.rules.convolution import strides
from maskcheck.rules.rule import Match


def attention_across_batch(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    if not predicates.mates_only(evidence):
        return "padding leaks too, not only other rows of the batch"
    facts = predicates.sequence_input(evidence)
    along_batch = (
        facts is not None and facts.batch_axis is not None and masking.softmax_axis(evidence) == facts.batch_axis
    )
    if masking.masked(evidence) and not along_batch:
        return "a mask enters the scores, so another row's mask is the likelier cause"
    return Match(
        f"{evidence.site.operator} attends across the rows of the batch: other rows change the answer, and padding "
        "does not."
    )


def mask_of_another_row(evidence: Evidence) -> Match | str:
    laid_out = evidence.site.kind in (Kind.INDEX, Kind.LAYOUT) and predicates.mates_only(evidence)
    if laid_out and predicates.mask_reaches(evidence) and predicates.any_kind(evidence.downstream, *ATTENTION_KINDS):
        return Match(
            f"{evidence.site.operator} lays the rows of the mask out anew, and the attention behind it masks a row "
            "with the mask of another."
        )
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    if not predicates.only(evidence, TwinKind.MATES, TwinKind.EMPTY) or TwinKind.MATES not in predicates.leaking(
        evidence
    ):
        return "padding of the row itself leaks too"
    if not masking.masked(evidence):
        return "no mask enters the scores"
    return Match(
        f"{evidence.site.operator} masks a row with the mask of another row of the batch: only mates of other "
        "lengths change the answer.",
        _rearranged_mask(evidence),
    )


def _rearranged_mask(evidence: Evidence) -> RootCause | None:
    """The nearest place where the rows of a mask are repeated or chosen."""
    for site in evidence.upstream:
        masks = [f for f in predicates.data_inputs(evidence, site) if f.mask_reaches]
        if masks and predicates.does(site, *_REARRANGES):
            return RootCause(site, "the rows of the mask are laid out anew here")
    return None


_REARRANGES = (Operation.REPEAT, Operation.SLICE, Operation.SELECT, Operation.GATHER, Operation.MASKED_SELECT)
"""Operations that repeat rows or choose among them."""


def fully_masked_row(evidence: Evidence) -> Match | str:
    broken = not all(map(math.isfinite, evidence.at_site.values()))
    if not predicates.only(evidence, TwinKind.EMPTY) and not broken:
        return "rows with real positions leak as well"
    near = (evidence.site, *evidence.upstream[:6], *evidence.downstream[:6])
    attention = next((s for s in near if s.kind in ATTENTION_KINDS), None)
    if attention is None or predicates.does(evidence.site, *predicates.DIVISIONS):
        return "no attention is near, or it is a division"
    if broken:
        return Match(
            f"{attention.operator} has nothing left to choose from once there is padding, and makes NaN of it."
        )
    return Match(
        f"{attention.operator} over a row without any real key has nothing to choose from, and what it makes of it "
        "travels on."
    )


def non_finite_padding(evidence: Evidence) -> Match | str:
    if not predicates.only(evidence, TwinKind.POISON):
        return "finite padding leaks as well"
    return Match(
        f"Only NaN, infinite or huge values in the padding get past {evidence.site.operator}: they survive a "
        "multiplication by 0."
    )


def half_precision_mask_value(evidence: Evidence) -> Match | str:
    cause = static.static_cause(evidence, FactKind.HALF_FILL)
    if predicates.only(evidence, TwinKind.PRECISION):
        if predicates.is_a(evidence, "an attention", *ATTENTION_KINDS, Kind.ELEMENTWISE):
            return "neither an attention nor the arithmetic of its mask"
        return Match(
            f"{evidence.site.operator} leaks only in half precision: its mask value does not fit there.", cause
        )
    if cause is None or predicates.is_a(evidence, "an attention", *ATTENTION_KINDS):
        return "no mask constant outside half precision"
    why = predicates.sentence(cause.reason)
    return Match(f"The mask value of {evidence.site.operator} does not fit into half precision: {why}", cause)


def unmasked_cross_attention(evidence: Evidence) -> Match | str:
    if not masking.crosses_sequences(evidence):
        return "queries and keys belong to one sequence"
    if masking.masked(evidence):
        return "a mask enters the scores"
    whose = f"the padding of {evidence.domain!r}" if evidence.domain else "the other sequence's padding"
    return Match(
        f"{evidence.site.operator} lets the queries of one sequence attend to {whose}: the cross-attention has no "
        "mask.",
        predicates.lost_mask(evidence),
    )


def causal_without_padding_mask(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    if masking.masked(evidence):
        return "a padding mask enters the scores"
    return Match(
        f"{evidence.site.operator} is causal and has no padding mask: right padding is out of sight, left padding "
        "is read as history."
    )


def window_ignores_left_padding(evidence: Evidence) -> Match | str:
    out = evidence.output_facts
    if evidence.site.kind is Kind.ELEMENTWISE and out is not None and out.dtype == "bool":
        if predicates.from_sizes(evidence, axes=2) is None or not predicates.left_only(evidence):
            return "no pattern of positions enters here, or right padding leaks as well"
        return Match(
            f"{evidence.site.operator} joins the mask with a window or chunk that is counted from column 0, so left "
            "padding moves it."
        )
    reason = masking.attends(evidence)
    if reason:
        return reason
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    if not masking.masked(evidence):
        return "no mask enters the scores"
    return Match(
        f"{evidence.site.operator} honours the mask but counts its window or chunk from column 0, so left padding "
        "moves it."
    )


def length_dependent_pattern_of_sizes(evidence: Evidence) -> Match | str:
    """A pattern of who sees whom that is computed from the padded length, before a mask joins it; or steps that are
    moved around the end of the row.
    """
    if evidence.site.kind is Kind.INDEX and (predicates.does(evidence.site, Operation.ROLL) or _rolls(evidence)):
        if not predicates.right_leaks(evidence):
            return "only left padding leaks"
        return Match(
            f"{evidence.site.operator} carries the end of the padded row round to its beginning, so the first real "
            "positions see what stands last."
        )
    out = evidence.output_facts
    if evidence.site.kind is not Kind.ELEMENTWISE or out is None or out.dtype != "bool":
        return f"{evidence.site.operator} makes no pattern of true and false"
    sizes = predicates.from_sizes(evidence)
    if len(out.sequence_axes) < 2 or sizes is None:
        return "no pattern of positions that is computed from sizes enters here"
    if not predicates.number_only(evidence) or not predicates.right_leaks(evidence):
        return "what stands in the pads matters, or only their side"
    return Match(
        f"Which real positions see each other depends on the padded length: {evidence.site.operator} joins the mask "
        "with a pattern that is counted from the end of the padded row.",
        predicates.length_enters(evidence, sizes),
    )


def _rolls(evidence: Evidence) -> bool:
    """Whether the end of a sequence is cut off and joined to what remains, as exporters spell a roll."""
    joins = next((s for s in evidence.downstream[:1] if s.kind is Kind.CONCATENATE), None)
    source, made = (
        predicates.sequence_input(evidence),
        evidence.facts(joins.outputs[0]) if joins and joins.outputs else None,
    )
    return source is not None and made is not None and made.shape == source.shape


def filler_called_real(evidence: Evidence) -> Match | str:
    """Slots of a cache, or steps that fill up a bucket, under a mask that was lengthened with ones."""
    reason = _not_by_number(evidence)
    if reason and not masking.leaves_pads_in(evidence):
        return reason
    site = masking.lengthening(evidence)
    if site is None:
        return "nothing lengthens the mask with positions that it calls real"
    return Match(
        f"{evidence.site.operator} attends to positions that hold no text: its mask is lengthened for them and calls "
        "them real.",
        RootCause(site, "the mask is lengthened here"),
    )


def _not_by_number(evidence: Evidence) -> str | None:
    """The reason why a site is not an attention that masks the pads and yet depends on how many there are."""
    if evidence.site.kind not in ATTENTION_KINDS:
        return f"{evidence.site.operator} is not an attention"
    if not predicates.number_only(evidence):
        return "what stands in the pads matters, not only their number"
    mass = masking.pad_mass(evidence)
    if mass is not None and mass > masking.HIDDEN_MASS:
        return "the pads themselves hold weight"
    if mass is None and not masking.masked(evidence):
        return "nothing masks the pads"
    return None


def length_dependent_pattern(evidence: Evidence) -> Match | str:
    reason = _not_by_number(evidence)
    if reason:
        return reason
    join = masking.joining_site(evidence)
    fill = masking.fill_of(join) if join is not None else None
    if fill is not None and masking.is_weak(fill):
        return "the value that masks the scores is weak"
    return Match(
        f"Which real positions {evidence.site.operator} lets see each other depends on the padded length; the pads "
        "themselves are masked."
    )


def linear_attention_unmasked_keys(evidence: Evidence) -> Match | str:
    if evidence.site.kind is Kind.REDUCE_SUM and _normalises_keys(evidence):
        return Match(
            f"{evidence.site.operator} sums the mapped keys over all positions, pads included, for the denominator "
            "of a linear attention without a mask.",
            predicates.lost_mask(evidence),
        )
    reason = predicates.is_a(evidence, "a product", Kind.MATMUL)
    if reason:
        return reason
    facts = predicates.data_inputs(evidence)
    if len(facts) < 2 or not all(f.sequence_axes for f in facts[:2]):
        return "it is not a product of two activations along the sequence"
    if _reads_softmax(evidence) and not asked_again(evidence):
        return "one factor is a softmax"
    if keeps_both_axes(evidence):
        return "the product is a map of scores, which contracts no sequence axis"
    return Match(
        f"{evidence.site.operator} sums keys times values over all positions, pads included: this linear attention "
        "has no mask.",
        predicates.lost_mask(evidence),
    )


def asked_again(evidence: Evidence) -> bool:
    """Whether what a product sums over the sequence is multiplied with a sequence again: by queries of its own.

    By the weights that made it, it is handed back to where it came from.
    """
    shares = {k for s in evidence.upstream if s.kind is Kind.SOFTMAX for k in s.outputs}
    for site in evidence.downstream:
        made = evidence.facts(site.outputs[0]) if site.outputs else None
        if site.kind is not Kind.MATMUL or made is None or not made.sequence_axes:
            continue
        known = [k for k in site.inputs if (f := evidence.facts(k)) is not None and not f.constant]
        asking = [_behind_layout(evidence, k) for k in known if evidence.tensors[k].sequence_axes]
        if len(known) > 1 and any(k not in shares for k in asking):
            return True
    return False


def _behind_layout(evidence: Evidence, key: str) -> str:
    """The tensor that ``key`` is another layout of."""
    makers = {k: s for s in (*evidence.upstream, *evidence.downstream, *evidence.beside) for k in s.outputs}
    while (maker := makers.get(key)) is not None and maker.kind is Kind.LAYOUT and maker.inputs:
        key = maker.inputs[0]
    return key


def uniform_attention_at_product(evidence: Evidence) -> Match | str:
    """The weights are clean and their product with the values is not: weights at pads that are blind to content."""
    reason = predicates.is_a(evidence, "a product", Kind.MATMUL)
    if reason:
        return reason
    if not _reads_softmax(evidence):
        return "no factor is a softmax"
    if not predicates.mask_reaches(evidence):
        return "no mask is among the ancestors of the weights"
    return Match(
        f"{evidence.site.operator} multiplies the pads' values by weights that are not zero and do not depend on "
        "them: all keys are masked alike."
    )


def low_rank_attention(evidence: Evidence) -> Match | str:
    kinds = (Kind.MATMUL, Kind.REDUCE_MEAN, Kind.REDUCE_SUM, Kind.CONVOLUTION)
    reason = predicates.is_a(evidence, "a product or a mean", *kinds)
    if reason:
        return reason
    if predicates.does(evidence.site, Operation.UNFOLD):
        return "it cuts windows and mixes nothing"
    if not predicates.any_kind(evidence.downstream, *ATTENTION_KINDS) and not _is_weighed(evidence):
        return "no attention follows"
    facts = predicates.sequence_input(evidence)
    if evidence.site.kind is Kind.MATMUL:
        if len(predicates.data_inputs(evidence)) != 1 or not contracts_sequence(evidence):
            return "it does not project along the sequence with a weight"
    elif facts is None or len(facts.shape) < 4 or strides(evidence.site):
        return "it does not average segments of keys per head"
    return Match(
        f"{evidence.site.operator} mixes keys or values along the padded axis before the attention, where a later "
        "mask cannot undo it."
    )


def _is_weighed(evidence: Evidence) -> bool:
    """Whether what the origin makes of a sequence is multiplied by weights that are content, and is one again: values
    of an attention.
    """
    for site in evidence.downstream:
        if site.kind is Kind.MATMUL and len(predicates.data_inputs(evidence, site)) > 1:
            made = evidence.facts(site.outputs[0]) if site.outputs else None
            return made is not None and bool(made.sequence_axes)
        if site.kind is not Kind.LAYOUT:
            return False
    return False


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
    facts, out = predicates.sequence_input(evidence), evidence.output_facts
    return facts is not None and out is not None and len(out.sequence_axes) < len(facts.sequence_axes)


def keeps_both_axes(evidence: Evidence) -> bool:
    out = evidence.output_facts
    return out is not None and len(out.sequence_axes) > 1


def _normalises_keys(evidence: Evidence) -> bool:
    """Whether a sum over time meets the queries in a product that divides a sequence."""
    facts = predicates.sequence_input(evidence)
    after = [s for s in evidence.downstream if s.kind is not Kind.LAYOUT]
    product = 1 if predicates.any_kind(after[:1], Kind.MATMUL) else 0
    if [s.kind for s in after[:2]] == [Kind.ELEMENTWISE, Kind.REDUCE_SUM]:
        # A product written as a multiplication and a sum over features.
        product = 2 if predicates.does(after[0], Operation.MULTIPLY) else 0
    if facts is None or len(facts.shape) < 3 or not product:
        return False
    behind = after[product : product + 2]
    division = next((s for s in behind if predicates.does(s, *predicates.RATIOS) and s.outputs), None)
    divided = evidence.facts(division.outputs[0]) if division is not None else None
    return divided is not None and bool(divided.sequence_axes)


def _reads_softmax(evidence: Evidence) -> bool:
    makers = [s for s in evidence.upstream if predicates.reads(evidence.site, s)]
    near = makers or list(evidence.upstream[:2])
    return predicates.any_kind(near, Kind.SOFTMAX)
