"""Attention whose mask is missing, on the wrong axis, or without force."""

from __future__ import annotations

import math

from maskcheck.core.contract import Conflict
from maskcheck.core.evidence import Evidence
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import COMPARISONS, Kind, Operation
from maskcheck.ir.settings import Attention, axes_of
from maskcheck.ir.static_fact import FactKind
from maskcheck.rules import masking, predicates, static
from maskcheck.rules.rule import Match

ATTENTION_KINDS = (Kind.SOFTMAX, Kind.ATTENTION)
_ALL_OF_IT = 0.999
"""Weight on pads that no sound or missing mask gives: without one, real positions keep their share."""


def inverted_mask(evidence: Evidence) -> Match | str:
    conflict = _conflict(evidence, "inverted-polarity")
    if conflict is not None and predicates.mask_reaches(evidence):
        why = predicates.sentence(conflict.message)
        return Match(
            f"{evidence.site.operator} hides the real positions and shows the pads: {why}",
            RootCause(None, f"the input {conflict.input!r} is read with inverted polarity"),
        )
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    weights = evidence.attention
    if weights is not None and weights.pad_mass and min(weights.pad_mass) > _ALL_OF_IT and masking.masked(evidence):
        return Match(
            f"{evidence.site.operator} gives all of its weight to the pads and none to real positions: its mask is "
            "inverted on the way here.",
            _asked_at(evidence),
        )
    if not evidence.dead_positions:
        return "real tokens do influence the output"
    if min(evidence.dead_positions) >= 0.5:
        return "only the end of the text is dead, not the positions a mask marks as real"
    if not masking.masked(evidence):
        return "no mask enters the scores"
    return Match(
        f"{evidence.site.operator} gives its weight to the pads while real tokens change nothing: its mask is "
        "inverted on the way here.",
        _asked_at(evidence),
    )


def _asked_at(evidence: Evidence) -> RootCause | None:
    """Where a mask is made of a question: of two answers one may have been taken for the other."""
    asked = next((s for s in masking.mask_path(evidence) if s.operation in _QUESTIONS), None)
    return RootCause(asked, "the mask is made here") if asked else None


_QUESTIONS = COMPARISONS | {Operation.NOT, Operation.BITWISE_NOT, Operation.SUBTRACT}
"""Operations whose result says whether something is real, or is not: ``1 - mask`` is one of them."""


