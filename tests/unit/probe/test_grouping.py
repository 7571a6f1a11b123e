"""Which inputs are padded together, and what their dimensions are called."""

from __future__ import annotations

import pytest

from maskcheck.core.contract import BATCH, Role
from maskcheck.core.model import TensorSpec
from maskcheck.probe.contract.grouping import Grouping, group
from maskcheck.probe.contract.structure import Draft

TOKENS, FEATURES, MASK, LENGTHS = Role.TOKENS, Role.FEATURES, Role.MASK, Role.LENGTHS
POSITIONS, OTHER = Role.POSITIONS, Role.OTHER


def d(name: str, role: Role, *shape: int | str | None, labels: tuple[str | None, ...] | None = None) -> Draft:
    """A draft whose second axis is padded unless ``labels`` say otherwise."""
    told = labels if labels is not None else (BATCH, "?", *(None,) * (len(shape) - 2))[: len(shape)]
    return Draft(TensorSpec(name, "int64", shape), role, told, ())


def homes(found: Grouping) -> dict[str, set[str]]:
    return {domain: {name for name, home in found.domains.items() if home == domain} for domain in found.dimensions}


IDS = d("input_ids", TOKENS, "batch", "seq")


def test_content_and_its_mask_are_one_domain() -> None:
    found = group([IDS, d("attention_mask", MASK, "batch", "seq"), d("n", LENGTHS, "batch", labels=(BATCH,))])
    assert homes(found) == {"seq": {"input_ids", "attention_mask", "n"}}
    assert found.dimensions == {"seq": ("seq",)} and found.fixed == {}
    assert found.labels == {"input_ids": (BATCH, "seq"), "attention_mask": (BATCH, "seq"), "n": (BATCH,)}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (IDS, d("kinds", TOKENS, "batch", "seq"), True),
        (IDS, d("kinds", TOKENS, "batch", "other"), False),
        (IDS, d("kinds", TOKENS, "batch", "kinds_dim_1"), True),
        (IDS, d("kinds", TOKENS, "batch", "s72"), True),
        (IDS, d("kinds", TOKENS, "batch", None), True),
        (IDS, d("kinds", TOKENS, "batch", 8), False),
        (d("a", TOKENS, "batch", 8), d("b", TOKENS, "batch", 8), True),
        (d("a", TOKENS, "batch", 8), d("b", TOKENS, "batch", 9), False),
        (IDS, d("decoder_input_ids", TOKENS, "batch", "seq"), False),
        (IDS, d("image", FEATURES, "batch", 3, "h", "w", labels=(BATCH, None, "?", "?")), False),
    ],
    ids=lambda value: f"{value.spec.name}{value.spec.shape}" if isinstance(value, Draft) else None,
)
def test_contents_share_a_domain_where_their_lengths_may_be_one(one: Draft, other: Draft, together: bool) -> None:
    found = group([one, other])
    assert (found.domains[one.spec.name] == found.domains[other.spec.name]) is together


def test_lengths_that_were_stated_decide() -> None:
    first, second = (d(n, TOKENS, "batch", "seq", labels=(BATCH, label)) for n, label in (("a", "one"), ("b", "two")))
    assert homes(group([first, second])) == {"one": {"a"}, "two": {"b"}}
    same = d("b", TOKENS, "batch", "other", labels=(BATCH, "one"))
    assert homes(group([first, same])) == {"one": {"a", "b"}}


def test_everything_can_be_put_into_one_domain() -> None:
    apart = [IDS, d("kinds", TOKENS, "batch", "other")]
    assert len(group(apart).dimensions) == 2
    assert homes(group(apart, merge_all=True)) == {"seq": {"input_ids", "kinds"}}


def test_an_encoder_and_a_decoder_are_two_domains_with_their_names() -> None:
    found = group(
        [
            d("input_ids", TOKENS, "batch", "enc"),
            d("decoder_input_ids", TOKENS, "batch", "dec"),
            d("attention_mask", MASK, "batch", "enc"),
            d("decoder_attention_mask", MASK, "batch", "dec"),
        ]
    )
    assert homes(found) == {
        "source": {"input_ids", "attention_mask"},
        "target": {"decoder_input_ids", "decoder_attention_mask"},
    }


def test_domains_of_one_name_are_counted() -> None:
    found = group([d("src_ids", TOKENS, "batch", "a"), d("src_words", TOKENS, "batch", "b")])
    assert list(found.dimensions) == ["source", "source_1"]


def test_contents_without_a_family_are_called_by_their_own_names() -> None:
    three = [d(name, TOKENS, "batch", symbol) for name, symbol in (("a", "x"), ("b", "y"), ("c", "z"))]
    assert list(group(three).dimensions) == ["a", "b", "c"]


def test_images_have_height_and_width() -> None:
    image = d("pixels", FEATURES, "batch", 3, "h", "w", labels=(BATCH, None, "?", "?"))
    mask = d("pixel_mask", MASK, "batch", "h", "w", labels=(BATCH, "?", "?"))
    found = group([image, mask])
    assert found.dimensions == {"image": ("height", "width")}
    assert found.labels == {"pixels": (BATCH, None, "height", "width"), "pixel_mask": (BATCH, "height", "width")}


