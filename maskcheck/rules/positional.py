"""Positions, times and scales that follow the padded row instead of the text."""

from __future__ import annotations

from maskcheck.core.contract import Role
from maskcheck.core.evidence import Evidence, TensorFacts
from maskcheck.core.report import TwinKind
from maskcheck.ir.operation import Kind, Operation
from maskcheck.rules import predicates
from maskcheck.rules.attention_structure import contracts_sequence
from maskcheck.rules.convolution import strides
from maskcheck.rules.pooling import size_operand
from maskcheck.rules.rule import Match

_ADDS = (Operation.ADD, Operation.SUBTRACT, Operation.MATMUL_ADD)
LOOKUPS = (Kind.EMBEDDING, Kind.INDEX)
ARITHMETIC = (Kind.ELEMENTWISE, *LOOKUPS, Kind.CONCATENATE)


def length_dependent_rotary(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "arithmetic on positions", Kind.ELEMENTWISE, Kind.MATMUL)
    if reason:
        return reason
    if predicates.does(evidence.site, *_ADDS):
        return "positions are added here; rotary ones turn what they meet"
    near = (evidence.site, *evidence.upstream, *evidence.downstream[:3])
    if not predicates.any_does(near, Operation.TRIGONOMETRIC, Operation.ROTARY):
        return "no sines or cosines of positions are near"
    if predicates.left_only(evidence) or not _content_is_silent(evidence):
        return "what stands in the pads matters, or only their side"
    if not predicates.leaking(evidence) & {TwinKind.LENGTH, TwinKind.MATES}:
        return "the padded length has no effect"
    sizes = predicates.from_sizes(evidence)
    return Match(
        f"{evidence.site.operator} turns positions by frequencies that are chosen from the longest padded row.",
        predicates.length_enters(evidence, sizes) if sizes is not None else None,
    )


def relative_bias_anchored_to_columns(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "arithmetic on scores", Kind.ELEMENTWISE)
    if reason:
        return reason
    out = evidence.output_facts
    if out is None or len(out.sequence_axes) < 2:
        return "it does not make a map of scores"
    bias = _position_operand(evidence, patterns=True)
    if not predicates.any_kind(evidence.downstream, Kind.SOFTMAX) or bias is None:
        return "no bias of positions is added before a softmax"
    if not (predicates.left_only(evidence) or _content_is_silent(evidence)):
        return "what stands in the pads matters"
    key = None if predicates.left_only(evidence) else predicates.from_sizes(evidence)
    return Match(
        f"{evidence.site.operator} adds a bias that is anchored to a column or to the padded length.",
        predicates.length_enters(evidence, key) if key is not None else None,
    )


def positions_from_ids(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a lookup of positions", Kind.EMBEDDING, Kind.ELEMENTWISE)
    if reason:
        return reason
    if not predicates.tokens_carry_mask(evidence):
        return "the model does not compare ids with a pad id"
    if predicates.left_only(evidence):
        return "right padding is clean"
    picks = [evidence.facts(k) for k in evidence.site.inputs]
    counted = any(f is not None and f.mask_reaches and _is_integer(f) for f in picks)
    if not counted:
        return "no position counted from the ids is read here"
    return Match(f"{evidence.site.operator} reads positions that are counted from ids differing from the pad id.")


def positions_not_given(evidence: Evidence) -> Match | str:
    reason = _not_by_column(evidence)
    if reason:
        return reason
    if not predicates.has_role(evidence, Role.POSITIONS):
        return "the model has no input of positions"
    return Match(
        f"{evidence.site.operator} numbers the tokens by column unless positions are fed, so left padding shifts them."
    )


def positions_from_columns(evidence: Evidence) -> Match | str:
    reason = _not_by_column(evidence)
    if reason:
        return reason
    if predicates.has_role(evidence, Role.POSITIONS):
        return "the model has an input of positions"
    return Match(
        f"{evidence.site.operator} numbers the tokens by column, so left padding gives every token another position."
    )


def scaled_by_padded_length(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "arithmetic", *ARITHMETIC, Kind.MATMUL)
    if reason:
        return reason
    if predicates.does(evidence.site, Operation.SLICE, Operation.SLICE_UPDATE):
        return "it cuts a sequence and scales nothing"
    if (
        predicates.left_only(evidence)
        or not _content_is_silent(evidence)
        or TwinKind.LENGTH not in predicates.leaking(evidence)
    ):
        return "what stands in the pads matters, or only their side"
    sizes = predicates.from_sizes(evidence)
    if sizes is None:
        return "none of its operands is computed from a shape"
    if evidence.site.kind is Kind.MATMUL and contracts_sequence(evidence):
        return "it is a product along the sequence, with a weight for each column"
    return Match(
        f"{evidence.site.operator} uses a number computed from the padded length at every real position.",
        predicates.length_enters(evidence, size_operand(evidence) or sizes),
    )


def blocks_counted_from_column_zero(evidence: Evidence) -> Match | str:
    kinds = (
        Kind.REDUCE_MEAN,
        Kind.REDUCE_SUM,
        Kind.REDUCE_MAX,
        Kind.WINDOW,
        Kind.INDEX,
        Kind.LAYOUT,
        Kind.PAD,
        Kind.ROUTING,
    )
    strided = evidence.site.kind is Kind.CONVOLUTION and strides(evidence.site)
    pattern = evidence.site.kind is Kind.ELEMENTWISE and predicates.from_sizes(evidence, axes=2) is not None
    reason = None if strided or pattern else predicates.is_a(evidence, "a grouping of positions", *kinds)
    if reason:
        return reason
    follows = evidence.downstream[:1]
    if evidence.site.kind is Kind.PAD and predicates.any_kind(follows, Kind.CONVOLUTION, Kind.CONCATENATE):
        return "it makes room for a convolution or a shifted copy"
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    if evidence.site.kind is not Kind.PAD and not predicates.keeps_sequence(evidence):
        return "its result is no longer a sequence"
    return Match(
        f"{evidence.site.operator} groups positions into blocks counted from column 0, whose borders left padding "
        "moves."
    )


def _not_by_column(evidence: Evidence) -> str | None:
    reason = predicates.is_a(evidence, "a place where positions enter", *ARITHMETIC)
    if reason:
        return reason
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    if predicates.does(evidence.site, Operation.EMBEDDING_NORM):
        return None
    return None if _position_operand(evidence) is not None else "none of its operands is a position or a table of them"


def _position_operand(evidence: Evidence, patterns: bool = False) -> TensorFacts | None:
    """The operand that depends on columns alone: computed from sizes, or a constant as long as the sequence.

    ``patterns`` takes what relates two columns as well: biases, windows, blocks.
    """
    looks_up = evidence.site.kind in LOOKUPS
    for facts in evidence.input_facts:
        if facts.shape_only and (len(facts.sequence_axes) in (1, 1 + patterns) or looks_up):
            return facts
        if facts.constant and not looks_up and (facts.sequence_axes or len(facts.shape) >= 2):
            return facts
    return None


def _content_is_silent(evidence: Evidence) -> bool:
    return TwinKind.CONTENT not in predicates.leaking(evidence)


def _is_integer(facts: TensorFacts) -> bool:
    return facts.dtype.startswith(("int", "uint"))
