"""Where rows stand in a batch, and what their masks, lengths and positions say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract, Dimension, Domain, InputContract, Role, Side
from maskcheck.probe.layout import Fill, MaskState, Padding, Row, assemble, random_features, random_tokens


def spec(name: str, role: Role, dtype: str = "int64", dims=("batch", "seq"), **more) -> InputContract:
    return InputContract(name, role, dtype, dims, tuple(more.pop("shape", (0,) * len(dims))), "seq", "test", **more)


def contract(*inputs: InputContract, dimensions=("seq",)) -> Contract:
    return Contract((Domain("seq", tuple(Dimension(d) for d in dimensions)),), inputs, ())


IDS = spec("ids", Role.TOKENS, pad_value=0, vocabulary=50)
ROWS = (Row({"seq": 3}, {"ids": np.array([7, 8, 9])}), Row({"seq": 5}, {"ids": np.array([5, 6, 7, 8, 9])}))


def test_right_padding_fills_the_end_with_the_pad_value() -> None:
    feeds = assemble(contract(IDS), ROWS, Padding({"seq": 6}))
    assert feeds["ids"].tolist() == [[7, 8, 9, 0, 0, 0], [5, 6, 7, 8, 9, 0]]


def test_left_padding_moves_content_to_the_end() -> None:
    feeds = assemble(contract(IDS), ROWS, Padding({"seq": 6}, sides={"seq": Side.LEFT}))
    assert feeds["ids"].tolist() == [[0, 0, 0, 7, 8, 9], [0, 5, 6, 7, 8, 9]]


def test_masks_follow_their_polarity_and_state() -> None:
    mask = spec("mask", Role.MASK, valid_when=0)
    padding = Padding({"seq": 6})
    both = contract(IDS, mask)
    assert assemble(both, ROWS, padding)["mask"].tolist()[0] == [0, 0, 0, 1, 1, 1]
    assert assemble(both, ROWS, replace(padding, mask=MaskState.OMITTED))["mask"].sum() == 0
    assert assemble(both, ROWS, replace(padding, mask=MaskState.INVERTED))["mask"].tolist()[0] == [1, 1, 1, 0, 0, 0]


def test_a_square_additive_mask_hides_keys_and_leaves_queries_free() -> None:
    mask = spec("bias", Role.ADDITIVE_MASK, "float32", ("batch", None, "seq", "seq"), shape=(0, 1, 0, 0))
    value = assemble(contract(IDS, mask), ROWS, Padding({"seq": 6}))["bias"]
    assert value.shape == (2, 1, 6, 6)
    assert (value[0, 0, :, :3] == 0).all() and (value[0, 0, :, 3:] < -1e8).all()


def test_a_pixel_mask_needs_both_height_and_width() -> None:
    mask = InputContract("m", Role.MASK, "int64", ("batch", "height", "width"), (0, 0, 0), "seq", "", valid_when=1)
    image = contract(mask, dimensions=("height", "width"))
    row = Row({"height": 2, "width": 1}, {})
    assert assemble(image, [row], Padding({"height": 3, "width": 2}))["m"][0].tolist() == [[1, 0], [1, 0], [0, 0]]


def test_lengths_are_counts_or_fractions_of_the_padded_length() -> None:
    counted = spec("n", Role.LENGTHS, dims=("batch",))
    relative = spec("r", Role.LENGTHS, "float32", dims=("batch",))
    feeds = assemble(contract(IDS, counted, relative), ROWS, Padding({"seq": 6}))
    assert feeds["n"].tolist() == [3, 5]
    assert feeds["r"].tolist() == [0.5, np.float32(5 / 6)]


def test_positions_count_from_the_first_real_token_when_given() -> None:
    positions = spec("p", Role.POSITIONS)
    left = Padding({"seq": 6}, sides={"seq": Side.LEFT})
    both = contract(IDS, positions)
    assert assemble(both, ROWS, left)["p"].tolist()[0] == [0, 0, 0, 0, 1, 2]
    assert assemble(both, ROWS, replace(left, positions_given=False))["p"].tolist()[0] == [0, 1, 2, 3, 4, 5]


def test_an_empty_row_is_all_padding() -> None:
    mask = spec("mask", Role.MASK, valid_when=1)
    feeds = assemble(contract(IDS, mask), ROWS, Padding({"seq": 6}, empty_rows=(1,)))
    assert feeds["mask"][1].sum() == 0 and feeds["ids"][1].sum() == 0


def test_filler_never_touches_real_positions_and_never_is_the_pad_value() -> None:
    feeds = assemble(contract(IDS), ROWS, Padding({"seq": 40}, fill=Fill.RANDOM))
    assert feeds["ids"][0, :3].tolist() == [7, 8, 9]
    assert (feeds["ids"][0, 3:] != 0).all()
    drawn = random_tokens(np.random.default_rng(0), replace(IDS, pad_value=20, vocabulary=22), (1000,))
    assert 20 not in drawn and drawn.max() < 22


TIME_FIRST = (Row({"seq": 2}, {"ids": np.array([7, 8])}), Row({"seq": 3}, {"ids": np.array([5, 6, 7])}))
"""Rows of two and of three steps; each column is a row where time stands before the batch."""


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
@pytest.mark.parametrize(
    "of", [spec("mask", Role.MASK, valid_when=1), spec("p", Role.POSITIONS), IDS], ids=["mask", "positions", "ids"]
)
def test_time_before_batch_is_the_same_batch_with_its_axes_exchanged(of: InputContract, side: Side) -> None:
    padding = Padding({"seq": 4}, sides={"seq": side})
    turned = replace(of, dims=("seq", "batch"))
    plain = assemble(contract(IDS, of), TIME_FIRST, padding)[of.name]
    assert assemble(contract(IDS, turned), TIME_FIRST, padding)[of.name].tolist() == plain.T.tolist()


def test_the_mask_of_a_time_first_batch_marks_the_steps_of_each_column() -> None:
    mask = spec("mask", Role.MASK, valid_when=1, dims=("seq", "batch"))
    value = assemble(contract(IDS, mask), TIME_FIRST, Padding({"seq": 4}))["mask"]
    assert value.tolist() == [[1, 1], [1, 1], [0, 1], [0, 0]]


def test_inputs_without_a_batch_take_the_first_row() -> None:
    mask = spec("mask", Role.MASK, valid_when=1, dims=("seq",))
    positions = spec("p", Role.POSITIONS, dims=("seq",))
    feeds = assemble(contract(replace(IDS, dims=("seq",)), mask, positions), TIME_FIRST, Padding({"seq": 4}))
    assert feeds["mask"].tolist() == [1, 1, 0, 0]
    assert feeds["p"].tolist() == [0, 1, 1, 1]
    assert feeds["ids"].tolist() == [7, 8, 0, 0]


def test_lengths_of_an_inverted_mask_are_at_least_one() -> None:
    counted = spec("n", Role.LENGTHS, dims=("batch",))
    both = contract(IDS, counted)
    for state, expected in ((MaskState.TRUE, [2, 3]), (MaskState.OMITTED, [3, 3]), (MaskState.INVERTED, [1, 1])):
        assert assemble(both, TIME_FIRST, Padding({"seq": 3}, mask=state))["n"].tolist() == expected


def test_lengths_may_stand_in_a_column() -> None:
    counted = spec("n", Role.LENGTHS, dims=("batch", None), shape=(0, 1))
    assert assemble(contract(IDS, counted), TIME_FIRST, Padding({"seq": 4}))["n"].tolist() == [[2], [3]]


def test_a_random_mask_leaves_every_row_a_position_and_depends_on_the_seed() -> None:
    mask = spec("mask", Role.MASK, valid_when=1)
    rows = TIME_FIRST * 20
    drawn = [
        assemble(contract(IDS, mask), rows, Padding({"seq": 6}, mask=MaskState.RANDOM), seed)["mask"] for seed in (1, 2)
    ]
    assert (drawn[0][:, 0] == 1).all() and set(np.unique(drawn[0][:, 1:])) == {0, 1}
    assert (drawn[0] != drawn[1]).any()


@pytest.mark.parametrize(
    ("dtype", "pad_value", "low"), [("float32", None, -1e9), ("float16", None, -6e4), ("float32", -5.0, -5.0)]
)
def test_an_additive_mask_is_as_low_as_its_type_allows(dtype: str, pad_value: float | None, low: float) -> None:
    bias = spec("bias", Role.ADDITIVE_MASK, dtype, pad_value=pad_value)
    value = assemble(contract(IDS, bias), TIME_FIRST, Padding({"seq": 4}))["bias"]
    assert value[0, :2].tolist() == [0.0, 0.0] and value[0, 2] == np.dtype(dtype).type(low)


X = spec("x", Role.FEATURES, "float32", ("batch", "seq", None), shape=(0, 0, 3), pad_value=0.5)
FRAMES = (Row({"seq": 2}, {"x": np.zeros((2, 3), np.float32)}),)


def filled(fill: Fill, given: InputContract = X, seed: int = 0) -> np.ndarray:
    """The pads of one row of two steps among four hundred."""
    return assemble(contract(given), FRAMES, Padding({"seq": 400}, fill=fill), seed)["x"][0, 2:]


def test_pads_of_features_hold_the_pad_value_or_what_was_asked_for() -> None:
    assert (filled(Fill.PAD) == 0.5).all()
    assert filled(Fill.RANDOM).std() == pytest.approx(2, rel=0.1)
    assert filled(Fill.OTHER_RANDOM).std() == pytest.approx(10, rel=0.1)
    assert filled(Fill.HUGE).std() == pytest.approx(1e4, rel=0.1)
    assert filled(Fill.HUGE, replace(X, dtype="float16")).astype(np.float64).std() == pytest.approx(1e2, rel=0.1)
    assert np.isnan(filled(Fill.NAN)).all()
    assert (filled(Fill.INF) == np.inf).all()


def test_a_near_miss_differs_in_the_first_feature_by_a_thousandth() -> None:
    near = filled(Fill.NEAR)
    assert near[0].tolist() == pytest.approx([0.501, 0.5, 0.5], abs=1e-6)
    assert filled(Fill.NEAR, replace(X, pad_value=-100.0))[0].tolist() == pytest.approx([-99.9, -100, -100])


def test_fillers_depend_on_the_seed_and_on_their_kind() -> None:
    assert (filled(Fill.RANDOM) != filled(Fill.RANDOM, seed=1)).all()
    assert (filled(Fill.RANDOM) == filled(Fill.RANDOM)).all()
    assert (filled(Fill.RANDOM) / 2 != filled(Fill.OTHER_RANDOM) / 10).all()


def test_integer_features_hold_bytes_and_are_never_poisoned() -> None:
    pixels = replace(X, dtype="int64", pad_value=0)
    drawn = random_features(np.random.default_rng(0), pixels, (5000,))
    assert (drawn.min(), drawn.max()) == (1, 99)
    assert (filled(Fill.NAN, pixels) == 0).all()


def test_other_inputs_keep_their_pad_value_whatever_fills_the_rest() -> None:
    kinds = spec("kinds", Role.SEGMENTS, pad_value=0)
    rows = [replace(row, content={**row.content, "kinds": np.ones(row.lengths["seq"])}) for row in TIME_FIRST]
    feeds = assemble(contract(IDS, kinds), rows, Padding({"seq": 4}, fill=Fill.RANDOM))
    assert feeds["kinds"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 0]]


def test_the_padded_length_is_one_number() -> None:
    total = InputContract("total", Role.OTHER, "int32", (), (), "seq", "")
    value = assemble(contract(IDS, total), TIME_FIRST, Padding({"seq": 4}))["total"]
    assert value.shape == () and value == 4 and value.dtype == np.int32
    assert assemble(contract(IDS, replace(total, fill=7)), TIME_FIRST, Padding({"seq": 4}))["total"] == 7


def test_what_has_no_domain_is_never_padded_and_keeps_the_content_of_empty_rows() -> None:
    other = InputContract("o", Role.OTHER, "float32", ("batch", None), (0, 2), None, "")
    rows = [replace(row, content={**row.content, "o": np.array([3.0, 4.0])}) for row in TIME_FIRST]
    feeds = assemble(contract(IDS, other), rows, Padding({"seq": 4}, empty_rows=(1,)))
    assert feeds["o"].tolist() == [[3, 4], [3, 4]]


@pytest.mark.parametrize(
    ("vocabulary", "pad", "low", "high"),
    [(50, 0, 5, 49), (50, 5, 6, 49), (50, 49, 5, 48), (16, 7, 5, 15), (9, None, 3, 8), (None, 0, 2, 7)],
)
def test_ids_are_drawn_from_the_vocabulary_without_the_lowest_and_the_pad(
    vocabulary: int | None, pad: int | None, low: int, high: int
) -> None:
    given = replace(IDS, vocabulary=vocabulary, pad_value=pad)
    drawn = random_tokens(np.random.default_rng(0), given, (20000,))
    assert (drawn.min(), drawn.max()) == (low, high)
    assert pad not in drawn
