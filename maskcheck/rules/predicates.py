"""Questions about evidence that several matchers ask: which twins leak here, which axis is meant."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import takewhile

from maskcheck.core.contract import InputContract, Role, Side
from maskcheck.core.evidence import Evidence, TensorFacts
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import REDUCTIONS, Kind, Operation
from maskcheck.ir.settings import Fill, axes_of
from maskcheck.ir.static_fact import FactKind, StaticFact
from maskcheck.rules import static

DIVISIONS = (Operation.DIVIDE, Operation.FLOOR_DIVIDE, Operation.DIVIDE_ADD)
"""Operations with a divisor."""
RATIOS = (*DIVISIONS, Operation.RECIPROCAL)
"""Operations by which a sum becomes a mean, written as a division or as a product with the reciprocal."""
PRODUCTS = (Operation.MULTIPLY, Operation.MULTIPLY_ADD)
"""Operations that scale one tensor by another, position by position."""


def leaking(evidence: Evidence) -> frozenset[TwinKind]:
    """Twins in which this site is an origin; NaN counts as a difference."""
    at_site = {twin for twin, value in evidence.at_site.items() if value > 0.0 or math.isnan(value)}
    return frozenset(at_site | {evidence.twin})


def silent(evidence: Evidence, twin: TwinKind) -> bool:
    """Whether ``twin`` was tried and is clean at this site. A twin that was not tried is not silent."""
    return twin in evidence.at_outputs and twin not in leaking(evidence)


def leaks(evidence: Evidence, twin: TwinKind) -> bool:
    return twin in leaking(evidence)


def only(evidence: Evidence, *twins: TwinKind) -> bool:
    return leaking(evidence) <= frozenset(twins)


def number_only(evidence: Evidence) -> bool:
    """Whether the number of pads matters and what stands in them does not."""
    return TwinKind.LENGTH in leaking(evidence) and silent(evidence, TwinKind.CONTENT)


def usual_side(evidence: Evidence) -> Side:
    """The side on which the contract puts the pads."""
    return next((d.side for d in evidence.contract.domains if d.name == evidence.domain), Side.RIGHT)


def leaking_sides(evidence: Evidence) -> frozenset[Side]:
    """The sides of padding under which this site leaks."""
    usual = usual_side(evidence)
    other = Side.LEFT if usual is Side.RIGHT else Side.RIGHT
    twins = leaking(evidence)
    sides = {usual} if twins & {TwinKind.LENGTH, TwinKind.CONTENT} else set()
    return frozenset(sides | ({other} if TwinKind.SIDE in twins else set()))


def left_only(evidence: Evidence) -> bool:
    """Whether padding leaks on the left alone. What other rows change where pads stand on the right is no such leak."""
    beside = TwinKind.MATES in leaking(evidence) and usual_side(evidence) is Side.RIGHT
    return leaking_sides(evidence) == {Side.LEFT} and not beside


def right_leaks(evidence: Evidence) -> bool:
    return Side.RIGHT in leaking_sides(evidence)


def mates_only(evidence: Evidence) -> bool:
    """Whether nothing but other rows matters; an empty row is one of them."""
    return TwinKind.MATES in leaking(evidence) and only(evidence, TwinKind.MATES, TwinKind.EMPTY)


def does(site: Site, *operations: Operation) -> bool:
    """Whether the site is one of ``operations``."""
    return site.operation in operations


def any_does(sites: Sequence[Site], *operations: Operation) -> bool:
    return any(does(s, *operations) for s in sites)


def owned_by(site: Site, *names: str) -> bool:
    """Whether the class of the module around the site is named by one of ``names``, which are lower case.

    A name stands for whole words, joined in any way: "batchnorm" is found in ``SyncBatchNorm2d`` and ``batch_norm``.
    """
    words = _WORD.findall(class_name(site))
    found = {"".join(words[i:j]).lower() for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return any(name in found for name in names)


def class_name(site: Site) -> str:
    """The name of the class of the module around the site, without its package; empty where there is none."""
    return (site.module_class or "").rpartition(".")[2]


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def any_kind(sites: Sequence[Site], *kinds: Kind) -> bool:
    return any(s.kind in kinds for s in sites)


def data_inputs(evidence: Evidence, site: Site | None = None) -> tuple[TensorFacts, ...]:
    """Facts of the inputs that carry content: neither weights nor numbers computed from sizes."""
    keys = (site or evidence.site).inputs
    facts = (evidence.facts(k) for k in keys)
    return tuple(f for f in facts if f is not None and not f.constant and not f.shape_only)


def sequence_input(evidence: Evidence) -> TensorFacts | None:
    """Facts of the first input that carries content along a sequence axis, else of the first that carries content."""
    facts = data_inputs(evidence)
    return next((f for f in facts if f.sequence_axes), facts[0] if facts else None)


def constant_of(site: Site) -> float | None:
    """The only constant among the operands of a selection, addition or product, where it is known."""
    return site.settings.value if isinstance(site.settings, Fill) else None


def works_along_sequence(evidence: Evidence) -> bool:
    """Whether the site's axes include a sequence axis. True when nothing says otherwise: an origin mixes something."""
    facts = sequence_input(evidence)
    if facts is None or not facts.sequence_axes:
        return True
    axes = axes_of(evidence.site.settings, len(facts.shape))
    if axes is not None:
        return bool(set(axes) & set(facts.sequence_axes))
    out = evidence.output_facts
    return out is None or len(out.sequence_axes) < len(facts.sequence_axes) or len(out.shape) == len(facts.shape)


