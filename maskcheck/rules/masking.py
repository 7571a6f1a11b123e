"""Questions about attention: is this softmax one, which axis does it normalise, and does a mask enter its scores."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from maskcheck.core.evidence import Evidence, TensorFacts
from maskcheck.ir.graph import Site, ancestors
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Fill, Pad, Quantiser, axes_of
from maskcheck.rules import predicates

UNMASKED_MASS = 1e-2
"""Weight on pads, over all valid queries, from which a mask counts as having no force. Masks that work leave exactly 0,
timid fill values (-10) some 1e-4."""


HIDDEN_MASS = 1e-6
"""Weight on pads up to which they count as fully masked."""


def as_softmax(evidence: Evidence) -> Evidence | None:
    """The evidence seen from the softmax whose weights the origin sums values with; ``None`` where there is none.

    Where only the values at pads differ, the weights agree between the twins and their product with the values is the
    origin. The cause lies in the weights all the same.
    """
    site = evidence.site
    if _normalises_by_hand(evidence):
        return replace(evidence, site=replace(site, operation=Operation.SOFTMAX))
    if site.kind not in (Kind.MATMUL, Kind.REDUCE_SUM):
        return None
    passed = _back_to_softmax(evidence)
    if passed is None:
        return None
    softmax, between = passed
    before = [s for s in evidence.upstream if s is not softmax and s not in between]
    nearest = ancestors(softmax.inputs, before)
    return replace(evidence, site=softmax, upstream=nearest, downstream=(*between, site, *evidence.downstream))


def _normalises_by_hand(evidence: Evidence) -> bool:
    """Whether the origin is the sum of a softmax that somebody wrote out: of exponentials, which it then divides."""
    site = evidence.site
    if site.kind is not Kind.REDUCE_SUM:
        return False
    makers = [s for s in evidence.upstream if predicates.reads(site, s)]
    exponentials = predicates.any_does(makers, Operation.EXP)
    return exponentials and predicates.any_does(evidence.downstream, *predicates.DIVISIONS)


_PASSED = (Kind.ELEMENTWISE, Kind.LAYOUT, Kind.RANDOM, Kind.STATIC_QUANTIZE)
"""What may lie between a softmax and the product with its weights."""


def _back_to_softmax(evidence: Evidence) -> tuple[Site, tuple[Site, ...]] | None:
    makers = {key: s for s in evidence.upstream for key in s.outputs}
    stack: list[tuple[str, tuple[Site, ...]]] = [(key, ()) for key in evidence.site.inputs]
    seen: set[str] = set()
    while stack:
        key, path = stack.pop(0)
        maker = makers.get(key)
        if maker is None or key in seen:
            continue
        seen.add(key)
        if maker.kind is Kind.SOFTMAX:
            scores = evidence.facts(maker.inputs[0])
            return (maker, path) if scores is not None and shares_positions(maker, scores) else None
        if maker.kind in _PASSED:
            stack += [(k, (maker, *path)) for k in maker.inputs]
    return None


def shares_positions(softmax: Site, scores: TensorFacts) -> bool:
    """Whether a softmax shares weight out over positions, or, by mistake, over rows; not over features or clusters."""
    axes = axes_of(softmax.settings, len(scores.shape)) or (len(scores.shape) - 1,)
    return bool(scores.sequence_axes) and (axes[0] in scores.sequence_axes or axes[0] in (scores.batch_axis, 0))


def softmax_axis(evidence: Evidence) -> int | None:
    """Axis a softmax normalises, counted from 0; the last where the operation does not say."""
    facts = predicates.sequence_input(evidence)
    if facts is None or not facts.shape:
        return None
    axes = axes_of(evidence.site.settings, len(facts.shape))
    return axes[0] if axes else len(facts.shape) - 1


def crosses_sequences(evidence: Evidence) -> bool:
    """Whether the queries belong to another sequence than the padded keys."""
    if len(evidence.contract.domains) < 2:
        return False
    if evidence.site.kind is Kind.ATTENTION:
        facts = predicates.data_inputs(evidence)
        return len(facts) > 1 and not facts[0].sequence_axes and bool(facts[1].sequence_axes)
    scores = predicates.sequence_input(evidence)
    if evidence.site.kind is not Kind.SOFTMAX or scores is None or len(scores.sequence_axes) != 1:
        return False
    others = [size for i, size in enumerate(scores.shape) if i not in (0, scores.sequence_axes[0])]
    return len(scores.shape) >= 3 and any(size > 1 for size in others)


def pools(evidence: Evidence) -> bool:
    """Whether a softmax makes pooling weights: it normalises the only padded axis of its input, of one sequence."""
    if evidence.site.kind is Kind.ATTENTION:
        facts = predicates.data_inputs(evidence)
        latent = len(facts) > 1 and not facts[0].sequence_axes and bool(facts[1].sequence_axes)
        return latent and not crosses_sequences(evidence)
    scores = predicates.sequence_input(evidence)
    if evidence.site.kind is not Kind.SOFTMAX or scores is None:
        return False
    return scores.sequence_axes == (softmax_axis(evidence),) and not crosses_sequences(evidence)


def attends(evidence: Evidence) -> str | None:
    """Return the reason why the site is not attention between positions; ``None`` when it is."""
    reason = predicates.is_a(evidence, "an attention", Kind.SOFTMAX, Kind.ATTENTION)
    if reason is None and pools(evidence):
        return f"{evidence.site.operator} makes pooling weights, not weights for each query"
    return reason


def mask_axis(evidence: Evidence) -> str:
    """The axis of the weights a mask was seen on: "keys", "queries", "none" or "unknown"."""
    return evidence.attention.axis if evidence.attention is not None else "unknown"


def masked(evidence: Evidence) -> bool:
    """Whether a mask enters the scores, with or without effect.

    Weights of 0 at the pads do not show it: a causal mask makes them so as well.
    """
    if mask_axis(evidence) == "queries":
        return True
    if evidence.site.kind is Kind.ATTENTION:
        return mask_operand(evidence) is not None
    return predicates.mask_reaches(evidence)


def joining_site(evidence: Evidence) -> Site | None:
    """The site that puts the mask onto the scores, where it is known."""
    return next((s for s in _before_product(evidence) if _joins(predicates.data_inputs(evidence, s))), None)


def mask_path(evidence: Evidence) -> tuple[Site, ...]:
    """The sites that made the mask which joins the scores, the last one first, as far as they are near."""
    join = joining_site(evidence)
    if join is None and evidence.site.kind is Kind.ATTENTION:
        join = evidence.site
    masks = [k for k in join.inputs if (f := evidence.facts(k)) is not None and mask_like(f)] if join else []
    return ancestors(masks, evidence.upstream)


def lengthening(evidence: Evidence) -> Site | None:
    """The site that lays positions beside those of the mask and calls them real, as far as it is near."""
    for site in mask_path(evidence):
        if _lays_ones(site):
            return site
        if site.kind is Kind.CONCATENATE and 0 < len(predicates.data_inputs(evidence, site)) < len(site.inputs):
            return site
    return None


def _lays_ones(site: Site) -> bool:
    match site.settings:
        case Pad(fill=float() | int() as fill, copies=False):
            return fill > 0
        case _:
            return False


def clipping(evidence: Evidence) -> tuple[Site, float] | None:
    """The quantiser between a mask and the softmax that cannot express what removes a pad, and the lowest it can."""
    for site in (*up_to_product(evidence), *mask_path(evidence)):
        lowest = site.settings.lowest if isinstance(site.settings, Quantiser) else None
        if lowest is not None and is_weak(lowest):
            return site, lowest
    return None


def up_to_product(evidence: Evidence) -> list[Site]:
    """The sites before an attention, nearest first, as far as the product that made its scores."""
    return list(takewhile(lambda site: site.kind is not Kind.MATMUL, evidence.upstream))


def leaves_pads_in(evidence: Evidence) -> bool:
    """Whether a mask with a strong value enters and pads keep their weight: what it is made of does not mark them."""
    mass = pad_mass(evidence)
    if (
        mass is None
        or mass < UNMASKED_MASS
        or predicates.left_only(evidence)
        or predicates.mates_only(evidence)
        or not masked(evidence)
    ):
        return False
    operand = mask_operand(evidence) if evidence.site.kind is Kind.ATTENTION else None
    if operand is not None and operand.dtype == "bool":
        return True
    sites = (joining_site(evidence), *mask_path(evidence))
    values = [_put_in(site) for site in sites if site is not None]
    return any(value is not None and is_strong(value) for value in values)


def _put_in(site: Site) -> float | None:
    """The constant that a site makes part of a mask: what a mask is divided by or compared with is none of it."""
    match site.settings:
        case Pad(copies=False):
            return site.settings.fill
        case Fill() if predicates.does(site, *_PUTS_IN):
            return site.settings.value
        case _:
            return None


_PUTS_IN = (
    *(Operation.WHERE, Operation.ADD, Operation.SUBTRACT, Operation.MULTIPLY),
    *(Operation.MAXIMUM, Operation.MINIMUM),
)


def is_strong(fill: float) -> bool:
    """Whether a value, or its negative, removes what it is added to."""
    return not is_weak(-abs(fill))


def mask_operand(evidence: Evidence) -> TensorFacts | None:
    """Facts of the mask that a fused attention reads."""
    keys = evidence.site.inputs
    facts = [(i, evidence.facts(k)) for i, k in enumerate(keys)]
    operands = [(i, f) for i, f in facts if f is not None and f.mask_reaches and not f.constant]
    return next((f for i, f in operands if i >= 3 or (i > 0 and mask_like(f))), None)


def mask_like(facts: TensorFacts) -> bool:
    """Whether a tensor that a mask reaches looks like a mask: boolean, of low rank, or broadcast along some axis."""
    return facts.mask_reaches and (facts.dtype == "bool" or len(facts.shape) <= 2 or 1 in facts.shape[1:])


def fill_of(site: Site) -> float | None:
    """The constant a site puts in the place of scores, where it is known. A product with a mask puts in 0."""
    fill = predicates.constant_of(site)
    return 0.0 if fill is None and predicates.does(site, Operation.MULTIPLY) else fill


def is_weak(fill: float) -> bool:
    """Whether a score of ``fill`` may keep weight beside ordinary scores: e^-50 is below any float's resolution."""
    return fill > -50.0


def pad_mass(evidence: Evidence) -> float | None:
    return evidence.attention.pad_mass_max if evidence.attention is not None else None


def _before_product(evidence: Evidence) -> list[Site]:
    near = up_to_product(evidence)
    found = [site for site in near if site.kind is Kind.ELEMENTWISE]
    # A product that adds a third operand (baddbmm, Gemm) may be the place where the mask enters.
    return found + [site for site in evidence.upstream[len(near) : len(near) + 1] if len(site.inputs) > 2]


def _joins(facts: tuple[TensorFacts, ...]) -> bool:
    if len(facts) < 2:
        return False
    mixed = any(f.mask_reaches for f in facts) and not all(f.mask_reaches for f in facts)
    return mixed or any(mask_like(f) for f in facts)