def test_a_square_mask_has_the_same_length_twice() -> None:
    square = d("mask", MASK, "batch", "seq", "seq", labels=(BATCH, "?", "?"))
    assert group([IDS, square]).labels["mask"] == (BATCH, "seq", "seq")


def test_a_mask_of_queries_by_keys_finds_the_dimension_of_each() -> None:
    source, target = d("src", TOKENS, "batch", "s"), d("tgt", TOKENS, "batch", "t")
    cross = d("cross_mask", MASK, "batch", "t", "s", labels=(BATCH, "?", "?"))
    found = group([source, target, cross])
    assert found.labels["cross_mask"] == (BATCH, "target", "source")
    unknown = d("cross_mask", MASK, "batch", "q", "k", labels=(BATCH, "?", "?"))
    assert group([source, target, unknown]).labels["cross_mask"] == (BATCH, "source", "source")


@pytest.mark.parametrize(
    ("auxiliary", "home"),
    [
        (d("mask", MASK, "batch", "m"), "mel"),
        (d("mask", MASK, "batch", "t"), "text"),
        (d("mel_lengths", LENGTHS, "batch", labels=(BATCH,)), "mel"),
        (d("text_lengths", LENGTHS, "batch", labels=(BATCH,)), "text"),
        (d("texts_mask", MASK, "batch", "unknown"), "text"),
        (d("te_mask", MASK, "batch", "unknown"), "mel"),
    ],
    ids=lambda value: f"{value.spec.name}" if isinstance(value, Draft) else None,
)
def test_auxiliary_inputs_go_with_the_content_of_their_length_or_name(auxiliary: Draft, home: str) -> None:
    found = group([d("mel", FEATURES, "batch", "m", 80), d("text", TOKENS, "batch", "t"), auxiliary])
    assert found.domains[auxiliary.spec.name] == home


def test_words_of_two_letters_are_no_stems() -> None:
    found = group(
        [d("mel", FEATURES, "batch", "m", 80), d("te", TOKENS, "batch", "t"), d("text_mask", MASK, "batch", "u")]
    )
    assert found.domains["text_mask"] == "mel"


def test_the_length_counts_for_more_than_the_family() -> None:
    source, target = d("src", TOKENS, "batch", "s"), d("tgt", TOKENS, "batch", "t")
    assert group([source, target, d("encoder_mask", MASK, "batch", "t")]).domains["encoder_mask"] == "target"
    assert group([source, target, d("tgt_mask", MASK, "batch", "u")]).domains["tgt_mask"] == "target"


def test_two_dimensional_masks_go_with_images() -> None:
    image = d("pixels", FEATURES, "batch", 3, "h", "w", labels=(BATCH, None, "?", "?"))
    mask = d("mask", MASK, "batch", "a", "b", labels=(BATCH, "?", "?"))
    assert group([IDS, image, mask]).domains["mask"] == group([IDS, image]).domains["pixels"]


def test_edges_between_nodes_go_with_the_nodes() -> None:
    nodes = d("nodes", FEATURES, "batch", "n2", 6)
    edges = d("edges", FEATURES, "batch", "n2", "n2", labels=(BATCH, "?", "?"))
    found = group([nodes, edges])
    assert found.domains == {"nodes": "seq", "edges": "seq"}
    assert found.labels["edges"] == (BATCH, "seq", "seq")
    alone = group([edges, d("n", LENGTHS, "batch", labels=(BATCH,))]).domains
    assert alone == {"edges": "image", "n": "image"}, "content of their own"


def test_fixed_lengths_are_told_by_dimension() -> None:
    found = group([d("ids", TOKENS, "batch", 8), d("mask", MASK, "batch", 8)])
    assert found.fixed == {"seq": 8}
    image = d("pixels", FEATURES, "batch", 3, 30, "w", labels=(BATCH, None, "?", "?"))
    assert group([image]).fixed == {"height": 30}


def test_other_inputs_belong_nowhere_but_the_padded_length_does() -> None:
    state = d("state", OTHER, "batch", 4, labels=(BATCH, None))
    total = d("total_sequence_length", OTHER, labels=())
    found = group([IDS, state, total])
    assert found.domains == {"input_ids": "seq", "state": None, "total_sequence_length": "seq"}


def test_the_order_of_inputs_does_not_matter() -> None:
    state = d("state", OTHER, "batch", 4, labels=(BATCH, None))
    mask = d("mask", MASK, "batch", "seq")
    for order in ([IDS, state, mask], [state, mask, IDS], [mask, IDS, state]):
        assert group(order).domains == {"input_ids": "seq", "state": None, "mask": "seq"}


def test_without_content_there_is_no_domain() -> None:
    found = group([d("mask", MASK, "batch", "seq")])
    assert (found.dimensions, found.domains) == ({}, {"mask": None})
    assert found.labels == {"mask": (BATCH, None)}
