"""Cases of other families once more, through ``torch.export``: their nodes know the source lines they come from."""

from __future__ import annotations

from torch import nn

from .attention import HIDDEN, IDS_MASK, QueryAxis, SelfAttention, TextEncoder
from .case import MATES, PADS, ROUND, Case, Output, features, tokens
from .convolution import CHANNELS, FLOAT_MASK, ConvStack
from .export import torch_case
from .normalisation import Extractor
from .pooling import LOGITS, Classifier, MaskedMean, Mean
from .recurrent import Tagger

CASES: tuple[Case, ...] = (
    torch_case("dynamo_masked", lambda: TextEncoder(SelfAttention()), IDS_MASK, HIDDEN, dynamo=True, clean=ROUND),
    torch_case(
        "dynamo_query_axis",
        lambda: TextEncoder(SelfAttention(), QueryAxis()),
        IDS_MASK,
        HIDDEN,
        dynamo=True,
        mechanism="ATT-09",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
    ),
    torch_case(
        "dynamo_mean",
        lambda: Classifier(Mean()),
        IDS_MASK,
        LOGITS,
        dynamo=True,
        mechanism="POOL-01",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
    ),
    torch_case(
        "dynamo_masked_mean",
        lambda: Classifier(MaskedMean()),
        IDS_MASK,
        LOGITS,
        dynamo=True,
        mechanism="CL-09",
        clean=ROUND,
    ),
    torch_case(
        "dynamo_conv_masked_input",
        lambda: ConvStack(1),
        (CHANNELS, FLOAT_MASK),
        (Output("output", "BDT"),),
        dynamo=True,
        mechanism="CONV-02",
        leaky=frozenset({"length", "side"}),
        clean=MATES | {"content"},
        origin="Conv",
    ),
    torch_case(
        "dynamo_group_norm",
        lambda: Extractor(nn.GroupNorm(4, 24)),
        (features(axes="BDT"),),
        (Output("output", "BDT"),),
        dynamo=True,
        mechanism="NORM-01",
        leaky=PADS,
        clean=MATES,
        origin="Normalization",
    ),
    torch_case(
        "dynamo_bilstm",
        lambda: Tagger(nn.LSTM, True),
        (tokens(),),
        (Output("tags", "BTC"),),
        dynamo=True,
        mechanism="RNN-02",
        leaky=PADS,
        clean=MATES,
        origin="LSTM",
    ),
)
