"""Recurrent layers, scans and loops."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence, Spread
from maskcheck.core.report import RootCause, TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Along, Direction, Recurrence, Slice, StepwiseLayer
from maskcheck.ir.static_fact import FactKind
from maskcheck.rules import predicates, static
from maskcheck.rules.rule import Match


def outer_mask_missing(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a recurrent layer", Kind.RECURRENT)
    if reason:
        return reason
    dimensions = next((d.dimensions for d in evidence.contract.domains if d.name == evidence.domain), ())
    if len(dimensions) < 2:
        return "the input has one padded axis"
    if predicates.left_only(evidence) or predicates.mates_only(evidence) or has_lengths(evidence):
        return "the layer does receive lengths, or right padding is clean"
    return Match(
        f"{evidence.site.operator} steps through outer elements that hold nothing but padding: their mask was not "
        "derived."
    )


def lengths_with_left_padding(evidence: Evidence) -> Match | str:
    packs = predicates.does(evidence.site, Operation.PACK_SEQUENCE, Operation.UNPACK_SEQUENCE)
    reason = None if packs else predicates.is_a(evidence, "a recurrent layer", Kind.RECURRENT)
    if reason:
        return reason
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    if not packs and not has_lengths(evidence):
        return "the layer receives no lengths"
    return Match(
        f"{evidence.site.operator} is told lengths, which mean the first steps: with left padding those are the pads."
    )


def state_runs_through_left_padding(evidence: Evidence) -> Match | str:
    if not predicates.left_only(evidence):
        return "right padding leaks as well"
    kinds = (Kind.RECURRENT, Kind.SCAN, Kind.SUBGRAPH)
    if evidence.site.kind not in kinds and not _unrolled_scan(evidence):
        return f"{evidence.site.operator} is not a recurrence or scan"
    return Match(
        f"{evidence.site.operator} starts its state in the left padding, which it reads as the beginning of the text."
    )


def rows_out_of_order(evidence: Evidence) -> Match | str:
    picks = (Kind.INDEX, Kind.ROUTING, Kind.RECURRENT)
    reason = predicates.is_a(evidence, "a selection of rows", *picks)
    if reason:
        return reason
    if not predicates.mates_only(evidence):
        return "padding of the row itself leaks too"
    recurrent = predicates.any_kind((evidence.site, *evidence.upstream, *evidence.downstream), Kind.RECURRENT)
    if not recurrent and not predicates.works_along_batch(evidence):
        return "no rows were sorted for a recurrent layer"
    return Match(
        f"{evidence.site.operator} hands back rows in the order of their lengths: answers belong to other rows."
    )


def last_step_is_zero_filled(evidence: Evidence) -> Match | str:
    if _answers_zero_at_pads(evidence.site) and not predicates.keeps_sequence(evidence):
        return Match(
            f"{evidence.site.operator} hands out zeros at masked steps, and its last output is one of them in every "
            "row that is padded behind."
        )
    reason = predicates.is_a(evidence, "an index", Kind.INDEX)
    if reason:
        return reason
    if predicates.keeps_sequence(evidence):
        return "it picks several positions"
    if not predicates.zero_pads(evidence) or predicates.left_only(evidence):
        return "what it reads is not zero at the pads"
    if not predicates.number_only(evidence) and not evidence.dead_positions:
        return "what stands in the pads matters"
    return Match(
        f"{evidence.site.operator} takes the last column of a tensor whose pads are filled with zeros: short rows "
        "give zeros."
    )


def _answers_zero_at_pads(site: Site) -> bool:
    """Whether a recurrent layer that returns its last output alone returns zeros where that is a pad's."""
    match site.settings:
        case Recurrence(zeroes_pads=True, returns_sequence=False):
            return True
        case _:
            return False


def zeroed_but_not_skipped(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a recurrent layer", Kind.RECURRENT, Kind.SUBGRAPH)
    if reason:
        return reason
    if TwinKind.CONTENT in predicates.leaking(evidence):
        return "what stands in the pads matters"
    zeroed = predicates.zero_pads(evidence)
    if not zeroed and not predicates.number_only(evidence):
        return "what stands in the pads matters"
    facts = predicates.sequence_input(evidence)
    if not zeroed and (facts is None or not facts.mask_reaches):
        return "nothing masks its input"
    return Match(
        f"{evidence.site.operator} steps through pads whose input is zeroed, but its biases and its state still move."
    )


def bidirectional_without_lengths(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a recurrent layer", Kind.RECURRENT)
    if reason:
        return reason
    if not runs_backward(evidence):
        return "the layer runs forward only"
    if reads_state_only(evidence):
        return "only its final state is used"
    return Match(
        f"The backward pass of {evidence.site.operator} starts in the padding: the layer is not told the lengths.",
        predicates.lost_mask(evidence),
    )


def final_state_through_padding(evidence: Evidence) -> Match | str:
    column = _last_column(evidence)
    if column is not None:
        return Match(
            f"{evidence.site.operator} takes the last column of {column.operator}, which ran on through the pads.",
            RootCause(column, "this layer is not told the lengths"),
        )
    inside = evidence.site.settings == StepwiseLayer(recurrent=True)
    reason = None if inside else predicates.is_a(evidence, "a recurrent layer", Kind.RECURRENT)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operator} runs on through the pads: its last state is the one after the padding, not "
        "after the text.",
        predicates.lost_mask(evidence),
    )