def works_along_batch(evidence: Evidence) -> bool:
    """Whether the site's axes include the batch axis, or its result has lost it."""
    facts = sequence_input(evidence)
    if facts is None:
        return False
    axes = axes_of(evidence.site.settings, len(facts.shape))
    if axes is not None:
        # A trace of one row does not tell which axis is the batch; by convention it is the first.
        return (0 if facts.batch_axis is None and 0 not in facts.sequence_axes else facts.batch_axis) in axes
    if facts.batch_axis is None:
        return False
    out = evidence.output_facts
    return out is not None and out.batch_axis is None


def keeps_sequence(evidence: Evidence) -> bool:
    """Whether the site's result still runs along a sequence axis."""
    facts, out = sequence_input(evidence), evidence.output_facts
    if evidence.site.kind is Kind.WINDOW and facts is not None and out is not None:
        # Windows of two make nine and ten steps five alike: their number tells no sequence, and is more than one.
        return any(out.shape[axis] > 1 for axis in facts.sequence_axes if axis < len(out.shape))
    axes = axes_of(evidence.site.settings, len(facts.shape)) if facts and evidence.site.kind in REDUCTIONS else None
    if facts is not None and axes is not None and set(facts.sequence_axes) <= set(axes):
        return False
    return out is not None and bool(out.sequence_axes)


def zero_pads(evidence: Evidence) -> bool:
    """Whether what the site reads is exactly 0 at every pad, whatever stands in the model's inputs there."""
    facts = sequence_input(evidence)
    return facts is not None and facts.zero_at_pads and TwinKind.CONTENT not in leaking(evidence)


def mask_reaches(evidence: Evidence) -> bool:
    return any(f.mask_reaches for f in evidence.input_facts)


def reads(reader: Site, maker: Site) -> bool:
    return bool(set(reader.inputs) & set(maker.outputs))


def of_images(evidence: Evidence) -> bool:
    """Whether what is padded are images: features of four axes."""
    return any(i.role is Role.FEATURES and len(i.dims) == 4 for i in _domain_inputs(evidence))


def tokens_carry_mask(evidence: Evidence, role: Role = Role.TOKENS) -> bool:
    """Whether the model reads the padding off an input of ``role`` itself."""
    return any(i.ids_carry_mask and i.role is role for i in _domain_inputs(evidence))


def mask_inputs(evidence: Evidence) -> tuple[InputContract, ...]:
    """Inputs that mark the padding of the origin's domain."""
    return tuple(i for i in _domain_inputs(evidence) if i.role.marks_padding)


def has_role(evidence: Evidence, role: Role) -> bool:
    return any(i.role is role for i in _domain_inputs(evidence))


def _domain_inputs(evidence: Evidence) -> tuple[InputContract, ...]:
    return tuple(i for i in evidence.contract.inputs if evidence.domain is None or i.domain == evidence.domain)


def unused_mask(evidence: Evidence) -> StaticFact | None:
    """The fact that a mask input of the file has no consumer."""
    names = {i.name for i in evidence.contract.inputs if i.role.marks_padding}
    for fact in static.joined_static(evidence, FactKind.UNUSED_INPUT):
        words = set(re.findall(r"[\w.:/-]+", fact.detail))
        if words & names or (not names and re.search(r"mask|length", fact.detail, re.IGNORECASE)):
            return fact
    return None


