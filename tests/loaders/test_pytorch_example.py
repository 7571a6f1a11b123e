"""Which inputs of an example are told to be never padded, because others of it are."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from maskcheck.loaders.pytorch.example import find_unpadded

WORDS = torch.tensor([[5, 6, 7, 8, 9], [7, 5, 3, 0, 0], [4, 8, 6, 2, 0]])
FIELDS = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
WHOLE = torch.tensor([[5, 6, 7, 8, 9], [7, 5, 3, 4, 2], [4, 8, 6, 2, 3]])


@pytest.mark.parametrize(
    "shows",
    [
        WORDS,
        WORDS.flip(1),
        torch.where(WORDS == 0, 33, WORDS)[:, [0, 1, 2, 3, 4, 4]].index_put(
            (torch.tensor([1, 1]), torch.tensor([2, 3])), torch.tensor([33, 33])
        ),
        (WORDS != 0).long(),
        torch.randn(3, 5, 2) * (WORDS != 0)[..., None],
    ],
    ids=["behind", "in front", "another pad id", "a mask", "frames"],
)
def test_padding_is_seen(shows: torch.Tensor) -> None:
    assert find_unpadded({"shows": shows, "whole": WHOLE, "fields": FIELDS}) == ("whole", "fields")


@pytest.mark.parametrize(
    "other",
    [
        WHOLE,
        torch.tensor([[5, 6, 7, 8, 8], [7, 5, 3, 4, 2], [4, 8, 6, 2, 3]]),
        torch.tensor([[5, 0, 7, 8, 9], [7, 5, 3, 4, 2], [4, 8, 6, 2, 0]]),
        torch.tensor([5, 3, 4]),
        torch.ones(3, 5, dtype=torch.long),
        torch.randn(3, 5, 2),
    ],
    ids=["words", "an id twice", "zeros among words", "one number per row", "a whole mask", "frames"],
)
def test_what_may_be_chance_is_no_padding(other: torch.Tensor) -> None:
    assert find_unpadded({"other": other, "fields": FIELDS}) == ()


def test_what_may_be_padded_is_not_told_to_be_whole() -> None:
    repeated = torch.tensor([[5, 6, 7, 8, 8], [7, 5, 3, 4, 2], [4, 8, 6, 2, 3]])
    assert find_unpadded({"words": WORDS, "repeated": repeated, "fields": FIELDS}) == ("fields",)
