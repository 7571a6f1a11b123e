"""Pooling: what turns a sequence into one vector."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.graph import Site, ancestors
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Clip
from maskcheck.rules import masking, predicates
from maskcheck.rules.rule import Match

MEAN_KINDS = (Kind.REDUCE_MEAN, Kind.REDUCE_SUM)
_DEVIATES = (
    *(Operation.SQUARE_ROOT, Operation.RECIPROCAL_SQUARE_ROOT, Operation.POWER, Operation.SQUARE),
    *(Operation.VARIANCE, Operation.STANDARD_DEVIATION, Operation.SUM_OF_SQUARES, Operation.NORM),
)
"""What a deviation is, or is made of."""


def empty_row_division(evidence: Evidence) -> Match | str:
    if not predicates.only(evidence, TwinKind.EMPTY):
        return "rows with real positions leak as well"
    divides = (
        predicates.does(evidence.site, *predicates.RATIOS, Operation.AVERAGE_POOL) or evidence.site.kind in MEAN_KINDS
    )
    if not divides:
        return f"{evidence.site.operator} divides by nothing"
    return Match(f"{evidence.site.operator} divides by the number of real positions, which is 0 in a fully padded row.")


def unmasked_statistics_pooling(evidence: Evidence) -> Match | str:
    scales = (
        predicates.does(evidence.site, *predicates.RATIOS)
        and size_operand(evidence) is not None
        and not predicates.keeps_sequence(evidence)
    )
    if not scales and evidence.site.kind not in (*MEAN_KINDS, Kind.REDUCE_OTHER):
        return f"{evidence.site.operator} is not a statistic"
    deviates = predicates.any_does((evidence.site, *evidence.downstream), *_DEVIATES)
    if not deviates or not predicates.any_kind(evidence.downstream, Kind.CONCATENATE):
        return "its result is not joined with a deviation"
    if divides_sequence(evidence):
        return "its result comes back to the sequence"
    if not scales and not predicates.works_along_sequence(evidence):
        return "it does not run over the sequence"
    return Match(
        f"{evidence.site.operator} takes a mean or deviation over real positions and pads together, for a pair of "
        "statistics.",
        predicates.lost_mask(evidence),
    )


def unmasked_gate(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a mean over the sequence", *MEAN_KINDS, Kind.WINDOW, Kind.REDUCE_MAX)
    if reason:
        return reason
    if predicates.keeps_sequence(evidence) and evidence.site.kind is Kind.WINDOW:
        return "the window keeps the sequence"
    back = _gated_product(evidence)
    if back is None:
        return "its result does not come back as a factor of the sequence"
    return Match(
        f"{evidence.site.operator} summarises real positions and pads together, and the gate made of it multiplies "
        "every real position.",
        predicates.lost_mask(evidence) or RootCause(back, "the gate meets the sequence here"),
    )


def masked_sum_padded_length(evidence: Evidence) -> Match | str:
    site = evidence.site
    if site.kind is Kind.ELEMENTWISE:
        divisor = size_operand(evidence)
        if divisor is None or not predicates.does(site, *predicates.RATIOS, *predicates.PRODUCTS):
            return "nothing computed from a shape scales its input"
        if predicates.keeps_sequence(evidence):
            return "its result is still a sequence"
        return Match(
            f"{site.operator} divides a masked sum by the padded length instead of by the number of real positions.",
            predicates.length_enters(evidence, divisor),
        )
    if site.kind is not Kind.REDUCE_MEAN:
        return f"{site.operator} is not a mean or a division"
    if predicates.keeps_sequence(evidence) or not predicates.works_along_sequence(evidence):
        return "the mean keeps the sequence"
    if not (
        predicates.zero_pads(evidence)
        or (predicates.number_only(evidence) and predicates.sequence_input(evidence) is None)
    ):
        return "the pads are not zero where the mean reads them"
    return Match(f"{site.operator} averages pads that are zeroed, but still divides by the padded length.")


def zero_filled_max(evidence: Evidence) -> Match | str:
    reason = _not_a_maximum(evidence)
    if reason:
        return reason
    if not (
        predicates.zero_pads(evidence)
        or (predicates.number_only(evidence) and predicates.sequence_input(evidence) is None)
    ):
        return "its input is not zero at the pads"
    return Match(f"{evidence.site.operator} lets the zeros at the pads win against negative features.")


def unmasked_max(evidence: Evidence) -> Match | str:
    reason = _not_a_maximum(evidence)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operator} takes the largest value over real positions and pads alike.",
        predicates.lost_mask(evidence),
    )


def unmasked_mean(evidence: Evidence) -> Match | str:
    site = evidence.site
    maximum = predicates.does(site, Operation.MAX_POOL)
    window = site.kind is Kind.WINDOW and not predicates.keeps_sequence(evidence) and not maximum
    if not window and site.kind not in MEAN_KINDS:
        return f"{site.operator} is not a mean"
    if not predicates.works_along_sequence(evidence):
        return "the mean does not run over the sequence"
    if predicates.keeps_sequence(evidence):
        return "its result is still a sequence"
    if site.kind is not Kind.REDUCE_SUM:
        return Match(
            f"{site.operator} averages over the padded axis: the pads' states enter the sum, and the padded length "
            "divides it.",
            predicates.lost_mask(evidence),
        )
    division = next(
        (s for s in evidence.downstream if predicates.does(s, *predicates.RATIOS) and predicates.reads(s, site)), None
    )
    if division is None:
        return "nothing divides the sum"
    counted = any(f.mask_reaches for k in division.inputs if k not in site.outputs and (f := evidence.facts(k)))
    divisor = "divided by the number of real positions" if counted else "divided by the padded length"
    return Match(f"{site.operator} adds up real positions and pads, {divisor}.", predicates.lost_mask(evidence))


def unmasked_sum(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a sum", Kind.REDUCE_SUM)
    if reason:
        return reason
    if not predicates.works_along_sequence(evidence) or predicates.keeps_sequence(evidence):
        return "the sum does not run over the whole sequence"
    return Match(f"{evidence.site.operator} adds up real positions and pads.", predicates.lost_mask(evidence))


def unmasked_attention_pooling(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a softmax", Kind.SOFTMAX, Kind.ATTENTION)
    if reason:
        return reason
    if not masking.pools(evidence):
        return "it has queries along the sequence, or another sequence's"
    if masking.masked(evidence):
        return "a mask enters the scores"
    return Match(
        f"{evidence.site.operator} shares the pooling weights out over real positions and pads together.",
        predicates.lost_mask(evidence),
    )


def last_position(evidence: Evidence) -> Match | str:
    reason = _not_one_position(evidence)
    if reason:
        return reason
    if _index_follows_mask(evidence):
        return "the position is computed from the mask, a length or the ids"
    if predicates.left_only(evidence):
        return "right padding is clean"
    if predicates.mates_only(evidence):
        return "only other rows change it"
    return Match(f"{evidence.site.operator} takes the last column, which is a pad in every row but the longest.")


def last_by_length_left(evidence: Evidence) -> Match | str:
    reason = _not_one_position(evidence)
    if reason:
        return reason
    if not _index_follows_mask(evidence):
        return "the position is a constant"
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    return Match(
        f"{evidence.site.operator} finds the last token as length - 1, which is another column under left padding.",
        _counted(evidence),
    )


def pooled_index_from_ids(evidence: Evidence) -> Match | str:
    reason = _not_one_position(evidence)
    if reason:
        return reason
    if not _index_follows_mask(evidence) or not predicates.tokens_carry_mask(evidence):
        return "the position is not found by comparing ids with the pad id"
    if predicates.left_only(evidence):
        return "only left padding leaks: the position is a length, whatever it was counted from"
    return Match(
        f"{evidence.site.operator} picks the position where the ids stop differing from the pad id, not where the "
        "mask ends."
    )


def first_position_left(evidence: Evidence) -> Match | str:
    reason = _not_one_position(evidence)
    if reason:
        return reason
    if _index_follows_mask(evidence):
        return "the position is computed from the mask, a length or the ids"
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    return Match(f"{evidence.site.operator} takes the first column, which under left padding is a pad.")


def window_crosses_boundary(evidence: Evidence) -> Match | str:
    blocks = evidence.site.kind in (*MEAN_KINDS, Kind.REDUCE_MAX) and predicates.keeps_sequence(evidence)
    if not blocks and evidence.site.kind is not Kind.WINDOW:
        return f"{evidence.site.operator} is not a pooling window"
    if evidence.output_facts is not None and not predicates.keeps_sequence(evidence):
        return "one window spans the whole sequence"
    if predicates.left_only(evidence) or predicates.mates_only(evidence):
        return "padding on the right is clean"
    return Match(
        f"A window of {evidence.site.operator} holds the last real positions and the first pads together.",
        predicates.lost_mask(evidence),
    )


def divides_sequence(evidence: Evidence) -> bool:
    """Whether a deviation made from the origin's result divides a sequence."""
    if evidence.site.kind not in (*MEAN_KINDS, Kind.REDUCE_OTHER):
        return False
    for site in predicates.right_behind(evidence):
        made = evidence.facts(site.outputs[0]) if site.outputs else None
        if predicates.does(site, *predicates.DIVISIONS) and made is not None and made.sequence_axes:
            return True
    return False


