"""Recurrence and convolution: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.evidence import Spread
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Along, Direction, Recurrence, Slice, Window
from maskcheck.ir.static_fact import FactKind, StaticFact
from tests.unit.rules.scene import case, step, t, weight

STATES, POOLED = t("BTD"), t("BD")
ZEROED = t("BTD", zero_at_pads=True)
LENGTHS = t("B", mask_reaches=True, dtype="int32")
LSTM = {
    "operation": Operation.LSTM,
    "operator": "LSTM",
    "reads": (STATES, weight(), weight()),
    "makes": (STATES, POOLED),
    "settings": Recurrence(direction=Direction.FORWARD),
}
BOTH = {**LSTM, "settings": Recurrence(direction=Direction.BIDIRECTIONAL)}
INDEX = {
    "operation": Operation.GATHER,
    "operator": "Gather",
    "reads": (STATES, weight("1")),
    "makes": (POOLED,),
    "leaks": "cl",
}
CONV = {"operation": Operation.CONVOLUTION, "operator": "Conv", "reads": (t("BDT"), weight()), "makes": (t("BDT"),)}
DEPTHWISE = {**CONV, "settings": Window(groups=16)}
FILTER = step(Operation.CONVOLUTION, ("out0", "weight"), ("filtered",), operator="Conv")
LAYER = step(Operation.LSTM, ("embedded",), ("in0",), operator="LSTM")
SHIFT = step(Operation.SLICE, ("embedded",), ("in0",), operator="Slice")
LAID = step(Operation.PAD, ("embedded",), ("in0",), operator="Pad")
CONCAT = step(Operation.CONCATENATE, ("embedded", "out0"), ("joined",), operator="Concat")

CASES = (
    case("MC301", BOTH, {"settings": Recurrence(direction=Direction.FORWARD)}, "MC302", "backward pass"),
    case(
        "MC301",
        {**BOTH, "down": (step(Operation.ADD, ("out0", "bias"), ("sum",), operator="Add"),)},
        {"down": (step(Operation.SQUEEZE, ("out1",), ("state",), operator="Squeeze"),)},
        "MC302",
        "backward pass",
    ),
    case(
        "MC302",
        {
            **LSTM,
            "static": (
                StaticFact(
                    kind=FactKind.NO_LENGTHS, site="/lstm_origin", detail="LSTM (forward) without sequence_lens"
                ),
            ),
        },
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
        {
            **INDEX,
            "operation": Operation.TOP_K,
            "operator": "TopK",
            "leaks": "m",
            "up": (LAYER,),
            "settings": Along(axis=1),
        },
        {"up": ()},
        "MC902",
        "other rows",
    ),
    case(
        "MC307",
        {
            "operation": Operation.SLICE,
            "operator": "Slice",
            "reads": (STATES,),
            "makes": (STATES,),
            "settings": Slice(steps=(-1,)),
        },
        {"settings": Slice(steps=(1,))},
        "MC999",
        "from the end",
    ),
    case(
        "MC307",
        {
            "operation": Operation.CUMULATIVE_SUM,
            "operator": "CumSum",
            "reads": (STATES,),
            "makes": (STATES,),
            "settings": Along(reverse=True),
        },
        {"settings": Along(reverse=False)},
        "MC923",
        "from the end",
    ),
    case(
        "MC308",
        {
            "operation": Operation.CUMULATIVE_SUM,
            "operator": "CumSum",
            "reads": (STATES,),
            "makes": (STATES,),
            "leaks": "s",
        },
        {"leaks": "cs"},
        "MC923",
        "beginning of the text",
    ),
    case("MC309", {**LSTM, "dimensions": 2}, {"dimensions": 1}, "MC302", "outer elements"),
    case(
        "MC310",
        {"operation": Operation.LOOP, "operator": "Loop", "reads": (STATES,)},
        {"operation": Operation.SUBGRAPH, "operator": "If"},
        "MC999",
        "loops over",
    ),
    case("MC401", CONV, {"leaks": "ls"}, "MC402", "end of the text"),
    case(
        "MC402",
        {
            **CONV,
            "leaks": "ls",
            "up": (step(Operation.RELU, operator="Relu"), step(Operation.CONVOLUTION, operator="Conv")),
        },
        {"leaks": "cls"},
        "MC401",
        "refilled by Conv",
    ),
    case("MC403", {**DEPTHWISE, "up": (step(Operation.SIGMOID, operator="Sigmoid"),)}, {"up": ()}, "MC401", "gate"),
    case("MC404", {**CONV, "settings": Window(strides=(2,))}, {"settings": Window(strides=(1,))}, "MC401", "shortens"),
    case(
        "MC405",
        {
            "operation": Operation.SOFTMAX,
            "operator": "Softmax",
            "reads": (t("BT", mask_reaches=True),),
            "makes": (t("BT"),),
            "leaks": "l",
            "up": (
                step(Operation.WHERE, operator="Where"),
                step(Operation.SLICE, settings=Slice(steps=(2,)), operator="Slice"),
            ),
        },
        {
            "up": (
                step(Operation.WHERE, operator="Where"),
                step(Operation.SLICE, settings=Slice(steps=(1,)), operator="Slice"),
            )
        },
        "MC218",
        "another formula",
    ),
    case(
        "MC406",
        {
            "operation": Operation.PAD,
            "operator": "Pad",
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
            "settings": Window(kernel=(5, 1)),
            "up": (step(Operation.SOFTMAX, operator="Softmax"),),
        },
        {"settings": Window(kernel=(5, 3))},
        "MC401",
        "beside an attention",
    ),
    case(
        "MC407",
        {
            **CONV,
            "operation": Operation.UNFOLD,
            "operator": "aten.im2col",
            "down": (step(Operation.SOFTMAX, operator="Softmax"),),
        },
        {"down": ()},
        "MC401",
        "beside an attention",
    ),
    case(
        "MC401",
        {**CONV, "operation": Operation.UNFOLD, "operator": "aten.im2col"},
        {"down": (step(Operation.SOFTMAX, operator="Softmax"),)},
        "MC407",
        "end of the text",
    ),
    case(
        "MC406",
        {"operation": Operation.SLICE, "operator": "Slice", "reads": (STATES,), "makes": (STATES,), "up": (LAID,)},
        {"up": (SHIFT,)},
        "MC999",
        "shifts the sequence",
    ),
    case("MC408", {**CONV, "leaks": "s"}, {"settings": Window(strides=(2,))}, "MC606", "history"),
    case("MC409", {**CONV, "reads": (t("BDTS"), weight())}, {"reads": (t("BDTK"), weight())}, "MC401", "images"),
    case(
        "MC923",
        {"operation": Operation.CUMULATIVE_SUM, "operator": "CumSum", "reads": (STATES,), "makes": (STATES,)},
        {"spread": Spread.START},
        "MC307",
        "collects pads",
    ),
)
