"""The order in which rules are tried: the most specific first, the one that explains anything last."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.rules import (
    attention,
    attention_structure,
    convolution,
    embedding,
    export,
    masking,
    mixing,
    normalization,
    pooling,
    positional,
    predicates,
    quantization,
    recurrent,
    routing,
)
from maskcheck.rules.lookup import rule
from maskcheck.rules.rule import Diagnosis, Match, Matcher

LAST = "MC999"

MATCHERS: tuple[tuple[str, Matcher], ...] = (
    # What spoils every other measurement, or shows in one twin only.
    ("MC945", export.state_or_randomness),
    ("MC213", attention_structure.fully_masked_row),
    ("MC113", pooling.empty_row_division),
    ("MC802", quantization.block_scale),
    ("MC801", quantization.dynamic_scale),
    ("MC803", quantization.clipped_mask),
    ("MC220", attention_structure.non_finite_padding),
    ("MC221", attention_structure.half_precision_mask),
    ("MC702", embedding.real_token_as_padding),
    # Facts about the whole model that explain many kinds of site.
    ("MC202", attention.inverted_mask),
    ("MC305", recurrent.zero_filled_last_step),
    ("MC310", recurrent.further_rounds),
    ("MC941", export.baked_length),
    ("MC218", attention_structure.pattern_from_sizes),
    ("MC705", embedding.side_from_ids),
    ("MC706", embedding.masking_value),
    ("MC706", embedding.computed_value),
    # Attention, from the wrong axis to the mask that never was.
    ("MC203", attention.softmax_over_wrong_axis),
    ("MC211", attention_structure.attention_across_batch),
    ("MC212", attention_structure.mask_of_another_row),
    ("MC204", attention.mask_on_queries),
    ("MC942", export.mask_as_length),
    ("MC219", attention_structure.window_ignores_left_padding),
    ("MC217", attention_structure.causal_without_mask),
    ("MC209", attention.mask_after_softmax),
    ("MC405", convolution.length_formula),
    ("MC222", attention_structure.filler_called_real),
    ("MC218", attention_structure.length_dependent_pattern),
    ("MC210", attention.uniform_attention),
    ("MC208", attention.inert_mask),
    ("MC206", attention.weak_mask_value),
    ("MC207", attention.mask_added_as_numbers),
    ("MC109", pooling.attention_pooling),
    ("MC214", attention_structure.cross_attention),
    ("MC940", attention.mask_dropped_by_export),
    ("MC943", attention.fused_without_mask),
    ("MC205", attention.mask_never_reaches),
    ("MC201", attention.no_padding_mask),
    # Products.
    ("MC704", embedding.flattened),
    ("MC203", attention.softmax_over_something_else),
    ("MC210", attention_structure.weights_on_pads),
    ("MC924", mixing.soft_assignment),
    ("MC215", attention_structure.linear_attention),
    ("MC216", attention_structure.low_rank),
    # Normalisation, then reductions: a mean that is subtracted again is no pooling.
    ("MC503", normalization.batch_norm),
    ("MC922", mixing.across_rows),
    ("MC501", normalization.group_norm),
    ("MC110", pooling.statistics),
    ("MC502", normalization.layer_norm),
    ("MC504", normalization.standardisation),
    ("MC111", pooling.gate),
    ("MC304", recurrent.lengths_with_left_padding),
    ("MC606", positional.blocks),
    ("MC112", pooling.window),
    ("MC102", pooling.masked_sum_padded_length),
    ("MC104", pooling.zero_filled_max),
    ("MC103", pooling.unmasked_max),
    ("MC101", pooling.unmasked_mean),
    ("MC114", pooling.unmasked_sum),
    # Indices.
    ("MC307", recurrent.reversed_scan),
    ("MC306", recurrent.rows_out_of_order),
    ("MC106", pooling.last_by_length),
    ("MC107", pooling.index_from_ids),
    ("MC108", pooling.first_position),
    # Recurrence.
    ("MC308", recurrent.through_left_padding),
    ("MC309", recurrent.outer_mask_missing),
    ("MC303", recurrent.zeroed_not_skipped),
    ("MC301", recurrent.bidirectional),
    ("MC302", recurrent.final_state),
    ("MC310", recurrent.loop_without_select),
    ("MC105", pooling.last_position),
    # Convolution.
    ("MC409", convolution.image_padding),
    ("MC407", convolution.branch),
    ("MC408", convolution.causal_left),
    ("MC403", convolution.gated_block),
    ("MC402", convolution.bias_refill),
    ("MC404", convolution.strided),
    ("MC401", convolution.unmasked),
    # Positions and embeddings.
    ("MC701", embedding.bag),
    ("MC605", positional.rotary),
    ("MC607", positional.relative_bias),
    ("MC601", positional.not_given),
    ("MC602", positional.from_columns),
    ("MC604", positional.from_ids),
    ("MC603", positional.scaled),
    ("MC703", embedding.rescaled_by_counts),
    ("MC406", convolution.neighbours),
    # Mixing and routing.
    ("MC920", mixing.fourier),
    ("MC921", mixing.token_mixing),
    ("MC901", routing.expert_capacity),
    ("MC902", routing.chosen_positions),
    ("MC923", mixing.running_sum),
    # Whatever is left.
    ("MC944", export.mask_dropped_by_layer),
    ("MC999", export.unclassified),
)


def first_match(evidence: Evidence) -> Diagnosis:
    """Return the diagnosis of the first rule that applies, with the reasons of those that did not.

    A product of attention weights with values is judged as the softmax that made the weights.
    """
    seen = masking.as_softmax(evidence)
    found = _tried(seen) if seen is not None else None
    if found is None or found.rule.code == LAST:
        found = _tried(evidence)
    return found


def _tried(evidence: Evidence) -> Diagnosis:
    considered: list[tuple[str, str]] = []
    for code, matcher in MATCHERS:
        found = matcher(evidence)
        if isinstance(found, Match):
            chosen = rule(code)
            fix = chosen.mend(evidence.framework)
            cause = found.root_cause or predicates.dropped_before(evidence)
            return Diagnosis(chosen, found.message, fix, cause, tuple(considered), found.site or evidence.site)
        considered.append((code, found))
    raise AssertionError(f"{LAST} explains any evidence")
