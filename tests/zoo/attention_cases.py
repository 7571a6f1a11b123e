"""Cases of self-attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from .attention import (
    HIDDEN,
    IDS_MASK,
    AcrossBatch,
    AdditiveAttention,
    BatchReadAsHeads,
    Causal,
    Chunked,
    FeatureEncoder,
    Filled,
    FloatKeyPadding,
    Fused,
    HeadMasked,
    InertMask,
    IntegerNot,
    Inverted,
    Linear,
    MaskedAfterSoftmax,
    MaskedScoresMultiplied,
    MaskFromIds,
    Perceiver,
    QueryAxis,
    Renormalised,
    SameSequence,
    SelfAttention,
    SoftmaxOverBatch,
    SoftmaxOverQueries,
    Stock,
    TextEncoder,
    Unmasked,
    UnmaskedText,
    WithWeights,
    ZeroOneAdded,
)
from .case import MATES, PADS, ROUND, SIDE, Case, Input, Output, additive, features, mask, tokens
from .export import torch_case

EVERYWHERE = ROUND | {"empty"}


def text(
    name: str,
    *attentions: Callable[[], nn.Module],
    model: Callable[..., nn.Module] = TextEncoder,
    spec: tuple[Input, ...] = IDS_MASK,
    **more: object,
) -> Case:
    """A text encoder with one block for each attention."""
    return torch_case(name, lambda: model(*[a() for a in attentions]), spec, HIDDEN, **more)  # type: ignore[arg-type]


def sound(name: str, *attentions: Callable[[], nn.Module], **more: object) -> Case:
    return text(name, *attentions, **{"clean": EVERYWHERE, **more})


def leaky(name: str, mechanism: str, *attentions: Callable[[], nn.Module], **more: object) -> Case:
    return text(name, *attentions, mechanism=mechanism, **{"leaky": PADS, "clean": MATES, "origin": "Softmax", **more})


def masked_form(name: str, attention: Callable[[], nn.Module], form: Input, **more: object) -> Case:
    """A sound block over features whose mask takes the given form."""
    spec = (features("inputs_embeds"), form)
    return torch_case(name, lambda: FeatureEncoder(attention()), spec, HIDDEN, **{"clean": EVERYWHERE, **more})  # type: ignore[arg-type]


SOUND = (
    sound("attention_masked", SelfAttention, SelfAttention),
    torch_case(
        "attention_weights",
        lambda: WithWeights(SelfAttention()),
        IDS_MASK,
        (*HIDDEN, Output("attentions", "BNTT")),
        clean=EVERYWHERE,
    ),
    sound("attention_fused", Fused, clean=EVERYWHERE - {"empty"}),
    sound("attention_pad_row_large", SelfAttention, mechanism="CL-19", model=partial(TextEncoder, pad_scale=50.0)),
    sound(
        "attention_minus_infinity",
        partial(Filled, float("-inf")),
        mechanism="CL-36",
        contract_note="a row without valid positions is NaN, and no other row is",
    ),
    sound("attention_renormalised", Renormalised, mechanism="CL-12"),
    sound("attention_same_sequence", SameSequence, mechanism="CL-02"),
    sound("attention_heads_interleaved", partial(HeadMasked, True)),
    sound("attention_linear_masked", partial(Linear, True), clean=EVERYWHERE - {"empty"}),
    sound("attention_causal_masked", partial(Causal, True)),
    sound(
        "attention_causal_min_twice",
        partial(Causal, True, torch.finfo(torch.float32).min),
        mechanism="CL-36",
        contract_note="two fills of the smallest float add up to minus infinity: left pads are NaN",
    ),
    sound(
        "attention_mask_from_ids",
        SelfAttention,
        model=MaskFromIds,
        spec=(tokens(reads_padding=True),),
        clean=EVERYWHERE - {"content"},
        contract_note="ids carry the mask",
    ),
    torch_case(
        "attention_perceiver", Perceiver, IDS_MASK, (Output("latents", "BLD"),), mechanism="CL-34", clean=EVERYWHERE
    ),
    torch_case(
        "attention_chunked",
        lambda: TextEncoder(Chunked()),
        IDS_MASK,
        HIDDEN,
        mechanism="CL-26",
        leaky=SIDE,
        clean=EVERYWHERE - {"side"},
        contract_note="blocks are aligned with the first column",
    ),
)

LEAKY = (
    leaky("attention_unmasked", "ATT-01", SelfAttention, model=UnmaskedText, spec=(tokens(),)),
    leaky("attention_unmasked_second", "ATT-01", SelfAttention, Unmasked),
    leaky("attention_inverted", "ATT-02", Inverted, leaky=PADS),
    leaky("attention_zero_one_added", "ATT-11", ZeroOneAdded, SelfAttention),
    leaky("attention_query_axis", "ATT-09", QueryAxis, SelfAttention),
    leaky("attention_query_axis_second", "ATT-09", SelfAttention, QueryAxis),
    leaky("attention_fill_zero", "ATT-03", partial(Filled, 0.0)),
    leaky("attention_fill_tiny", "ATT-03", partial(Filled, -1e-9)),
    leaky("attention_scores_multiplied", "ATT-03", MaskedScoresMultiplied),
    leaky("attention_fill_ten", "ATT-04", partial(Filled, -10.0), least=1e-5),
    leaky("attention_after_softmax", "ATT-05", MaskedAfterSoftmax),
    leaky("attention_softmax_queries", "ATT-06", SoftmaxOverQueries),
    leaky("attention_softmax_batch", "ATT-06", SoftmaxOverBatch, leaky=PADS | MATES, clean=frozenset()),
    leaky(
        "attention_across_batch",
        "ATT-07",
        AcrossBatch,
        model=UnmaskedText,
        spec=(tokens(),),
        dynamo=True,
        leaky=MATES,
        clean=frozenset({"length", "content", "side"}),
    ),
    leaky(
        "attention_heads_repeated",
        "ATT-08",
        partial(HeadMasked, False),
        leaky=MATES,
        clean=frozenset({"length", "content", "side"}),
    ),
    leaky(
        "attention_heads_repeated_infinity",
        "ATT-08",
        partial(HeadMasked, False, float("-inf")),
        leaky=frozenset({"mates", "empty"}),
        clean=frozenset({"length", "content", "side"}),
    ),
    leaky(
        "attention_batch_as_heads",
        "ATT-10",
        BatchReadAsHeads,
        batches=(1, 4),
        leaky=MATES,
        clean=frozenset({"length", "content", "side"}),
    ),
    leaky("attention_float_key_padding", "ATT-11", FloatKeyPadding, dynamo=True),
    leaky("attention_integer_not", "ATT-12", IntegerNot, dynamo=True),
    leaky("attention_mask_inert", "ATT-13", InertMask),
    leaky("attention_linear_unmasked", "ATT-23", partial(Linear, False), origin=None),
    leaky(
        "attention_causal_unmasked",
        "CL-03",
        partial(Causal, False),
        model=UnmaskedText,
        spec=(tokens(),),
        leaky=SIDE,
        clean=EVERYWHERE - {"side"},
    ),
)

FORMS = (
    masked_form("mask_bool", SelfAttention, mask(dtype="bool")),
    masked_form("mask_int32", SelfAttention, mask(dtype="int32")),
    masked_form("mask_float", SelfAttention, mask(dtype="float32")),
    masked_form("mask_padding_bool", Inverted, mask("key_padding_mask", dtype="bool", valid=0, pad=1)),
    masked_form("mask_padding_int", Inverted, mask("padding_mask", valid=0, pad=1)),
    masked_form("mask_additive_rank4", AdditiveAttention, additive()),
    masked_form("mask_additive_square", AdditiveAttention, additive(axes="B1TT")),
    masked_form("mask_additive_rank3", partial(AdditiveAttention, False), additive(axes="B1T", pad=-10000.0)),
    masked_form("mask_additive_rank3_square", partial(AdditiveAttention, False), additive(axes="BTT")),
    masked_form(
        "mask_name_inverted",
        Inverted,
        mask(),
        mechanism="ATT-02",
        leaky=PADS,
        clean=MATES,
        contract_note="named like a mask of real positions, but 1 marks a pad",
    ),
)

STOCK_MASK = mask("src_key_padding_mask", dtype="bool", valid=0, pad=1)
STOCK = (
    torch_case(
        "stock_encoder",
        partial(Stock, True),
        (features("src", D=32), STOCK_MASK),
        (Output("memory", "BTD"),),
        clean=EVERYWHERE,
        dynamo=True,
    ),
    torch_case(
        "stock_encoder_time_first",
        partial(Stock, False),
        (features("src", "TBD", D=32), STOCK_MASK),
        (Output("memory", "TBD"),),
        clean=EVERYWHERE,
        dynamo=True,
    ),
)

CASES = (*SOUND, *LEAKY, *FORMS, *STOCK)
