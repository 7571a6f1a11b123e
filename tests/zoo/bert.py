"""Cases around a tiny BERT; transformers is imported only when one is built."""

from __future__ import annotations

from torch import nn

from .case import MATES, PADS, RIGHT, SIDE, Case, Output, mask, segments, tokens
from .export import torch_case

SPEC = (tokens(vocabulary=99), mask(), segments())
OUTPUTS = (Output("last_hidden_state", "BTD"), Output("pooler_output", "BD"))


def sound() -> nn.Module:
    from .bert_models import TinyBert

    return TinyBert()


def mask_dropped() -> nn.Module:
    from .bert_models import MaskDroppingAttention, TinyBert

    return TinyBert(MaskDroppingAttention)


def query_axis() -> nn.Module:
    from .bert_models import QueryAxisAttention, TinyBert

    return TinyBert(QueryAxisAttention)


CASES: tuple[Case, ...] = (
    torch_case(
        "bert_sound",
        sound,
        SPEC,
        OUTPUTS,
        dynamo=True,
        clean=RIGHT,
        leaky=SIDE,
        mechanism="POS-01",
        contract_note="absolute positions: right pads only",
    ),
    torch_case(
        "bert_mask_dropped",
        mask_dropped,
        SPEC,
        OUTPUTS,
        dynamo=True,
        mechanism="ATT-01",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
    ),
    torch_case(
        "bert_query_axis",
        query_axis,
        SPEC,
        OUTPUTS,
        dynamo=True,
        mechanism="ATT-09",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
    ),
)
