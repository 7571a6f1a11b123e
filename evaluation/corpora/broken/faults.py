"""What each sound model can have wrong with it, and the rules that would explain it."""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, tuple[str, ...]] = {
    "no_mask": ("MC201", "MC205", "MC214", "MC940"),
    "on_queries": ("MC204",),
    "weak_fill": ("MC206",),
    "multiplied": ("MC206", "MC207"),
    "after_softmax": ("MC209",),
    "inverted": ("MC202",),
    "norm_over_time": ("MC501", "MC502", "MC504", "MC505", "MC110"),
    "plain_mean": ("MC101",),
    "padded_length": ("MC102",),
    "plain_max": ("MC103",),
    "zero_filled_max": ("MC104",),
    "last_column": ("MC105",),
    "last_position": ("MC105",),
    "plain_sum": ("MC114",),
    "scaled_positions": ("MC603",),
    "unmasked_convolution": ("MC401", "MC403"),
    "not_packed": ("MC301",),
    "final_state": ("MC302",),
    "backwards": ("MC923", "MC307"),
    "unmasked_gate": ("MC111",),
    "routed_over_time": ("MC109", "MC203"),
    "scaled_over_pads": ("MC501", "MC502", "MC504", "MC505", "MC110"),
}
"""Rules that name the mechanism of a fault."""

ATTENTION = ("no_mask", "on_queries", "weak_fill", "multiplied", "after_softmax", "inverted")
POOLING = ("plain_mean", "padded_length", "plain_max", "zero_filled_max", "last_column", "plain_sum")

FAULTS: Mapping[str, tuple[str, ...]] = {
    "encoder": (*ATTENTION, *POOLING, "norm_over_time", "scaled_positions"),
    "tagger": (*ATTENTION, "norm_over_time", "scaled_positions"),
    "decoder": ("last_position", "no_mask", "norm_over_time", "scaled_positions"),
    "encoder-decoder": (
        "no_mask",
        "weak_fill",
        "cross_no_mask",
        "cross_weak_fill",
        "cross_multiplied",
        "norm_over_time",
    ),
    "conformer": ("unmasked_convolution", "no_mask", "after_softmax", "plain_mean", "last_column", "norm_over_time"),
    "text-cnn": ("unmasked_convolution", "plain_max"),
    "recurrent-tagger": ("not_packed",),
    "recurrent-classifier": ("final_state",),
    "state-space": ("backwards", *POOLING),
    "experts": ("unmasked_gate", "routed_over_time", *POOLING),
    "series": ("scaled_over_pads", "no_mask", "multiplied", "plain_mean", "padded_length", "plain_max"),
}


def rules(fault: str) -> frozenset[str]:
    return frozenset(RULES[own(fault)])


def own(fault: str) -> str:
    """The name of a fault without where it is: a cross-attention has those of an attention."""
    return fault.removeprefix("cross_")


def may_meet(first: str, second: str) -> bool:
    """One attention, one pooling: of two faults in one place only the first would be taken."""
    groups = (ATTENTION, POOLING, tuple(f"cross_{name}" for name in ATTENTION))
    return not any(first in group and second in group for group in groups)
