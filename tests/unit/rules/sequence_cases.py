"""Recurrence and convolution: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.evidence import Spread
from maskcheck.core.model import StaticFact
from maskcheck.ir.operation import Kind
from tests.unit.rules.scene import case, step, t, weight

STATES, POOLED = t("BTD"), t("BD")
ZEROED = t("BTD", zero_at_pads=True)
LENGTHS = t("B", mask_reaches=True, dtype="int32")
LSTM = {
    "operator": "LSTM",
    "kind": Kind.RECURRENT,
    "reads": (STATES, weight(), weight()),
    "makes": (STATES, POOLED),
    "attributes": {"direction": "forward"},
}
BOTH = {**LSTM, "attributes": {"direction": "bidirectional"}}
INDEX = {"operator": "Gather", "kind": Kind.INDEX, "reads": (STATES, weight("1")), "makes": (POOLED,), "leaks": "cl"}
CONV = {"operator": "Conv", "kind": Kind.CONVOLUTION, "reads": (t("BDT"), weight()), "makes": (t("BDT"),)}
DEPTHWISE = {**CONV, "attributes": {"group": 16}}
FILTER = step("Conv", Kind.CONVOLUTION, ("out0", "weight"), ("filtered",))
LAYER = step("LSTM", Kind.RECURRENT, ("embedded",), ("in0",))
SHIFT = step("Slice", Kind.INDEX, ("embedded",), ("in0",))
CONCAT = step("Concat", Kind.CONCATENATE, ("embedded", "out0"), ("joined",))

CASES = (
    case("MC301", BOTH, {"attributes": {"direction": "forward"}}, "MC302", "backward pass"),
    case(
        "MC301",
        {**BOTH, "down": (step("Add", Kind.ELEMENTWISE, ("out0", "bias"), ("sum",)),)},
        {"down": (step("Squeeze", Kind.LAYOUT, ("out1",), ("state",)),)},
        "MC302",
        "backward pass",
    ),
    case(
        "MC302",
        {**LSTM, "static": (StaticFact("no-sequence-lens", "/lstm_origin", "LSTM (forward) without sequence_lens"),)},
        {"leaks": "s"},
        "MC308",
        "runs on",
    ),
    case("MC302", {**INDEX, "up": (LAYER,)}, {"up": (SHIFT,)}, "MC105", "last column of LSTM"),
    case("MC303", {**BOTH, "reads": (ZEROED,), "leaks": "ls"}, {"leaks": "cls"}, "MC301", "zeroed"),
    case(
        "MC304",
        {**LSTM, "reads": (STATES, weight(), weight(), weight(), LENGTHS), "leaks": "s"},
        {"reads": (STATES, weight(), weight())},
        "MC308",
        "the first steps",
    ),
    case(
        "MC305",
        {**INDEX, "reads": (ZEROED, weight("1")), "leaks": "l", "dead": (0.9,)},
        {"leaks": "cl"},
        "MC105",
        "zeros",
    ),
    case(
        "MC306",
        {**INDEX, "operator": "TopK", "kind": Kind.ROUTING, "leaks": "m", "up": (LAYER,), "attributes": {"axis": 1}},
        {"up": ()},
        "MC902",
        "other rows",
    ),
    case(
        "MC307",
        {
            "operator": "Slice",
            "kind": Kind.INDEX,
            "reads": (STATES,),
            "makes": (STATES,),
            "attributes": {"steps": [-1]},
        },
        {"attributes": {"steps": [1]}},
        "MC999",
        "from the end",
    ),
    case(
        "MC307",
        {
            "operator": "CumSum",
            "kind": Kind.SCAN,
            "reads": (STATES,),
            "makes": (STATES,),
            "attributes": {"reverse": 1},
        },
        {"attributes": {"reverse": 0}},
        "MC923",
        "from the end",
    ),
    case(
        "MC308",
        {"operator": "CumSum", "kind": Kind.SCAN, "reads": (STATES,), "makes": (STATES,), "leaks": "s"},
        {"leaks": "cs"},
        "MC923",
        "beginning of the text",
    ),
    case("MC309", {**LSTM, "dimensions": 2}, {"dimensions": 1}, "MC302", "outer elements"),
    case(
        "MC310",
        {"operator": "Loop", "kind": Kind.SUBGRAPH, "reads": (STATES,)},
        {"operator": "If"},
        "MC999",
        "loops over",
    ),
    case("MC401", CONV, {"leaks": "ls"}, "MC402", "end of the text"),
    case(
        "MC402",
        {**CONV, "leaks": "ls", "up": (step("Relu", Kind.ELEMENTWISE), step("Conv", Kind.CONVOLUTION))},
        {"leaks": "cls"},
        "MC401",
        "refilled by Conv",
    ),
    case("MC403", {**DEPTHWISE, "up": (step("Sigmoid", Kind.ELEMENTWISE),)}, {"up": ()}, "MC401", "gate"),
    case("MC404", {**CONV, "attributes": {"strides": [2]}}, {"attributes": {"strides": [1]}}, "MC401", "shortens"),
    case(
        "MC405",
        {
            "operator": "Softmax",
            "kind": Kind.SOFTMAX,
            "reads": (t("BT", mask_reaches=True),),
            "makes": (t("BT"),),
            "leaks": "l",
            "up": (step("Where", Kind.ELEMENTWISE), step("Slice", Kind.INDEX, steps=[2])),
        },
        {"up": (step("Where", Kind.ELEMENTWISE), step("Slice", Kind.INDEX, steps=[1]))},
        "MC218",
        "another formula",
    ),
    case(
        "MC406",
        {
            "operator": "Pad",
            "kind": Kind.PAD,
            "reads": (STATES,),
            "makes": (STATES,),
            "up": (SHIFT,),
            "down": (CONCAT,),
        },
        {"down": (FILTER,), "leaks": "s"},
        "MC408",
        "neighbours",
    ),
    case(
        "MC407",
        {
            **CONV,
            "reads": (t("BHTD"), weight()),
            "attributes": {"kernel_shape": [5, 1]},
            "up": (step("Softmax", Kind.SOFTMAX),),
        },
        {"attributes": {"kernel_shape": [5, 3]}},
        "MC401",
        "beside an attention",
    ),
    case(
        "MC407",
        {**CONV, "operator": "aten.im2col", "kind": Kind.OTHER, "down": (step("Softmax", Kind.SOFTMAX),)},
        {"down": ()},
        "MC406",
        "beside an attention",
    ),
    case(
        "MC406",
        {**CONV, "operator": "aten.im2col", "kind": Kind.OTHER},
        {"operator": "aten.col2im"},
        "MC999",
        "windows",
    ),
    case("MC408", {**CONV, "leaks": "s"}, {"attributes": {"strides": [2]}}, "MC606", "history"),
    case("MC409", {**CONV, "reads": (t("BDTS"), weight())}, {"reads": (t("BDTK"), weight())}, "MC401", "images"),
    case(
        "MC923",
        {"operator": "CumSum", "kind": Kind.SCAN, "reads": (STATES,), "makes": (STATES,)},
        {"spread": Spread.START},
        "MC307",
        "collects pads",
    ),
)
