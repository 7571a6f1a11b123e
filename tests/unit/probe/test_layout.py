"""Where rows stand in a batch, and what their masks, lengths and positions say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maskcheck.core.contract import Contract, Dimension, Domain, InputContract, Role, Side
from maskcheck.probe.layout import Fill, MaskState, Padding, Row, assemble, random_tokens


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
