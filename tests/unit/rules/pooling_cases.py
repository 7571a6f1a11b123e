"""Pooling, normalisation and reductions: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.contract import Side
from maskcheck.ir.operation import Kind
from tests.unit.rules.scene import case, step, t, weight

STATES, POOLED, KEPT = t("BTD"), t("BD"), t("B1D")
MEAN = {
    "operator": "ReduceMean",
    "kind": Kind.REDUCE_MEAN,
    "reads": (STATES,),
    "makes": (POOLED,),
    "attributes": {"axes": [1]},
}
SUM = {**MEAN, "operator": "ReduceSum", "kind": Kind.REDUCE_SUM}
MAXIMUM = {**MEAN, "operator": "ReduceMax", "kind": Kind.REDUCE_MAX}
ZEROED = t("BTD", zero_at_pads=True)
SIZE = t("1", shape_only=True, dtype="int64")
INDEX = {"operator": "Gather", "kind": Kind.INDEX, "reads": (STATES, weight("1")), "makes": (POOLED,)}
FOUND = t("B", mask_reaches=True, dtype="int64")
POOL = {"operator": "AveragePool", "kind": Kind.WINDOW, "reads": (t("BDT"),)}
DIVIDE = {"operator": "Div", "kind": Kind.ELEMENTWISE, "reads": (POOLED, SIZE), "makes": (POOLED,), "leaks": "ls"}
NORM = {"kind": Kind.NORMALIZATION, "reads": (STATES,), "makes": (STATES,)}

DIVIDED = step("Div", Kind.ELEMENTWISE, ("out0", "count"), ("mean",))
CENTRED = step("Sub", Kind.ELEMENTWISE, ("in0", "out0"), ("centred",))
SQUARED = step("Pow", Kind.ELEMENTWISE, ("centred", "two"), ("squared",))
ROOT = step("Sqrt", Kind.ELEMENTWISE, ("variance",), ("deviation",))
SCALED = step("Div", Kind.ELEMENTWISE, ("centred", "deviation"), ("scaled",))
JOINED = step("Concat", Kind.CONCATENATE, ("out0", "deviation"), ("pair",))
GATED = step("Mul", Kind.ELEMENTWISE, ("in0", "gate"), ("gated",))
SQUASHED = step("Sigmoid", Kind.ELEMENTWISE, ("projected",), ("gate",))
PROJECTED = step("Gemm", Kind.MATMUL, ("out0", "weight"), ("projected",))
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
            "operator": "Softmax",
            "kind": Kind.SOFTMAX,
            "reads": (t("BT"),),
            "makes": (t("BT"),),
            "attributes": {"axis": 1},
        },
        {"reads": (t("BTT"),), "attributes": {"axis": 2}},
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
        {**NORM, "operator": "InstanceNormalization"},
        {"operator": "LayerNormalization"},
        "MC502",
        "time axis",
    ),
    case("MC501", {**MEAN, "module_class": "GroupNorm"}, {"module_class": "Pool"}, "MC101", "time axis"),
    case("MC502", {**NORM, "operator": "LayerNormalization"}, {"operator": "aten.batch_norm"}, "MC503", "time axis"),
    case(
        "MC502",
        {**MEAN, "attributes": {"axes": [1, 2]}, "down": (CENTRED,)},
        {"attributes": {"axes": [1]}},
        "MC504",
        "features together",
    ),
    case(
        "MC503", {**NORM, "operator": "BatchNormalization"}, {"operator": "GroupNormalization"}, "MC501", "this batch"
    ),
    case(
        "MC503",
        {**MEAN, "attributes": {"axes": [0, 1]}, "down": (CENTRED, SCALED), "tensors": SERIES, "leaks": "clm"},
        {"attributes": {"axes": [1]}, "leaks": "cl"},
        "MC504",
        "training mode",
    ),
    case("MC504", {**MEAN, "makes": (KEPT,), "down": (CENTRED,)}, {"down": (JOINED,)}, "MC101", "standardised"),
    case(
        "MC922",
        {**MAXIMUM, "attributes": {"axes": [0, 1, 2]}, "leaks": "cm"},
        {"leaks": "c"},
        "MC103",
        "rows of the batch",
    ),
)
