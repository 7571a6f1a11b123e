"""Ids, lookups, and sequences that stop being sequences."""

from __future__ import annotations

from maskcheck.core.contract import Role
from maskcheck.core.evidence import Evidence, Spread
from maskcheck.core.report import RootCause, TwinKind, Variant
from maskcheck.ir.graph import Site, ancestors
from maskcheck.ir.operation import EQUALITIES, Kind, Operation
from maskcheck.ir.static_fact import FactKind
from maskcheck.rules import masking, predicates, static
from maskcheck.rules.attention_structure import contracts_sequence
from maskcheck.rules.rule import Match


def bag_counts_padding(evidence: Evidence) -> Match | str:
    owner = predicates.class_name(evidence.site)
    if not predicates.does(evidence.site, Operation.EMBEDDING_BAG) and owner != "EmbeddingBag":
        if (
            evidence.site.kind is not Kind.EMBEDDING
            or predicates.keeps_sequence(evidence)
            or evidence.output_facts is None
        ):
            return f"{evidence.site.operator} is not a bag of embeddings"
        if predicates.left_only(evidence) or not any(f.sequence_axes for f in evidence.input_facts):
            return "it does not look up a padded row"
    return Match(f"{evidence.site.operator} averages the pad id's row of the table like any other.")


def real_token_taken_for_padding(evidence: Evidence) -> Match | str:
    if not predicates.only(evidence, TwinKind.VALID):
        return "padding leaks; no real token is merely ignored"
    if not predicates.tokens_carry_mask(evidence):
        return "the model does not compare ids with a pad id"
    return Match("A real token that equals the pad id is masked like padding: changing it changes nothing.")


_WITH_PAD_VALUE = (Variant.RIGHT, Variant.LEFT, Variant.ALONE, Variant.LONG)
"""Forms of the length twin in which pads hold the pad value."""


def masking_value_mismatch(evidence: Evidence) -> Match | str:
    if not predicates.tokens_carry_mask(evidence, Role.FEATURES):
        return "the model does not find its pads by comparing features with a value"
    if predicates.left_only(evidence) or predicates.mates_only(evidence):
        return "right padding is clean"
    if any(evidence.variants.get((TwinKind.LENGTH, variant), 0.0) > 0.0 for variant in _WITH_PAD_VALUE):
        return "pads that hold the value leak as well"
    if static.joined_static(evidence, FactKind.MASK_DROPPED):
        return "the pads were recognised, and the mask was lost later"
    return Match(
        f"Padding reaches {evidence.site.operator} because it is recognised by an exact value, which these pads do "
        "not hold."
    )


def masking_value_mismatch_of_computed(evidence: Evidence) -> Match | str:
    """Scores are filled where a computed sequence equals a value, and at the pads it does not."""
    reason = predicates.is_a(evidence, "a softmax", Kind.SOFTMAX)
    if reason:
        return reason
    if predicates.left_only(evidence) or predicates.mates_only(evidence) or masking.masked(evidence):
        return "right padding is clean, or a mask of the inputs enters"
    join = next((s for s in masking.up_to_product(evidence) if predicates.does(s, Operation.WHERE)), None)
    masks = [k for k in join.inputs if (f := evidence.facts(k)) is not None and f.dtype == "bool"] if join else []
    for maker in ancestors(masks, evidence.upstream):
        compares = maker.operation in EQUALITIES
        read = [f for k in maker.inputs if (f := evidence.facts(k)) is not None]
        if compares and any(f.sequence_axes and not f.shape_only and not f.constant for f in read):
            return Match(
                f"{evidence.site.operator} leaves out what {maker.operator} recognises as padding by its value, and "
                "pads do not have that value any more where it looks.",
                RootCause(maker, "padding is recognised by a value here"),
            )
    return "nothing that is compared with a value fills its scores"