def size_operand(evidence: Evidence) -> str | None:
    """Key of the operand that is one number computed from a shape."""
    for key in evidence.site.inputs:
        facts = evidence.facts(key)
        if facts is not None and facts.shape_only and not facts.sequence_axes:
            return key
    return None


def _not_a_maximum(evidence: Evidence) -> str | None:
    if not predicates.does(evidence.site, Operation.MAX_POOL) and evidence.site.kind is not Kind.REDUCE_MAX:
        return f"{evidence.site.operator} is not a maximum"
    return "the maximum keeps the sequence" if predicates.keeps_sequence(evidence) else None


def _not_one_position(evidence: Evidence) -> str | None:
    reason = predicates.is_a(evidence, "an index", Kind.INDEX)
    if reason:
        return reason
    return "it picks several positions" if predicates.keeps_sequence(evidence) else None


def _index_follows_mask(evidence: Evidence) -> bool:
    picks = (evidence.facts(k) for k in evidence.site.inputs[1:])
    return any(f.mask_reaches for f in picks if f is not None)


def _counted(evidence: Evidence) -> RootCause | None:
    """Where a mask becomes the number of its real positions, on the way to the position that is picked."""
    sites = ancestors(evidence.site.inputs[1:], evidence.upstream)
    count = next((s for s in sites if s.kind is Kind.REDUCE_SUM), None)
    return RootCause(count, "real positions are counted here, as if the first column were one") if count else None


def _gated_product(evidence: Evidence) -> Site | None:
    """The product that multiplies the sequence by a squashed projection of the origin's result."""
    squashed = False
    for site in evidence.downstream:
        squashed = squashed or _squashes(site)
        if squashed and predicates.does(site, *predicates.PRODUCTS):
            known = [f for f in (evidence.facts(k) for k in site.inputs) if f is not None]
            if not known or any(f.sequence_axes for f in known):
                return site
    return None


def _squashes(site: Site) -> bool:
    """Whether a site makes a gate of a projection; a clip to -1 and 1 is the hard form of a tanh."""
    activation = predicates.does(site, Operation.SIGMOID, Operation.TANH, Operation.SOFTPLUS)
    return activation or site.settings == Clip(lowest=-1.0, highest=1.0)