def lost_mask(evidence: Evidence) -> RootCause | None:
    """Where the mask this site lacks was lost, if the graph shows it."""
    unused = unused_mask(evidence)
    if unused is not None:
        return RootCause(None, unused.detail)
    joined = static.static_cause(evidence, FactKind.MASK_DROPPED)
    if joined is not None:
        return joined
    for fact in static.joined_static(evidence, FactKind.NO_LENGTHS, FactKind.NO_MASK, FactKind.MASK_IGNORED):
        if fact.site in (evidence.site.name, evidence.site.module):
            return RootCause(evidence.site, fact.detail)
    behind = {s.name for s in evidence.downstream}
    dropped = [f for f in evidence.static if f.kind == FactKind.MASK_DROPPED and f.site not in behind]
    return RootCause(None, dropped[-1].detail) if dropped else _mask_of_computed(evidence)


def _mask_of_computed(evidence: Evidence) -> RootCause | None:
    """A layer that looks for a masking value in what was computed from the pads, not in the pads."""
    if left_only(evidence) or mates_only(evidence):
        return None
    names = {i.name for i in evidence.contract.inputs}
    for site in evidence.upstream:
        if does(site, Operation.MASKING) and not names & set(site.inputs):
            return RootCause(site, "padding is recognised by a value here, and computed features no longer have it")
    return None


def dropped_before(evidence: Evidence) -> RootCause | None:
    """The layer before this site that dropped the mask beside its input: whatever the site does wrong, it does
    without it.

    Left padding and batch mates leak with a mask as well, and so explain nothing.
    """
    if left_only(evidence) or mates_only(evidence):
        return None
    names = {evidence.site.name, evidence.site.module, *(s.name for s in evidence.downstream)}
    facts = static.joined_static(evidence, FactKind.MASK_DROPPED)
    near = next((f for f in facts if f.site is not None and f.site not in names), None)
    return None if near is None else RootCause(static.site_named(evidence, near.site), near.detail)


def from_sizes(evidence: Evidence, axes: int = 0) -> str | None:
    """Key of the first operand that is computed from sizes alone and has at least so many sequence ``axes``."""
    for key in evidence.site.inputs:
        facts = evidence.facts(key)
        if facts is not None and facts.shape_only and len(facts.sequence_axes) >= axes:
            return key
    return None


def length_enters(evidence: Evidence, key: str) -> RootCause | None:
    """Where a number computed from sizes alone becomes one that the padded length changes, seen from operand ``key``.

    That is the earliest maker among its ancestors whose own result differs while nothing it reads does.
    """
    makers = {k: s for s in evidence.upstream for k in s.outputs}
    stack, seen = [key], set()
    found: Site | None = None
    while stack:
        site = makers.get(stack.pop(0))
        if site is None or site.name in seen:
            continue
        seen.add(site.name)
        casts = does(site, Operation.CAST)
        found = site if found is None or (any(_moves(evidence, k) for k in site.outputs) and not casts) else found
        stack += [k for k in site.inputs if _moves(evidence, k)]
    return RootCause(found, "the padded length is read here") if found else None


def _moves(evidence: Evidence, key: str) -> bool:
    """Whether the padded length changes a number computed from sizes alone; a size itself is no such number."""
    facts = evidence.facts(key)
    if facts is None or not facts.shape_only or not facts.difference > 0.0:
        return False
    return bool(facts.sequence_axes) or not facts.dtype.startswith("int")


def sentence(text: str) -> str:
    """``text`` with a full stop at its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def is_a(evidence: Evidence, what: str, *kinds: Kind) -> str | None:
    """Return the reason why the site is not ``what``; ``None`` when its kind is one of ``kinds``."""
    return None if evidence.site.kind in kinds else f"{evidence.site.operator} is not {what}"


_PROJECTIONS = (Kind.CONVOLUTION, Kind.MATMUL, Kind.RECURRENT, Kind.ATTENTION)


def right_behind(evidence: Evidence) -> tuple[Site, ...]:
    """Sites after the origin, nearest first, up to where its result is projected: behind that it is something else."""
    return tuple(takewhile(lambda site: site.kind not in _PROJECTIONS, evidence.downstream))
