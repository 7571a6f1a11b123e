"""Cases of pooling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from .case import MATES, PADS, ROUND, SIDE, Case, Input, Output, features, lengths, mask, tokens
from .export import torch_case
from .pooling import (
    LOGITS,
    AttentionPooling,
    Classifier,
    CosineSum,
    FeaturePooler,
    First,
    IdClassifier,
    InvertedPooling,
    Last,
    LastValidByCount,
    LastValidByPosition,
    LengthPooler,
    MaskedMaximum,
    MaskedMean,
    MaskedSumOverLength,
    Maximum,
    Mean,
    PaddedMaximum,
    SqueezeExcitation,
    StatisticsPooling,
    TwoLeaks,
    UnguardedMean,
    UnmaskedSqueeze,
    UnmaskedWindows,
    Windows,
    ZeroFilledMaximum,
)


def pooled(name: str, pool: Callable[[], nn.Module], width: int = 32, **more: object) -> Case:
    """A classifier over ids and mask with that pooling."""
    make = partial(lambda: Classifier(pool(), width=width))
    return torch_case(name, make, (tokens(), mask()), LOGITS, **more)  # type: ignore[arg-type]


def framed(name: str, module: Callable[[], nn.Module], spec: tuple[Input, ...], axes: str, **more: object) -> Case:
    outputs = (Output("output", axes, more.pop("extent", int)),)  # type: ignore[arg-type]
    return torch_case(name, module, spec, outputs, **more)  # type: ignore[arg-type]


def half(count: int) -> int:
    return (count + 1) // 2


FRAMES = (features(),)
MASKED_FRAMES = (features(), mask(dtype="float32"))
CHANNELS = (features(axes="BDT"),)

CASES: tuple[Case, ...] = (
    pooled("pool_mean", Mean, mechanism="POOL-01", leaky=PADS, clean=MATES, origin="ReduceMean"),
    pooled("pool_masked_mean", MaskedMean, mechanism="CL-09", clean=ROUND | {"empty"}),
    pooled(
        "pool_unguarded_mean",
        UnguardedMean,
        mechanism="POOL-12",
        clean=ROUND | {"empty"},
        contract_note="a row without valid positions is NaN, and no other row is",
    ),
    pooled(
        "pool_sum_over_length",
        MaskedSumOverLength,
        mechanism="POOL-02",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
        origin="Div",
    ),
    pooled("pool_maximum", Maximum, mechanism="POOL-03", leaky=PADS, clean=MATES, origin="ReduceMax"),
    pooled(
        "pool_maximum_zero_filled",
        ZeroFilledMaximum,
        mechanism="POOL-04",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
        origin="ReduceMax",
    ),
    pooled("pool_masked_maximum", MaskedMaximum, mechanism="CL-09", clean=ROUND | {"empty"}),
    pooled(
        "pool_last",
        Last,
        mechanism="POOL-05",
        leaky=frozenset({"length", "content"}),
        clean=frozenset({"mates", "side"}),
        origin="Gather",
        contract_note="right under left padding (CL-30)",
    ),
    pooled("pool_last_by_count", LastValidByCount, mechanism="POOL-06", leaky=SIDE, clean=ROUND - {"side"}),
    pooled("pool_last_by_position", LastValidByPosition, mechanism="CL-30", clean=ROUND),
    pooled(
        "pool_first",
        First,
        mechanism="POOL-08",
        leaky=SIDE,
        clean=ROUND - {"side"},
        contract_note="right under right padding (CL-10)",
    ),
    pooled(
        "pool_attention",
        partial(AttentionPooling, False),
        mechanism="POOL-09",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
    ),
    pooled("pool_masked_attention", partial(AttentionPooling, True), mechanism="CL-09", clean=ROUND),
    framed(
        "pool_inverted",
        InvertedPooling,
        (features(), mask()),
        "BC",
        mechanism="ATT-02",
        leaky=PADS | {"valid"},
        origin="Softmax",
        contract_note="no real frame counts once there is a pad",
    ),
    pooled(
        "pool_statistics",
        partial(StatisticsPooling, False),
        64,
        mechanism="POOL-09",
        leaky=PADS,
        clean=MATES,
        origin="ReduceSum",
    ),
    pooled("pool_masked_statistics", partial(StatisticsPooling, True), 64, mechanism="CL-09", clean=ROUND),
    pooled("pool_cosine_sum", CosineSum, mechanism="CL-32", clean=ROUND),
    torch_case(
        "pool_two_leaks",
        TwoLeaks,
        (tokens(),),
        LOGITS,
        mechanism="ATT-01",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
        contract_note="two origins: the attention, and POOL-01 behind it",
    ),
    torch_case(
        "pool_by_pad_id",
        IdClassifier,
        (tokens(reads_padding=True),),
        LOGITS,
        mechanism="POOL-07",
        leaky=SIDE,
        clean=frozenset({"length", "mates"}),
        contract_note="the pooled position is read off the ids; sound as long as no real token has the pad id",
    ),
    framed(
        "pool_frames_mean",
        lambda: FeaturePooler(Mean()),
        FRAMES,
        "BC",
        mechanism="POOL-01",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
        contract_note="no mask in the graph",
    ),
    framed(
        "pool_frames_maximum",
        lambda: FeaturePooler(Maximum()),
        FRAMES,
        "BC",
        mechanism="POOL-03",
        leaky=frozenset({"content"}),
        clean=ROUND - {"content"},
        origin="ReduceMax",
        contract_note="no mask in the graph; a zero frame never is the largest",
    ),
    framed(
        "pool_lengths",
        lambda: LengthPooler(False),
        (features(), lengths()),
        "BC",
        clean=ROUND - {"side"},
        leaky=SIDE,
    ),
    framed(
        "pool_lengths_int32",
        lambda: LengthPooler(False),
        (features(), lengths("x_lens", dtype="int32")),
        "BC",
        clean=ROUND - {"side"},
        leaky=SIDE,
    ),
    framed(
        "pool_lengths_relative",
        lambda: LengthPooler(True),
        (features(), lengths("wav_lens", dtype="float32", relative=True)),
        "BC",
        clean=ROUND - {"side"},
        leaky=SIDE,
        contract_note="lengths are shares of the padded length",
    ),
    framed(
        "pool_squeeze_excitation",
        UnmaskedSqueeze,
        CHANNELS,
        "BCT",
        mechanism="POOL-10",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
    ),
    framed(
        "pool_masked_squeeze_excitation",
        lambda: SqueezeExcitation(True),
        (*CHANNELS, mask(dtype="float32")),
        "BCT",
        mechanism="CL-09",
        clean=ROUND,
    ),
    framed(
        "pool_windows",
        UnmaskedWindows,
        FRAMES,
        "BTD",
        mechanism="POOL-11",
        extent=half,
        leaky=PADS,
        clean=MATES,
        contract_note="only odd lengths show it",
    ),
    framed(
        "pool_masked_windows",
        lambda: Windows(True),
        MASKED_FRAMES,
        "BTD",
        mechanism="CL-09",
        extent=half,
        clean=ROUND - {"side"},
        contract_note="under left padding odd and even shifts pair other frames",
    ),
    framed("pool_padded_maximum", PaddedMaximum, MASKED_FRAMES, "BTD", mechanism="CL-31", clean=ROUND),
)