def softmax_over_wrong_axis(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a softmax", Kind.SOFTMAX)
    if reason:
        return reason
    facts, axis = predicates.sequence_input(evidence), masking.softmax_axis(evidence)
    if facts is None or axis is None:
        return "the shape of the scores is not known"
    rows = facts.batch_axis if facts.batch_axis is not None else 0
    if axis == rows and axis not in facts.sequence_axes and axis != len(facts.shape) - 1:
        return Match(
            f"{evidence.site.operator} normalises over the rows of the batch (axis {axis}), not over the keys."
        )
    if len(facts.sequence_axes) > 1 and axis in facts.sequence_axes and axis != max(facts.sequence_axes):
        return Match(
            f"{evidence.site.operator} normalises over the queries (axis {axis}) instead of the keys (axis "
            f"{max(facts.sequence_axes)}), so pad queries enter every real weight."
        )
    return "the softmax runs over the last sequence axis"


def mask_on_queries(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if masking.mask_axis(evidence) != "queries" and not _laid_on_queries(evidence):
        return "no mask was seen on the query axis"
    laid = next((s for s in masking.mask_path(evidence) if s.kind in _LAYS_OUT), None)
    return Match(
        f"The mask of {evidence.site.operator} lies on the query axis: it changes whole rows of scores, which a "
        "softmax ignores, and hides no pad.",
        RootCause(laid, "the mask gets its axes here") if laid else None,
    )


_LAYS_OUT = (Kind.LAYOUT, Kind.INDEX)


def _laid_on_queries(evidence: Evidence) -> bool:
    """Whether the mask that joins the scores has the queries' axis and is broadcast along the keys'."""
    scores, join = predicates.sequence_input(evidence), masking.joining_site(evidence)
    if evidence.attention is not None or scores is None or join is None:
        return False
    keys, queries = len(scores.shape) - 1, len(scores.shape) - 2
    masks = [
        f for f in predicates.data_inputs(evidence, join) if masking.mask_like(f) and len(f.shape) == len(scores.shape)
    ]
    return any(f.shape[keys] == 1 and queries in f.sequence_axes for f in masks)


def mask_dropped_by_export(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    fact = predicates.unused_mask(evidence)
    if fact is None:
        return "every mask input of the file is read by something"
    if masking.masked(evidence):
        return "a mask enters the scores"
    return Match(
        f"{evidence.site.operator} sees the pads because the file's mask input is connected to nothing.",
        RootCause(None, fact.detail),
    )


def fused_attention_without_mask(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a fused attention", Kind.ATTENTION)
    if reason:
        return reason
    cause = static.static_cause(evidence, FactKind.NO_MASK)
    takes_mask = bool(predicates.mask_inputs(evidence))
    if evidence.format != "onnx" or not (takes_mask or _made_by_fusion(evidence.site)):
        return "not an operator that a fusion has made"
    if masking.mask_operand(evidence) is not None and cause is None:
        return "the operator has a mask operand"
    if predicates.left_only(evidence):
        return "only left padding leaks: the operator's own causal mask hides right padding"
    although = ", although the model takes one" if takes_mask else ""
    return Match(
        f"The fused {evidence.site.operator} lets real positions attend to pads: it is given no mask{although}.", cause
    )


def _made_by_fusion(site: Site) -> bool:
    return isinstance(site.settings, Attention) and site.settings.fused_by_runtime


def inert_mask(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    conflict = _conflict(evidence, "inert-mask")
    if _scaled_mask(evidence) is not None:
        return "the mask has a value too small to see"
    fill = _fill_on_no_pad(evidence)
    if fill is not None:
        return Match(
            f"A mask puts {fill:g} into the scores of {evidence.site.operator}, but at no pad: what it is made of "
            "marks none of them, as when 0 and 1 are read where 0 and a large negative number were expected."
        )
    if masking.leaves_pads_in(evidence):
        return Match(
            f"A mask enters {evidence.site.operator} with a value that removes what it is laid on, and it is laid on "
            "no pad: what it is made of marks none of them."
        )
    if conflict is None and not evidence.leaks_anywhere(TwinKind.MASK):
        return "toggling the mask does change the output, or was not tried"
    if not masking.masked(evidence):
        return "no mask enters the scores at all"
    return Match(
        f"A mask enters {evidence.site.operator} and changes nothing: given, omitted or inverted, the answer is "
        "the same.",
        RootCause(None, conflict.message) if conflict else None,
    )


def _fill_on_no_pad(evidence: Evidence) -> float | None:
    """The value that a mask fills scores with, where it is strong and the pads keep full weight all the same."""
    mass, join = masking.pad_mass(evidence), masking.joining_site(evidence)
    if mass is None or mass < masking.UNMASKED_MASS or join is None or not predicates.does(join, Operation.WHERE):
        return None
    if predicates.left_only(evidence) or predicates.mates_only(evidence) or masking.mask_axis(evidence) == "queries":
        return None
    fill = masking.fill_of(join)
    return fill if fill is not None and not masking.is_weak(fill) else None


def mask_after_softmax(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a softmax", Kind.SOFTMAX)
    if reason:
        return reason
    if masking.masked(evidence):
        return "a mask enters before the softmax"
    for site in evidence.downstream:
        others = [f for k in site.inputs if k not in evidence.site.outputs and (f := evidence.facts(k)) is not None]
        masks = site.kind is Kind.ELEMENTWISE and any(masking.mask_like(f) for f in others)
        if masks and predicates.reads(site, evidence.site):
            return Match(
                f"The mask multiplies the result of {evidence.site.operator} instead of its scores: the pads' "
                "weights are removed, but the pads stay in the denominator.",
                RootCause(site, "the mask is applied here, after the softmax"),
            )
    return "nothing masks the weights after the softmax"


def _on_integers(evidence: Evidence, site: Site) -> bool:
    """Whether a negation may act on numbers; of booleans it is what it looks like."""
    read = [facts for key in site.inputs if (facts := evidence.facts(key)) is not None]
    return not any(facts.dtype == "bool" for facts in read)


def uniform_attention(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if not masking.masked(evidence):
        return "no mask enters the scores"
    negation = next(
        (s for s in evidence.upstream if predicates.does(s, Operation.BITWISE_NOT) and _on_integers(evidence, s)),
        None,
    )
    if negation is not None:
        return Match(
            f"{negation.operator} negates the mask of {evidence.site.operator} bit by bit, which leaves every "
            "entry true: all keys are masked alike, and attention is uniform over real positions and pads.",
            RootCause(negation, "the integer mask is negated bit by bit here"),
        )
    if evidence.attention is None:
        return "the weights were not observed"
    mass = evidence.attention.pad_mass
    if len(mass) < 2 or mass[0] < masking.UNMASKED_MASS:
        return "pads have no weight, or there is one head only to judge by"
    if any(not math.isclose(m, mass[0], rel_tol=1e-5) for m in mass):
        return "the heads put different weights on the pads"
    return Match(
        f"Every head of {evidence.site.operator} puts the same weight, {mass[0]:.0%}, on the pads: all keys are "
        "masked alike, so attention is uniform over real positions and pads."
    )


def weak_mask_value(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    if predicates.left_only(evidence) or predicates.mates_only(evidence):
        return "the twins that leak are not those of a weak mask"
    cause = static.static_cause(evidence, FactKind.WEAK_FILL)
    if cause is not None:
        why = predicates.sentence(cause.reason)
        return Match(f"The value that masks the scores of {evidence.site.operator} is too weak: {why}", cause)
    if not masking.masked(evidence):
        return "no mask enters the scores"
    mass = masking.pad_mass(evidence)
    if mass is not None and 0.0 < mass < masking.UNMASKED_MASS:
        return Match(
            f"The mask of {evidence.site.operator} leaves the pads a weight of {mass:.1g}: its value is too weak "
            "to remove them."
        )
    scaled = _scaled_mask(evidence)
    if scaled is not None:
        product, factor = scaled
        return Match(
            f"The mask that joins the scores of {evidence.site.operator} is multiplied by {factor:g} only, which does "
            "not remove the pads.",
            RootCause(product, "the mask gets its value here"),
        )
    join = masking.joining_site(evidence)
    if join is not None and predicates.does(join, Operation.WHERE, Operation.MULTIPLY):
        fill = masking.fill_of(join)
        value = f"{fill:g}, which does" if fill is not None else "a value that does"
        return Match(
            f"{join.operator} sets the scores of {evidence.site.operator} at the pads to {value} not remove them.",
            RootCause(join, "the value is chosen here"),
        )
    return "pads keep a full weight and nothing fills their scores"


def _scaled_mask(evidence: Evidence) -> tuple[Site, float] | None:
    """The product that gives a mask another value than 0 and 1, and that value, where it is too small to hide
    anything.
    """
    products = [s for s in masking.mask_path(evidence) if predicates.does(s, Operation.MULTIPLY)]
    known = ((s, factor) for s in products if (factor := predicates.constant_of(s)) is not None)
    return next(((s, factor) for s, factor in known if abs(factor) != 1 and not masking.is_strong(factor)), None)


def mask_added_as_numbers(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "an attention", *ATTENTION_KINDS)
    if reason:
        return reason
    if not masking.masked(evidence):
        return "no mask enters the scores"
    if predicates.left_only(evidence) or predicates.mates_only(evidence):
        return "the twins that leak are not those of a mask without force"
    mass = masking.pad_mass(evidence)
    if mass is not None and mass < masking.UNMASKED_MASS:
        return "the mask does remove the pads' weight"
    if masking.leaves_pads_in(evidence):
        return "its value is strong, and laid on no pad"
    join = masking.joining_site(evidence)
    share = f" ({mass:.0%} of the weight)" if mass is not None else ""
    return Match(
        f"A mask enters {evidence.site.operator} and leaves the pads in{share}: it is added as plain numbers, 0 "
        "and 1, not as a huge negative value.",
        RootCause(join, "the mask joins the scores here") if join else None,
    )


def softmax_over_wrong_axis_of_features(evidence: Evidence) -> Match | str:
    """Weights for every position, masked, and then normalised along another axis: the mask removes nothing."""
    reason = predicates.is_a(evidence, "a product", Kind.MATMUL)
    if reason:
        return reason
    softmax = next((s for s in evidence.upstream if predicates.reads(evidence.site, s)), None)
    scores = evidence.facts(softmax.inputs[0]) if softmax is not None and softmax.inputs else None
    if softmax is None or softmax.kind is not Kind.SOFTMAX or scores is None:
        return "no factor is a softmax"
    axes = axes_of(softmax.settings, len(scores.shape)) or (len(scores.shape) - 1,)
    if not scores.sequence_axes or axes[0] in scores.sequence_axes or not scores.mask_reaches:
        return "the softmax runs over positions, or no mask enters it"
    summed = len(scores.shape) - (1 if evidence.site.inputs[0] in softmax.outputs else 2)
    if axes[0] == summed:
        return "the product sums over what the softmax shared out"
    return Match(
        f"{softmax.operator} normalises masked scores along axis {axes[0]}, which is not that of the positions: the "
        "pads keep their weight.",
        None,
        softmax,
    )


def mask_never_reaches_attention(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if masking.masked(evidence):
        return "a mask enters the scores"
    names = [i.name for i in predicates.mask_inputs(evidence)]
    if not names:
        return "the model has no mask input for this sequence"
    if predicates.left_only(evidence):
        return "right padding is clean: a causal mask hides it"
    return Match(
        f"{evidence.site.operator} lets real positions attend to pads: the model takes "
        f"{', '.join(map(repr, names))}, but it never reaches these scores.",
        predicates.lost_mask(evidence),
    )


def no_padding_mask(evidence: Evidence) -> Match | str:
    reason = masking.attends(evidence)
    if reason:
        return reason
    if masking.masked(evidence):
        return "a mask enters the scores"
    if predicates.left_only(evidence):
        return "right padding is clean: a causal mask hides it"
    if predicates.mates_only(evidence):
        return "padding has no effect, only other rows have"
    return Match(
        f"{evidence.site.operator} lets real positions attend to pads: no padding mask enters its scores.",
        predicates.lost_mask(evidence),
    )


def _conflict(evidence: Evidence, kind: str) -> Conflict | None:
    return next((k for k in (*evidence.conflicts, *evidence.contract.conflicts) if k.kind == kind), None)
