"""Rows of real content: generated, recorded, cut to a length, and changed at one position."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Contract, InputContract, Role
from maskcheck.core.errors import UsageError
from maskcheck.probe.layout import Row
from maskcheck.probe.samples import Source, change_position, generate, read_recorded
from tests.unit.probe.build import IDS, LENGTHS, MASK, X, contract

OTHER = InputContract("other", Role.OTHER, "float32", (BATCH, None), (0, 2), None, "")


def of(spec: InputContract, **further: object) -> np.ndarray:
    """What is generated for one input, of 400 steps."""
    told = contract(replace(spec, **further))  # type: ignore[arg-type]
    return generate(told, 1, {"seq": 400}, seed=0)[0].content[spec.name]


def test_rows_have_the_wanted_lengths_and_follow_the_seed() -> None:
    told = contract(IDS, MASK)
    first, again, other = (generate(told, 3, {"seq": 7}, seed) for seed in (0, 0, 1))
    assert [row.lengths for row in first] == [{"seq": 7}] * 3
    assert all((a.content["ids"] == b.content["ids"]).all() for a, b in zip(first, again, strict=True))
    assert (first[0].content["ids"] != other[0].content["ids"]).any()
    assert (first[0].content["ids"] != first[1].content["ids"]).any()


def test_masks_lengths_and_positions_are_made_from_the_layout() -> None:
    positions = replace(MASK, name="p", role=Role.POSITIONS)
    bias = replace(MASK, name="b", role=Role.ADDITIVE_MASK)
    (row,) = generate(contract(IDS, MASK, LENGTHS, positions, bias), 1, {"seq": 7}, 0)
    assert set(row.content) == {"ids"}


def test_content_is_drawn_by_role_and_type() -> None:
    assert of(IDS).min() >= 5 and of(IDS).max() < 50 and of(IDS).dtype == np.int64
    assert of(X).shape == (400, 3) and of(X).std() == pytest.approx(1, rel=0.1)
    assert (of(IDS, role=Role.SEGMENTS) == 0).all()
    assert (of(MASK, role=Role.OTHER, dtype="bool") == 0).all()
    assert set(np.unique(of(IDS, role=Role.OTHER, vocabulary=None))) == {0, 1}
    assert set(np.unique(of(IDS, role=Role.OTHER, vocabulary=3))) == {0, 1, 2}
    assert (of(X, fill=2.5) == 2.5).all()
    assert of(OTHER).shape == (2,)


# Recorded inputs.


def npz(folder: Path, **arrays: object) -> str:
    np.savez(folder / "rows.npz", **{name: np.asarray(value) for name, value in arrays.items()})  # type: ignore[arg-type]
    return str(folder / "rows.npz")


def jsonl(folder: Path, *samples: object) -> str:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(sample) for sample in samples) + "\n\n")
    return str(path)


def ids(rows: tuple[Row, ...], name: str = "ids") -> list[list[int]]:
    return [row.content[name].tolist() for row in rows]


PADDED = [[7, 8, 9, 0], [5, 6, 0, 0]]


def test_recorded_padding_is_cut_off_where_the_pad_value_shows_it(tmp_path: Path) -> None:
    rows = read_recorded(npz(tmp_path, ids=PADDED), contract(IDS))
    assert ids(rows) == [[7, 8, 9], [5, 6]]
    assert [row.lengths["seq"] for row in rows] == [3, 2]


@pytest.mark.parametrize("valid_when", [None, 1, 0])
def test_recorded_padding_is_cut_off_where_the_mask_shows_it(tmp_path: Path, valid_when: int | None) -> None:
    mask = np.array([[0, 1, 1, 0], [1, 1, 1, 1]])
    given = mask if valid_when != 0 else 1 - mask
    told = contract(IDS, replace(MASK, valid_when=valid_when))
    assert ids(read_recorded(npz(tmp_path, ids=PADDED, mask=given), told)) == [[8, 9], [5, 6, 0, 0]]


def test_recorded_samples_may_stand_one_a_line(tmp_path: Path) -> None:
    assert ids(read_recorded(jsonl(tmp_path, {"ids": [7, 8]}, {"ids": [5, 0]}), contract(IDS))) == [[7, 8], [5]]


def test_a_recorded_row_of_nothing_but_padding_keeps_one_step(tmp_path: Path) -> None:
    assert ids(read_recorded(jsonl(tmp_path, {"ids": [0, 0]}), contract(IDS))) == [[0]]


def test_pads_between_real_steps_stay(tmp_path: Path) -> None:
    assert ids(read_recorded(jsonl(tmp_path, {"ids": [0, 7, 0, 8, 0]}), contract(IDS))) == [[7, 0, 8]]


FRAMES = np.arange(24.0).reshape(1, 4, 6)[..., :3] + 1


@pytest.mark.parametrize(
    ("dtype", "given", "steps"), [("int64", 3, 3), ("int64", 4, 4), ("float32", 0.5, 2), ("float32", 1.0, 4)]
)
def test_recorded_features_are_as_long_as_their_lengths_say(
    tmp_path: Path, dtype: str, given: float, steps: int
) -> None:
    told = contract(X, replace(LENGTHS, dtype=dtype))
    (row,) = read_recorded(npz(tmp_path, x=FRAMES, lengths=[given]), told)
    assert row.lengths == {"seq": steps} and row.content["x"].shape == (steps, 3)


def test_recorded_features_without_any_mark_are_whole_unless_their_value_tells(tmp_path: Path) -> None:
    frames = FRAMES.copy()
    frames[0, 2:] = 0
    path = npz(tmp_path, x=frames)
    assert read_recorded(path, contract(X))[0].lengths == {"seq": 4}
    assert read_recorded(path, contract(replace(X, ids_carry_mask=True)))[0].lengths == {"seq": 2}


def test_recorded_time_may_stand_before_the_batch(tmp_path: Path) -> None:
    told = contract(replace(IDS, dims=("seq", BATCH)))
    assert ids(read_recorded(npz(tmp_path, ids=np.array(PADDED).T), told)) == [[7, 8, 9], [5, 6]]


def test_what_is_not_padded_is_kept_whole(tmp_path: Path) -> None:
    rows = read_recorded(npz(tmp_path, ids=PADDED, other=[[1, 2], [3, 4]]), contract(IDS, OTHER))
    assert ids(rows, "other") == [[1, 2], [3, 4]]
    assert rows[0].content["other"].dtype == np.float32


@pytest.mark.parametrize(
    ("told", "message"),
    [(contract(X), "lacks the input 'x'"), (contract(IDS, OTHER), "lacks the input 'other'")],
)
def test_recorded_samples_without_an_input_are_a_usage_error(tmp_path: Path, told: Contract, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_recorded(jsonl(tmp_path, {"ids": [7]}), told)


def test_inputs_that_have_a_constant_or_follow_from_the_layout_need_not_be_recorded(tmp_path: Path) -> None:
    told = contract(IDS, MASK, LENGTHS, replace(OTHER, fill=1))
    assert len(read_recorded(jsonl(tmp_path, {"ids": [7]}), told)) == 1


@pytest.mark.parametrize("text", ["", "no json", '{"ids": '])
def test_files_that_hold_nothing_readable_are_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_recorded(str(path), contract(IDS))
    with pytest.raises(UsageError, match="failed"):
        read_recorded(str(tmp_path / "missing.npz"), contract(IDS))


# The source of rows.

RECORDED = tuple(Row({"seq": len(found)}, {"ids": np.array(found)}) for found in ([7, 8, 9], [5, 6], [11, 12, 13, 14]))


def test_generated_rows_differ_by_stream_and_seed() -> None:
    told = contract(IDS)
    source = Source(told, 3)
    first, second = source.rows(2, {"seq": 5}), source.rows(2, {"seq": 5}, stream=1)
    assert source.recorded == () and ids(first) != ids(second)
    assert ids(Source(told, 3).rows(2, {"seq": 5})) == ids(first)
    assert ids(Source(told, 4).rows(2, {"seq": 5})) != ids(first)


def test_recorded_rows_are_cut_or_repeated_to_the_wanted_length() -> None:
    source = Source(contract(IDS), 0, RECORDED)
    assert ids(source.rows(3, {"seq": 3})) == [[7, 8, 9], [5, 6, 5], [11, 12, 13]]
    assert source.rows(1, {"seq": 3})[0].lengths == {"seq": 3}
    assert source.recorded == RECORDED


def test_recorded_rows_go_round_and_streams_start_further_on() -> None:
    source = Source(contract(IDS), 0, RECORDED)
    assert [r[0] for r in ids(source.rows(4, {"seq": 1}))] == [7, 5, 11, 7]
    assert [r[0] for r in ids(source.rows(2, {"seq": 1}, stream=1))] == [11, 7]


# One position.


def changed(told: Contract, position: int, seed: int = 1) -> tuple[Row, Row]:
    (row,) = generate(told, 1, {"seq": 6}, 0)
    return row, change_position(told, row, "seq", position, seed)


@pytest.mark.parametrize("position", [0, 3, 5])
@pytest.mark.parametrize("spec", [IDS, X])
def test_one_real_step_becomes_another_and_no_other_moves(spec: InputContract, position: int) -> None:
    before, after = changed(contract(spec, OTHER), position)
    moved = before.content[spec.name] != after.content[spec.name]
    assert np.flatnonzero(moved.reshape(6, -1).any(axis=1)).tolist() == [position]
    assert (before.content["other"] == after.content["other"]).all()
    assert before.lengths == after.lengths


def test_segments_stay_where_tokens_change() -> None:
    told = contract(IDS, replace(IDS, name="kinds", role=Role.SEGMENTS))
    before, after = changed(told, 2)
    assert (before.content["kinds"] == after.content["kinds"]).all()


def test_a_token_never_becomes_itself_nor_the_pad() -> None:
    told = contract(replace(IDS, vocabulary=8, pad_value=7))
    for seed in range(30):
        before, after = changed(told, 1, seed)
        assert after.content["ids"][1] != before.content["ids"][1]
        assert after.content["ids"][1] != 7 and 0 <= after.content["ids"][1] < 8