def side_derived_from_ids(evidence: Evidence) -> Match | str:
    if not predicates.tokens_carry_mask(evidence) or predicates.mask_inputs(evidence):
        return "the model has a mask input, or does not read the padding off the ids"
    if predicates.left_only(evidence):
        return "right padding is clean"
    if TwinKind.LENGTH not in predicates.leaking(evidence) or evidence.at_outputs.get(TwinKind.SIDE) != 0.0:
        return "the other padding side is not known to be clean"
    if any(d.fixed for d in evidence.contract.dimensions.values()):
        return "the length is fixed, so that padding on one side was only compared with padding on the other"
    kinds = (Kind.ELEMENTWISE, Kind.INDEX, Kind.EMBEDDING)
    reason = predicates.is_a(evidence, "a place where masks or positions are made", *kinds)
    if reason:
        return reason
    made_of = predicates.data_inputs(evidence)[evidence.site.kind is Kind.INDEX :]
    if not made_of or not all(f.mask_reaches for f in made_of):
        return "something else than what is derived from the ids enters here"
    side = predicates.usual_side(evidence).value
    return Match(
        f"{evidence.site.operator} takes pads on the {side} for text: the model derives the extent of the text for "
        "the other side."
    )


def rescaled_by_row_counts(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a rescaling", Kind.ELEMENTWISE)
    if reason:
        return reason
    if not predicates.does(evidence.site, *predicates.PRODUCTS, *predicates.DIVISIONS):
        return "it neither multiplies nor divides"
    facts = predicates.data_inputs(evidence)
    factor = any(not f.sequence_axes for f in facts) and any(f.sequence_axes for f in facts)
    if not factor or evidence.spread is not Spread.UNIFORM:
        return "it does not scale a whole sequence by one number per row"
    counts = predicates.any_kind(evidence.upstream, Kind.REDUCE_SUM, Kind.REDUCE_MEAN)
    if not counts or not predicates.any_kind(evidence.upstream, Kind.EMBEDDING):
        return "the factor is not a count next to the embedding"
    return Match(f"{evidence.site.operator} rescales every embedding by a count over the whole row, pads included.")


def flattened_sequence(evidence: Evidence) -> Match | str:
    if predicates.does(evidence.site, Operation.FLATTEN):
        return Match(f"{evidence.site.operator} turns time into features, so that every column has a place of its own.")
    reason = predicates.is_a(evidence, "a product", Kind.MATMUL)
    if reason:
        return reason
    merge = next((s for s in evidence.upstream if _merges_time(evidence, s)), None)
    if merge is None:
        return "nothing before it turns time into features"
    return Match(
        f"{evidence.site.operator} gives every column weights of its own, because {merge.operator} turned time "
        "into features.",
        RootCause(merge, "the sequence axis is merged into the features here, and any mask is lost with it"),
    )


def _merges_time(evidence: Evidence, site: Site) -> bool:
    if site.kind is not Kind.LAYOUT or not _reads(evidence, site):
        return False
    before = next((f for f in (evidence.facts(k) for k in site.inputs) if f is not None), None)
    after = next((f for f in (evidence.facts(k) for k in site.outputs) if f is not None), None)
    if after is not None and len(after.shape) > 2:
        return False
    if predicates.does(site, Operation.FLATTEN):
        return True
    if before is None or after is None or len(before.shape) <= len(after.shape):
        return False
    # (batch, time, features) -> (batch * time, features) keeps the features apart; merging them sums over time.
    return before.shape[0] == after.shape[0] and (bool(before.sequence_axes) or contracts_sequence(evidence))


def _reads(evidence: Evidence, maker: Site) -> bool:
    """Whether the origin reads from ``maker``, directly or through a cast."""
    near = [s for s in evidence.upstream if predicates.reads(evidence.site, s)]
    casts = [s for s in near if predicates.does(s, Operation.CAST, Operation.IDENTITY, Operation.DROPOUT)]
    return predicates.reads(evidence.site, maker) or any(predicates.reads(cast, maker) for cast in casts)
