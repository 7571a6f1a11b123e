"""What names conventionally mean."""

from __future__ import annotations

import pytest

from maskcheck.core.contract import Role
from maskcheck.probe.contract import names


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("input_ids", Role.TOKENS),
        ("tokens", Role.TOKENS),
        ("word_ids", Role.TOKENS),
        ("attention_mask", Role.MASK),
        ("is_pad", Role.MASK),
        ("valid_frames", Role.MASK),
        ("input_lengths", Role.LENGTHS),
        ("src_len", Role.LENGTHS),
        ("num_frames", Role.LENGTHS),
        ("position_ids", Role.POSITIONS),
        ("pos", Role.POSITIONS),
        ("token_type_ids", Role.SEGMENTS),
        ("segment_ids", Role.SEGMENTS),
        ("input_features", Role.FEATURES),
        ("mel", Role.FEATURES),
        ("inputs_embeds", Role.FEATURES),
        ("pixel_values", Role.FEATURES),
        ("past_key_values.0.key", Role.OTHER),
        ("past", Role.OTHER),
        ("h0", Role.OTHER),
        ("cache_0", Role.OTHER),
        ("head_mask", Role.OTHER),
        ("x", None),
        ("pastry", None),
    ],
)
def test_roles_that_names_suggest(name: str, role: Role | None) -> None:
    assert names.role_of(name) is role


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("decoder_input_ids", "target"),
        ("tgt", "target"),
        ("encoder_hidden_states", "source"),
        ("src_mask", "source"),
        ("memory_len", "source"),
        ("input_ids", None),
        ("decoderless", None),
    ],
)
def test_sides_of_an_encoder_decoder(name: str, family: str | None) -> None:
    assert names.family_of(name) == family


@pytest.mark.parametrize(
    ("symbol", "batch", "time"),
    [
        ("batch", True, False),
        ("batch_size", True, False),
        ("N", True, False),
        ("seq", False, True),
        ("sequence_length", False, True),
        ("T", False, True),
        ("batch_seq", False, True),
        ("width", False, False),
        (None, False, False),
        (4, False, False),
    ],
)
def test_symbols_of_the_batch_and_of_time(symbol: int | str | None, batch: bool, time: bool) -> None:
    assert (names.is_batch(symbol), names.is_time(symbol)) == (batch, time)


@pytest.mark.parametrize(
    ("symbol", "past"),
    [("past_sequence_length", True), ("cache_len", True), ("past + seq", False), ("seq", False), (3, False)],
)
def test_a_cache_length_alone_is_a_past(symbol: int | str | None, past: bool) -> None:
    assert names.is_past(symbol) is past


@pytest.mark.parametrize(
    ("name", "length"),
    [("total_sequence_length", True), ("seq_len", True), ("kv_lens", True), ("temperature", False), ("length", False)],
)
def test_numbers_that_say_how_long_the_batch_is_padded(name: str, length: bool) -> None:
    assert bool(names.PADDED_LENGTH.search(name)) is length