def reversed_scan(evidence: Evidence) -> Match | str:
    site = evidence.site
    flips = site.kind in (Kind.INDEX, Kind.LAYOUT) and _reverses(site)
    scans = site.kind is Kind.SCAN and (runs_backward(evidence) or evidence.spread is Spread.START)
    if not flips and not scans:
        return f"{site.operator} does not run from the end"
    if predicates.mates_only(evidence):
        return "only other rows change it"
    return Match(
        f"{site.operator} runs from the end of the padded row, so the pads come before every real position.",
        predicates.lost_mask(evidence),
    )


def loop_without_state_select(evidence: Evidence) -> Match | str:
    if not predicates.does(evidence.site, Operation.LOOP):
        return f"{evidence.site.operator} is not a loop"
    who = (
        "a mask that belongs to other rows"
        if predicates.mates_only(evidence)
        else "no selection of the old state at pads"
    )
    return Match(f"{evidence.site.operator} loops over the padded length with {who}.", predicates.lost_mask(evidence))


def loop_without_state_select_by_rounds(evidence: Evidence) -> Match | str:
    """A loop written in Python: the padded run goes round it more often, and the origin reads what it ends with."""
    names = [site.name.rpartition("#")[0] for site in evidence.further]
    again = {name for name in names if name and names.count(name) > 1}
    last = next((s for s in evidence.further if predicates.reads(evidence.site, s)), None)
    if last is None or last.name.rpartition("#")[0] not in again:
        return "the padded run goes round no loop more often"
    return Match(
        f"{last.operator} goes on round its loop through the pads, and {evidence.site.operator} reads what it ends "
        "with.",
        predicates.lost_mask(evidence),
        last,
    )


def reads_state_only(evidence: Evidence) -> bool:
    """Whether the rest of the model reads the final state and not the outputs of all steps."""
    outputs = evidence.site.outputs
    read = {key for site in evidence.downstream for key in site.inputs}
    return len(outputs) > 1 and outputs[0] not in read and bool(read & set(outputs[1:]))


def _last_column(evidence: Evidence) -> Site | None:
    """The recurrent layer without lengths whose last column an index takes."""
    if (
        evidence.site.kind is not Kind.INDEX
        or predicates.keeps_sequence(evidence)
        or not predicates.right_leaks(evidence)
    ):
        return None
    makers = [
        s
        for s in evidence.upstream
        if s.kind is not Kind.LAYOUT and not predicates.does(s, Operation.CONSTANT, Operation.CONSTANT_LIKE)
    ]
    return makers[0] if makers and makers[0].kind is Kind.RECURRENT else None


def _unrolled_scan(evidence: Evidence) -> bool:
    """Whether a product with decays computed from column distances stands for a scan."""
    decays = any(f.shape_only and len(f.sequence_axes) == 2 for f in evidence.input_facts)
    return evidence.site.kind is Kind.MATMUL and decays


def has_lengths(evidence: Evidence) -> bool:
    """Whether the recurrent layer is given lengths or a mask beside its input."""
    if static.joined_static(evidence, FactKind.NO_LENGTHS):
        return False
    others = (evidence.facts(k) for k in evidence.site.inputs[1:])
    return any(f.mask_reaches for f in others if f is not None and len(f.shape) <= 2)


def runs_backward(evidence: Evidence) -> bool:
    if _told_backward(evidence.site) or predicates.owned_by(evidence.site, "bidirectional"):
        return True
    if _reads_reversed(evidence):
        return True
    # A forward layer with right padding is right at every real step; an error that grows towards the start is not its.
    return evidence.spread is Spread.START and TwinKind.SIDE is not evidence.twin


def _told_backward(site: Site) -> bool:
    match site.settings:
        case Recurrence(direction=Direction.REVERSE | Direction.BIDIRECTIONAL) | Along(reverse=True):
            return True
        case _:
            return False


def _reads_reversed(evidence: Evidence) -> bool:
    """Whether what the origin reads was turned round right before it."""
    makers = {key: s for s in evidence.upstream for key in s.outputs}
    stack = list(evidence.site.inputs)
    while stack:
        maker = makers.get(stack.pop())
        if maker is not None and _reverses(maker):
            return True
        if maker is not None and maker.kind is Kind.LAYOUT:
            stack += maker.inputs
    return False


def _reverses(site: Site) -> bool:
    match site.settings:
        case Slice(steps=tuple() as steps):
            return any(step < 0 for step in steps)
        case _:
            return predicates.does(site, Operation.FLIP, Operation.REVERSE_SEQUENCE)
