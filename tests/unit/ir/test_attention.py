"""Attention weights against a loop over heads and queries that nobody can misread."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maskcheck.ir.attention import repeat_groups, verify, weigh

B, N, T, S, H = 2, 4, 3, 5, 6


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


QUERY, KEY, VALUE = random(B, N, T, H), random(B, N, S, H, seed=1), random(B, N, S, H, seed=2)


def by_hand(query: np.ndarray, key: np.ndarray, added: np.ndarray, scale: float) -> np.ndarray:
    """Weights of ``query`` (batch, heads, queries, width) on ``key`` (batch, heads, keys, width), one by one."""
    found = np.zeros((*query.shape[:3], key.shape[2]))
    for b, n, t in np.ndindex(*query.shape[:3]):
        powers = [
            math.exp(float(query[b, n, t] @ k) * scale + a) for k, a in zip(key[b, n], added[b, n, t], strict=True)
        ]
        found[b, n, t] = np.asarray(powers) / sum(powers) if sum(powers) else 0.0
    return found


def added(value: np.ndarray | float = 0.0) -> np.ndarray:
    return np.broadcast_to(value, (B, N, T, S))


class TestWeights:
    def test_plain(self) -> None:
        expected = by_hand(QUERY, KEY, added(), H**-0.5)
        found = weigh(QUERY, KEY)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_another_scale(self) -> None:
        np.testing.assert_allclose(weigh(QUERY, KEY, scale=2.0), by_hand(QUERY, KEY, added(), 2.0), rtol=1e-4)

    def test_a_mask_of_truth_values_shows(self) -> None:
        mask = np.array([True, True, False, True, False])
        expected = by_hand(QUERY, KEY, added(np.where(mask, 0.0, -np.inf)), H**-0.5)
        np.testing.assert_allclose(weigh(QUERY, KEY, mask=mask), expected, rtol=1e-5)

    def test_another_mask_is_added(self) -> None:
        bias = random(B, 1, 1, S, seed=3)
        np.testing.assert_allclose(weigh(QUERY, KEY, mask=bias), by_hand(QUERY, KEY, added(bias), H**-0.5), rtol=1e-5)

    @pytest.mark.parametrize("past", [0, 2])
    def test_causal(self, past: int) -> None:
        found = weigh(QUERY, KEY, causal=True, past=past)
        assert not np.triu(found, past + 1).any()
        assert (found[..., 0] > 0).all() and found[..., 1, 1 + past].all()

    def test_causal_under_a_mask(self) -> None:
        found = weigh(QUERY, KEY, causal=True, mask=np.array([False, True, True, True, True]))
        assert not found[..., 0, :].any() and not found[..., 0].any()

    def test_a_row_that_attends_to_nothing_is_zeros(self) -> None:
        mask = np.ones((B, 1, 1, S), bool)
        mask[1] = False
        found = weigh(QUERY, KEY, mask=mask)
        assert found[0].any() and not found[1].any()

    def test_groups_of_heads(self) -> None:
        groups = KEY[:, :2]
        np.testing.assert_array_equal(weigh(QUERY, groups), weigh(QUERY, groups[:, [0, 0, 1, 1]]))

    def test_groups_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match="4 heads cannot share 3 groups"):
            weigh(QUERY, KEY[:, :3])

    def test_without_heads(self) -> None:
        np.testing.assert_array_equal(weigh(QUERY[:, 0], KEY[:, 0]), weigh(QUERY, KEY)[:, :1])

    def test_without_heads_under_a_mask_of_as_many_axes(self) -> None:
        mask = random(B, T, S, seed=4)
        found = weigh(QUERY[:, 0], KEY[:, 0], mask=mask)
        np.testing.assert_array_equal(found, weigh(QUERY[:, :1], KEY[:, :1], mask=mask[:, None]))

    def test_half_precision_is_weighed_in_single(self) -> None:
        query, key = QUERY.astype(np.float16), KEY.astype(np.float16)
        expected = weigh(query.astype(np.float32), key.astype(np.float32))
        np.testing.assert_array_equal(weigh(query, key), expected)

    def test_what_is_no_number_is_zeros(self) -> None:
        query = QUERY.copy()
        query[0, 0, 0] = np.nan
        found = weigh(query, KEY)
        assert not found[0, 0, 0].any() and found[0, 0, 1].any()


class TestVerification:
    WEIGHTS = weigh(QUERY, KEY)
    RETURNED = WEIGHTS @ VALUE

    def test_what_was_returned(self) -> None:
        assert verify(self.WEIGHTS, VALUE, self.RETURNED)

    def test_heads_side_by_side(self) -> None:
        assert verify(self.WEIGHTS, VALUE, self.RETURNED.swapaxes(1, 2).reshape(B, T, N * H))

    def test_half_precision(self) -> None:
        assert verify(self.WEIGHTS, VALUE, self.RETURNED.astype(np.float16))

    def test_groups_of_heads(self) -> None:
        groups = VALUE[:, :2]
        assert verify(self.WEIGHTS, groups, self.WEIGHTS @ repeat_groups(groups, N))

    def test_other_weights(self) -> None:
        assert not verify(weigh(QUERY, KEY, causal=True), VALUE, self.RETURNED)

    @pytest.mark.parametrize("returned", [RETURNED[:, :2], RETURNED[..., None], RETURNED.astype(np.int64)])
    def test_what_cannot_be_compared(self, returned: np.ndarray) -> None:
        assert not verify(self.WEIGHTS, VALUE, returned)

    def test_rows_that_attend_to_nothing_are_the_runtimes_own(self) -> None:
        weights, returned = self.WEIGHTS.copy(), self.RETURNED.copy()
        weights[0, 0, 0], returned[0, 0, 0] = 0, 9
        assert verify(weights, VALUE, returned)
        assert verify(weights, VALUE, returned.swapaxes(1, 2).reshape(B, T, N * H))

    def test_nothing_left_to_compare(self) -> None:
        assert not verify(np.zeros_like(self.WEIGHTS), VALUE, self.RETURNED)
        assert not verify(self.WEIGHTS, VALUE, np.full_like(self.RETURNED, np.nan))
