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
    ("MC802", quantization.shared_block_scale),
    ("MC801", quantization.dynamic_activation_scale),
    ("MC803", quantization.clipped_mask),
    ("MC220", attention_structure.non_finite_padding),
    ("MC221", attention_structure.half_precision_mask_value),
    ("MC702", embedding.real_token_taken_for_padding),
    # Facts about the whole model that explain many kinds of site.
    ("MC202", attention.inverted_mask),
    ("MC305", recurrent.last_step_is_zero_filled),
    ("MC310", recurrent.loop_without_state_select_by_rounds),
    ("MC941", export.baked_length),
    ("MC218", attention_structure.length_dependent_pattern_of_sizes),
    ("MC705", embedding.side_derived_from_ids),
    ("MC706", embedding.masking_value_mismatch),
    ("MC706", embedding.masking_value_mismatch_of_computed),
    # Attention, from the wrong axis to the mask that never was.
    ("MC203", attention.softmax_over_wrong_axis),
    ("MC211", attention_structure.attention_across_batch),
    ("MC212", attention_structure.mask_of_another_row),
    ("MC204", attention.mask_on_queries),
    ("MC942", export.lengths_mean_right_padding),
    ("MC219", attention_structure.window_ignores_left_padding),
    ("MC217", attention_structure.causal_without_padding_mask),
    ("MC209", attention.mask_after_softmax),
    ("MC405", convolution.length_formula),
    ("MC222", attention_structure.filler_called_real),
    ("MC218", attention_structure.length_dependent_pattern),
    ("MC210", attention.uniform_attention),
    ("MC208", attention.inert_mask),
    ("MC206", attention.weak_mask_value),
    ("MC207", attention.mask_added_as_numbers),
    ("MC109", pooling.unmasked_attention_pooling),
    ("MC214", attention_structure.unmasked_cross_attention),
    ("MC940", attention.mask_dropped_by_export),
    ("MC943", attention.fused_attention_without_mask),
    ("MC205", attention.mask_never_reaches_attention),
    ("MC201", attention.no_padding_mask),
    # Products.
    ("MC704", embedding.flattened_sequence),
    ("MC203", attention.softmax_over_wrong_axis_of_features),
    ("MC210", attention_structure.uniform_attention_at_product),
    ("MC924", mixing.soft_assignment),
    ("MC215", attention_structure.linear_attention_unmasked_keys),
    ("MC216", attention_structure.low_rank_attention),
    # Normalisation, then reductions: a mean that is subtracted again is no pooling.
    ("MC503", normalization.batch_norm_in_training_mode),
    ("MC922", mixing.reduction_across_rows),
    ("MC501", normalization.group_norm_over_time),
    ("MC110", pooling.unmasked_statistics_pooling),
    ("MC502", normalization.layer_norm_over_time),
    ("MC504", normalization.instance_standardisation),
    ("MC111", pooling.unmasked_gate),
    ("MC304", recurrent.lengths_with_left_padding),
    ("MC606", positional.blocks_counted_from_column_zero),
    ("MC112", pooling.window_crosses_boundary),
    ("MC102", pooling.masked_sum_padded_length),
    ("MC104", pooling.zero_filled_max),
    ("MC103", pooling.unmasked_max),
    ("MC101", pooling.unmasked_mean),
    ("MC114", pooling.unmasked_sum),
    # Indices.
    ("MC307", recurrent.reversed_scan),
    ("MC306", recurrent.rows_out_of_order),
    ("MC106", pooling.last_by_length_left),
    ("MC107", pooling.pooled_index_from_ids),
    ("MC108", pooling.first_position_left),
    # Recurrence.
    ("MC308", recurrent.state_runs_through_left_padding),
    ("MC309", recurrent.outer_mask_missing),
    ("MC303", recurrent.zeroed_but_not_skipped),
    ("MC301", recurrent.bidirectional_without_lengths),
    ("MC302", recurrent.final_state_through_padding),
    ("MC310", recurrent.loop_without_state_select),
    ("MC105", pooling.last_position),
    # Convolution.
    ("MC409", convolution.image_padding),
    ("MC407", convolution.unmasked_convolution_branch),
    ("MC408", convolution.causal_convolution_left),
    ("MC403", convolution.conformer_convolution_unmasked),
    ("MC402", convolution.bias_refills_padding),
    ("MC404", convolution.subsampling_unmasked),
    ("MC401", convolution.convolution_over_padding),
    # Positions and embeddings.
    ("MC701", embedding.bag_counts_padding),
    ("MC605", positional.length_dependent_rotary),
    ("MC607", positional.relative_bias_anchored_to_columns),
    ("MC601", positional.positions_not_given),
    ("MC602", positional.positions_from_columns),
    ("MC604", positional.positions_from_ids),
    ("MC603", positional.scaled_by_padded_length),
    ("MC703", embedding.rescaled_by_row_counts),
    ("MC406", convolution.neighbour_concatenation),
    # Mixing and routing.
    ("MC920", mixing.fourier_mixing),
    ("MC921", mixing.token_mixing),
    ("MC901", routing.padding_takes_expert_capacity),
    ("MC902", routing.positions_chosen_with_padding),
    ("MC923", mixing.running_sum_over_padding),
    # Whatever is left.
    ("MC944", export.mask_dropped_by_layer),
    ("MC999", export.unclassified_leak),
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
