"""Pooling, normalisation and reductions: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.contract import Side
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Reduce, Softmax
from tests.unit.rules.scene import case, step, t, weight

STATES, POOLED, KEPT = t("BTD"), t("BD"), t("B1D")
MEAN = {
    "operation": Operation.MEAN,
    "operator": "ReduceMean",
    "reads": (STATES,),
    "makes": (POOLED,),
    "settings": Reduce(axes=(1,)),
}
SUM = {**MEAN, "operation": Operation.SUM, "operator": "ReduceSum"}
MAXIMUM = {**MEAN, "operation": Operation.MAX, "operator": "ReduceMax"}
ZEROED = t("BTD", zero_at_pads=True)
SIZE = t("1", shape_only=True, dtype="int64")
INDEX = {"operation": Operation.GATHER, "operator": "Gather", "reads": (STATES, weight("1")), "makes": (POOLED,)}
FOUND = t("B", mask_reaches=True, dtype="int64")
POOL = {"operation": Operation.AVERAGE_POOL, "operator": "AveragePool", "reads": (t("BDT"),)}
DIVIDE = {"operation": Operation.DIVIDE, "operator": "Div", "reads": (POOLED, SIZE), "makes": (POOLED,), "leaks": "ls"}
NORM = {"reads": (STATES,), "makes": (STATES,)}

DIVIDED = step(Operation.DIVIDE, ("out0", "count"), ("mean",), operator="Div")
CENTRED = step(Operation.SUBTRACT, ("in0", "out0"), ("centred",), operator="Sub")
SQUARED = step(Operation.POWER, ("centred", "two"), ("squared",), operator="Pow")
ROOT = step(Operation.SQUARE_ROOT, ("variance",), ("deviation",), operator="Sqrt")
SCALED = step(Operation.DIVIDE, ("centred", "deviation"), ("scaled",), operator="Div")
JOINED = step(Operation.CONCATENATE, ("out0", "deviation"), ("pair",), operator="Concat")
GATED = step(Operation.MULTIPLY, ("in0", "gate"), ("gated",), operator="Mul")
SQUASHED = step(Operation.SIGMOID, ("projected",), ("gate",), operator="Sigmoid")
PROJECTED = step(Operation.LINEAR, ("out0", "weight"), ("projected",), operator="Gemm")
SERIES = {"centred": STATES, "squared": STATES, "scaled": STATES}

CASES = (
    case("MC101", MEAN, {"leaks": "l", "reads": (ZEROED,)}, "MC102", "padded axis"),
    case("MC101", {**SUM, "down": (DIVIDED,)}, {"down": ()}, "MC114", "padded length"),
    case(
        "MC101",
        {**SUM, "down": (DIVIDED,), "tensors": {"count": t("B", mask_reaches=True)}},
        {"leaks": "e"},
        "MC113",
        "number of real positions",
    ),
    case("MC102", {**MEAN, "reads": (ZEROED,), "leaks": "ls"}, {"leaks": "cls"}, "MC101", "padded length"),
    case("MC102", DIVIDE, {"makes": (STATES,), "reads": (STATES, SIZE)}, "MC603", "padded length"),
    case("MC103", {**MAXIMUM, "leaks": "l"}, {"reads": (ZEROED,)}, "MC104", "largest"),
    case("MC104", {**MAXIMUM, "reads": (ZEROED,), "leaks": "l"}, {"leaks": "cl"}, "MC103", "zeros"),
    case("MC105", {**INDEX, "leaks": "cl"}, {"leaks": "s"}, "MC108", "last column"),
    case("MC105", {**INDEX, "side": Side.LEFT, "leaks": "s"}, {"leaks": "cl"}, "MC108", "last column"),
    case(
        "MC106",
        {**INDEX, "reads": (STATES, FOUND), "leaks": "s"},
        {"reads": (STATES, weight("1"))},
        "MC108",
        "length - 1",
    ),
    case(
        "MC107",
        {**INDEX, "reads": (STATES, FOUND), "leaks": "l", "ids_carry_mask": True},
        {"leaks": "s"},
        "MC106",
        "pad id",
    ),
    case("MC108", {**INDEX, "leaks": "s"}, {"leaks": "ls"}, "MC105", "first column"),
    case(
        "MC109",
        {
            "operation": Operation.SOFTMAX,
            "operator": "Softmax",
            "reads": (t("BT"),),
            "makes": (t("BT"),),
            "settings": Softmax(axis=1),
        },
        {"reads": (t("BTT"),), "settings": Softmax(axis=2)},
        "MC205",
        "pooling weights",
    ),
    case(
        "MC110",
        {**MEAN, "down": (CENTRED, SQUARED, ROOT, JOINED), "tensors": SERIES},
        {"down": (CENTRED, SQUARED, ROOT, SCALED, JOINED)},
        "MC504",
        "statistics",
    ),
    case(
        "MC111",
        {**MEAN, "down": (PROJECTED, SQUASHED, GATED)},
        {"down": (PROJECTED, SQUASHED)},
        "MC101",
        "multiplies every real position",
    ),
    case("MC112", {**POOL, "makes": (t("BDT"),)}, {"makes": (t("BD"),)}, "MC101", "window"),
    case("MC112", {**POOL, "makes": (t("BDT"),)}, {"leaks": "s"}, "MC606", "window"),
    case("MC113", {**MEAN, "leaks": "e"}, {"leaks": "ce"}, "MC101", "0 in a fully padded row"),
    case("MC114", SUM, {"down": (DIVIDED,)}, "MC101", "adds up"),
    case(
        "MC501",
        {**NORM, "operation": Operation.INSTANCE_NORM, "operator": "InstanceNormalization"},
        {"operation": Operation.LAYER_NORM, "operator": "LayerNormalization"},
        "MC502",
        "time axis",
    ),
    case("MC501", {**MEAN, "module_class": "GroupNorm"}, {"module_class": "Pool"}, "MC101", "time axis"),
    case(
        "MC502",
        {**NORM, "operation": Operation.LAYER_NORM, "operator": "LayerNormalization"},
        {"operation": Operation.BATCH_NORM, "operator": "aten.batch_norm"},
        "MC503",
        "time axis",
    ),
    case(
        "MC502",
        {**MEAN, "settings": Reduce(axes=(1, 2)), "down": (CENTRED,)},
        {"settings": Reduce(axes=(1,))},
        "MC504",
        "features together",
    ),
    case(
        "MC503",
        {**NORM, "operation": Operation.BATCH_NORM, "operator": "BatchNormalization"},
        {"operation": Operation.GROUP_NORM, "operator": "GroupNormalization"},
        "MC501",
        "this batch",
    ),
    case(
        "MC503",
        {**MEAN, "settings": Reduce(axes=(0, 1)), "down": (CENTRED, SCALED), "tensors": SERIES, "leaks": "clm"},
        {"settings": Reduce(axes=(1,)), "leaks": "cl"},
        "MC504",
        "training mode",
    ),
    case("MC504", {**MEAN, "makes": (KEPT,), "down": (CENTRED,)}, {"down": (JOINED,)}, "MC101", "standardised"),
    case(
        "MC922",
        {**MAXIMUM, "settings": Reduce(axes=(0, 1, 2)), "leaks": "cm"},
        {"leaks": "c"},
        "MC103",
        "rows of the batch",
    ),
)
