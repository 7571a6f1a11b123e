"""Quantisation with scales measured on the run's own data."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import RootCause
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Quantiser
from maskcheck.ir.static_fact import FactKind
from maskcheck.rules import masking, predicates, static
from maskcheck.rules.rule import Match


def shared_block_scale(evidence: Evidence) -> Match | str:
    if not _quantises(evidence):
        return f"{evidence.site.operator} does not quantise activations"
    if _measures_range(evidence) and predicates.keeps_sequence(evidence):
        return Match(f"{evidence.site.operator} gives blocks of steps one scale, and the last block holds padding.")
    size = evidence.site.settings.block if isinstance(evidence.site.settings, Quantiser) else None
    if not size:
        return "it has one scale for the whole tensor"
    return Match(
        f"{evidence.site.operator} gives blocks of {size} values one scale, and blocks span real positions and padding."
    )


def clipped_mask(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "an attention", Kind.SOFTMAX, Kind.ATTENTION)
    if reason:
        return reason
    if predicates.left_only(evidence) or predicates.mates_only(evidence) or not masking.masked(evidence):
        return "no mask enters, or the twins that leak are not those of a weak one"
    mass = masking.pad_mass(evidence)
    if mass is not None and mass <= masking.HIDDEN_MASS:
        return "the mask does remove the pads' weight"
    found = masking.clipping(evidence)
    if found is None:
        return "nothing between the mask and the softmax is quantised too narrowly for its value"
    site, lowest = found
    return Match(
        f"{site.operator} holds no value below {lowest:.3g}, so the mask of {evidence.site.operator} is clipped and "
        "leaves the pads in.",
        RootCause(site, "the mask is clipped here"),
    )


def dynamic_activation_scale(evidence: Evidence) -> Match | str:
    if not _quantises(evidence):
        return f"{evidence.site.operator} does not quantise activations"
    return Match(
        f"{evidence.site.operator} quantises with one scale measured over all positions of all rows, pads included.",
        static.static_cause(evidence, FactKind.DYNAMIC_QUANTIZATION),
    )


def _quantises(evidence: Evidence) -> bool:
    return evidence.site.kind is Kind.QUANTIZE or _measures_range(evidence)


def _measures_range(evidence: Evidence) -> bool:
    """Whether a largest or smallest value over positions becomes the step to which the same values are rounded."""
    extreme = evidence.site.kind in (Kind.REDUCE_MAX, Kind.REDUCE_OTHER)
    scales = (*predicates.DIVISIONS, *predicates.PRODUCTS)
    divided = next((i for i, s in enumerate(evidence.downstream) if predicates.does(s, *scales)), None)
    return extreme and divided is not None and predicates.any_does(evidence.downstream[divided:], Operation.ROUND)
