"""What export and conversion lose or freeze, and the last resort."""

from __future__ import annotations

from maskcheck.core.contract import Role
from maskcheck.core.evidence import Evidence
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import Slice, axes_of
from maskcheck.ir.static_fact import FactKind
from maskcheck.rules import masking, predicates, static
from maskcheck.rules.rule import Match

_VERBS = {
    Kind.ELEMENTWISE: "combines real positions with numbers that depend on the padding",
    Kind.CONCATENATE: "joins real positions with padding",
    Kind.INDEX: "picks values that depend on the padding",
    Kind.SUBGRAPH: "contains a nested graph inside which padding reaches real positions",
    Kind.OTHER: "is an operation whose inside is not known; padding reaches real positions in it",
}


def state_or_randomness(evidence: Evidence) -> Match | str:
    if evidence.site.kind is Kind.RANDOM:
        return Match(f"{evidence.site.operator} draws random numbers, which differ between paddings.")
    if TwinKind.REPEAT in predicates.leaking(evidence) or evidence.at_outputs.get(TwinKind.REPEAT, 0.0) != 0.0:
        return Match(
            f"{evidence.site.operator} gives two answers to the same call: it draws random numbers or keeps a state."
        )
    return "the model agrees with itself"


def baked_length(evidence: Evidence) -> Match | str:
    cause = static.static_cause(evidence, FactKind.BAKED_LENGTH)
    if cause is not None and not predicates.mates_only(evidence):
        return Match(
            f"{evidence.site.operator} works with a length frozen at export: {predicates.sentence(cause.reason)}",
            cause,
        )
    cut = _constant_cut(evidence)
    if cut is not None and not predicates.mates_only(evidence):
        return Match(
            f"{evidence.site.operator} works on rows cut at a column that was frozen at export.",
            RootCause(cut[0], f"the length of the traced example is a constant here ({cut[1]})"),
        )
    dead = evidence.dead_positions
    if not dead or min(dead) < 0.5:
        return "no length of the traced example is known to be frozen"
    if predicates.mask_inputs(evidence) or predicates.zero_pads(evidence):
        return "the dead end of the text has a likelier cause"
    return Match(
        f"{evidence.site.operator} ignores the end of longer rows: the length of the traced example is frozen in "
        "the file."
    )


def lengths_mean_right_padding(evidence: Evidence) -> Match | str:
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    if _masks_by_length(evidence):
        return Match(
            f"{evidence.site.operator} masks by lengths, which count real positions from column 0: left padding is "
            "taken for text."
        )
    reason = predicates.is_a(evidence, "a fused attention", Kind.ATTENTION)
    if reason:
        return reason
    cause = static.static_cause(evidence, FactKind.MASK_INDEX, FactKind.KEY_LENGTHS)
    operand = masking.mask_operand(evidence)
    if cause is None and (operand is None or len(operand.shape) != 1):
        return "its mask operand is not a list of lengths"
    return Match(
        f"{evidence.site.operator} is told how many keys are real, counted from the left: left padding is misread.",
        cause,
    )


def _masks_by_length(evidence: Evidence) -> bool:
    """Whether a mask made from lengths meets the sequence at this site."""
    if evidence.site.kind in (Kind.RECURRENT, Kind.INDEX) or not predicates.mask_reaches(evidence):
        return False
    return {i.role for i in predicates.mask_inputs(evidence)} == {Role.LENGTHS}


def _constant_cut(evidence: Evidence) -> tuple[Site, int] | None:
    """A slice of the sequence that ends at a constant column, and that column: the origin, or right before it."""
    near = [s for s in evidence.upstream if predicates.reads(evidence.site, s)]
    for site in (evidence.site, *near):
        facts = next(iter(predicates.data_inputs(evidence, site)), None)
        column = _end_of_cut(site)
        axes = axes_of(site.settings, len(facts.shape)) if facts is not None else None
        if facts is not None and column is not None and axes and set(axes) & set(facts.sequence_axes):
            return site, column
    return None


def _end_of_cut(site: Site) -> int | None:
    """Where a slice of one axis ends that leaves out nothing before."""
    match site.settings:
        case Slice(starts=(0,), ends=(int() as end,), steps=(1,) | None) if 1 < end < 2**31 - 1:
            return end
        case _:
            return None


def mask_dropped_by_layer(evidence: Evidence) -> Match | str:
    dropped = [f for f in evidence.static if f.kind == FactKind.MASK_DROPPED]
    if not dropped:
        return "no layer is known to drop the mask"
    if predicates.left_only(evidence) or predicates.mates_only(evidence):
        return "right padding is clean"
    near = static.static_cause(evidence, FactKind.MASK_DROPPED)
    return Match(
        f"{evidence.site.operator} received no mask, because an earlier layer dropped it.",
        near or RootCause(None, dropped[-1].detail),
    )


def unclassified_leak(evidence: Evidence) -> Match | str:
    verb = _VERBS.get(evidence.site.kind, "combines real positions with padding")
    return Match(f"{_spoken(evidence.site)} {verb}.")


def _spoken(site: Site) -> str:
    return f"{site.operator} in {site.module}" if site.module else f"{site.operator}"
