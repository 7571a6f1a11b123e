"""Convolutions and what works like them."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence, Spread
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Slice, Window
from maskcheck.rules import masking, predicates
from maskcheck.rules.rule import Match


def image_padding(evidence: Evidence) -> Match | str:
    reason = _not_a_convolution(evidence)
    if reason:
        return reason
    facts = predicates.sequence_input(evidence)
    if facts is None or (
        len(facts.sequence_axes) < 2 and not (len(facts.shape) == 4 and predicates.of_images(evidence))
    ):
        return "its input is no image"
    return Match(f"{evidence.site.operator} reads the filler along the borders of padded images.")


def causal_convolution_left(evidence: Evidence) -> Match | str:
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    padded = evidence.site.kind is Kind.PAD and predicates.any_kind(evidence.downstream[:1], Kind.CONVOLUTION)
    reason = None if padded else _not_a_convolution(evidence)
    if reason:
        return reason
    if strides(evidence.site):
        return "it counts its steps from column 0"
    looks = evidence.downstream[0] if padded else evidence.site
    return Match(f"{looks.operator} looks back and reads left padding as history.")


def conformer_convolution_unmasked(evidence: Evidence) -> Match | str:
    reason = _not_a_convolution(evidence)
    if reason:
        return reason
    if not depthwise(evidence):
        return "the convolution is not depthwise"
    if not predicates.any_does(evidence.upstream, Operation.GLU, Operation.SIGMOID):
        return "no gate comes before it"
    return Match(
        f"{evidence.site.operator} is the depthwise convolution of a gated block and reads the pads its gate refilled.",
        predicates.lost_mask(evidence),
    )


def unmasked_convolution_branch(evidence: Evidence) -> Match | str:
    near = (*evidence.upstream, *evidence.downstream)
    beside = predicates.any_kind(near, Kind.SOFTMAX, Kind.ATTENTION)
    if predicates.does(evidence.site, Operation.UNFOLD):
        if not beside:
            return "there is no attention beside it"
        return Match(
            f"{evidence.site.operator} cuts windows that reach into the padding, beside an attention that is masked."
        )
    reason = _not_a_convolution(evidence)
    if reason:
        return reason
    if not beside and not depthwise(evidence):
        return "there is no attention beside it, and it mixes the heads"
    facts = predicates.sequence_input(evidence)
    if facts is None or len(facts.shape) != 4 or len(facts.sequence_axes) != 1:
        return "it does not run over the values of attention heads"
    if 1 not in _kernel(evidence.site):
        return "its kernel spans both axes"
    return Match(
        f"{evidence.site.operator} runs over the attention's values, pads included, beside an attention that is masked."
    )


def bias_refills_padding(evidence: Evidence) -> Match | str:
    reason = _not_a_convolution(evidence)
    if reason:
        return reason
    if not predicates.number_only(evidence):
        return "what stands in the pads matters, not only their number"
    if predicates.zero_pads(evidence):
        return "its input is zero at the pads"
    refill = next((s for s in evidence.upstream if _refills(s)), None)
    named = f" by {refill.operator}" if refill else ""
    return Match(
        f"{evidence.site.operator} reads pads that were zeroed once at the input and refilled{named} with biases "
        "since.",
        None,
    )


def subsampling_unmasked(evidence: Evidence) -> Match | str:
    reason = _not_a_convolution(evidence)
    if reason:
        return reason
    if not strides(evidence.site):
        return "its stride is 1"
    return Match(
        f"{evidence.site.operator} shortens the sequence and reads across its end before any mask is applied.",
        predicates.lost_mask(evidence),
    )


def convolution_over_padding(evidence: Evidence) -> Match | str:
    reason = _not_a_convolution(evidence)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operator} reads pads at the end of the text as if they were content.",
        predicates.lost_mask(evidence),
    )


def length_formula(evidence: Evidence) -> Match | str:
    if _counts_mask(evidence):
        return Match(
            f"{evidence.site.operator} counts the positions that a mask keeps, and the mask is longer or shorter than "
            "the sequence: the count depends on the padding."
        )
    kinds = (Kind.ELEMENTWISE, Kind.SOFTMAX, Kind.ATTENTION, Kind.MATMUL)
    reason = predicates.is_a(evidence, "a place where a mask is applied", *kinds)
    if reason:
        return reason
    if not predicates.mask_reaches(evidence):
        return "no mask reaches it"
    if evidence.site.kind is Kind.MATMUL and not any(map(masking.mask_like, predicates.data_inputs(evidence))):
        return "no factor of the product is a mask"
    if predicates.left_only(evidence):
        return "right padding is clean"
    thinned = next((s for s in evidence.upstream if _thins_mask(evidence, s)), None)
    join = masking.joining_site(evidence)
    fill = masking.fill_of(join) if join is not None else None
    if thinned is not None and not (fill is not None and masking.is_weak(fill)):
        return Match(
            f"The mask at {evidence.site.operator} was thinned by {thinned.operator}, which counts from the padded "
            "end, so frames at the boundary are wrongly kept or lost.",
            RootCause(thinned, "the mask is shortened here, by another formula than the sequence"),
        )
    if TwinKind.CONTENT in predicates.leaking(evidence):
        return "what stands in the pads matters"
    if evidence.spread is not Spread.BOUNDARY and evidence.site.kind is Kind.ELEMENTWISE:
        return "the error is not confined to the boundary"
    shortened = next((s for s in evidence.upstream if strides(s)), None)
    if shortened is None:
        return "nothing before it shortens the sequence"
    how = f"by {shortened.operator}, by another formula than the sequence"
    if shortened.kind is not Kind.INDEX:
        how = f"by another formula than {shortened.operator} shortens the sequence"
    return Match(
        f"The mask at {evidence.site.operator} is shortened {how}, so frames at the boundary are wrongly kept or lost.",
        RootCause(shortened, "the length is shortened here"),
    )


def _thins_mask(evidence: Evidence, site: Site) -> bool:
    """Whether a site takes every second or third entry of a mask, the last ones of the padded row left out, or makes
    one entry of each of its blocks.
    """
    made = evidence.facts(site.outputs[0]) if site.outputs else None
    if made is None or not masking.mask_like(made):
        return False
    if site.kind is Kind.INDEX:
        return strides(site)
    read = evidence.facts(site.inputs[0]) if site.inputs else None
    blocks = read is not None and len(read.shape) == len(made.shape) + 1 and len(made.shape) == 2
    laid_out = any(predicates.reads(site, s) and s.kind is Kind.LAYOUT for s in evidence.upstream)
    return blocks and laid_out and predicates.does(site, *_OF_BLOCKS)


_OF_BLOCKS = (Operation.ALL, Operation.ANY, Operation.MAX, Operation.MIN)
"""Reductions by which one entry of a mask speaks for a block of them."""
_ROUNDS = (Operation.CEIL, Operation.FLOOR, Operation.ROUND, *predicates.DIVISIONS)
"""What a formula for the length of a shortened sequence is made of."""


def _counts_mask(evidence: Evidence) -> bool:
    """Whether the origin sums up a mask that is no longer the one of the padded input."""
    facts = predicates.data_inputs(evidence)
    if evidence.site.kind is not Kind.REDUCE_SUM or len(facts) != 1 or predicates.mates_only(evidence):
        return False
    rounded = predicates.any_does(evidence.upstream, *_ROUNDS) or any(map(strides, evidence.upstream))
    return masking.mask_like(facts[0]) and predicates.number_only(evidence) and rounded


def neighbour_concatenation(evidence: Evidence) -> Match | str:
    laid = next((s for s in evidence.upstream if set(s.outputs) & set(evidence.site.inputs[:1])), None)
    if evidence.site.kind is Kind.INDEX and laid is not None and laid.kind is Kind.PAD:
        return Match(f"{evidence.site.operator} shifts the sequence, and the last real position meets a pad.")
    reason = predicates.is_a(evidence, "a concatenation", Kind.CONCATENATE, Kind.PAD)
    if reason:
        return reason
    if evidence.site.kind is Kind.PAD and not predicates.any_kind(evidence.downstream[:1], Kind.CONCATENATE):
        return "what it shifts is not joined with the unshifted sequence"
    shifts = predicates.any_kind(evidence.upstream, Kind.INDEX, Kind.PAD) or evidence.site.kind is Kind.PAD
    if not shifts:
        return "its parts are not shifted copies of a sequence"
    if predicates.mates_only(evidence):
        return "only other rows change it"
    return Match(
        f"{evidence.site.operator} joins each position with its neighbours, and the last real one's neighbour is a pad."
    )


def depthwise(evidence: Evidence) -> bool:
    match evidence.site.settings:
        case Window(groups=groups) if groups > 1:
            return True
        case _:
            return predicates.does(evidence.site, Operation.DEPTHWISE_CONVOLUTION)


def strides(site: Site) -> bool:
    """Whether a convolution, window or slice shortens the sequence."""
    match site.settings:
        case Window(strides=tuple() as steps) | Slice(steps=tuple() as steps):
            return any(step > 1 for step in steps)
        case _:
            return False


def _not_a_convolution(evidence: Evidence) -> str | None:
    reason = predicates.is_a(evidence, "a convolution", Kind.CONVOLUTION)
    if reason is None and predicates.mates_only(evidence):
        return "only other rows change it"
    return reason


def _kernel(site: Site) -> tuple[int, ...]:
    return (site.settings.kernel or ()) if isinstance(site.settings, Window) else ()


def _refills(site: Site) -> bool:
    return site.kind in (Kind.CONVOLUTION, Kind.NORMALIZATION, Kind.MATMUL)
