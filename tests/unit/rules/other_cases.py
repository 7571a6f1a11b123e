"""Positions, embeddings, quantisation, routing, mixing and export: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.contract import Role
from maskcheck.core.evidence import Spread
from maskcheck.core.model import StaticFact
from maskcheck.core.report import TwinKind
from maskcheck.ir.operation import Kind
from tests.unit.rules.scene import case, step, t, weight

STATES, POOLED, SCORES = t("BTD"), t("BD"), t("BHTT")
COLUMNS = t("TD", shape_only=True)
SIZE = t("1", shape_only=True)
ADD = {"operator": "Add", "kind": Kind.ELEMENTWISE, "reads": (STATES, COLUMNS), "makes": (STATES,)}
COSINE = step("Cos", Kind.ELEMENTWISE, ("angles",), ("in1",))
SOFTMAX = step("Softmax", Kind.SOFTMAX, ("out0",), ("weights",))
LOOKUP = {
    "operator": "Gather",
    "kind": Kind.EMBEDDING,
    "reads": (weight("RD"), t("BT", dtype="int64")),
    "makes": (STATES,),
}
FLAT = step("Flatten", Kind.LAYOUT, ("states",), ("in0",))
PRODUCT = {"operator": "MatMul", "kind": Kind.MATMUL, "reads": (t("BDT"), weight("TT")), "makes": (t("BDT"),)}
QUANTIZE = {
    "operator": "DynamicQuantizeLinear",
    "kind": Kind.QUANTIZE,
    "reads": (STATES,),
    "makes": (STATES,),
    "leaks": "cm",
}
ROUTE = {"operator": "TopK", "kind": Kind.ROUTING, "reads": (t("BT"),), "makes": (t("BT"),)}
MEAN = {
    "operator": "ReduceMean",
    "kind": Kind.REDUCE_MEAN,
    "reads": (STATES,),
    "makes": (POOLED,),
    "attributes": {"axes": [1]},
}
LAST = {
    "operator": "Gather",
    "kind": Kind.INDEX,
    "reads": (STATES, t("B", dtype="int64", mask_reaches=True)),
    "makes": (POOLED,),
}
BAKED = StaticFact("baked-length", None, "LSTM reads constant lengths [7]")
DROPPED = StaticFact("mask-dropped", "reshape", "Reshape passes no mask on")
GIVEN = (Role.TOKENS, Role.MASK, Role.POSITIONS)
CUT = step("Slice", Kind.INDEX, ("states",), ("in0",), axes=[1], starts=[0], ends=[16], steps=[1])
TAIL = step("Slice", Kind.INDEX, ("states",), ("in0",), axes=[1], starts=[1], ends=[16], steps=[1])

CASES = (
    case(
        "MC601", {**ADD, "leaks": "s", "roles": GIVEN}, {"roles": (Role.TOKENS, Role.MASK)}, "MC602", "unless positions"
    ),
    case("MC602", {**ADD, "leaks": "s"}, {"roles": GIVEN}, "MC601", "by column"),
    case(
        "MC602",
        {**LOOKUP, "reads": (weight("RD"), t("T", shape_only=True)), "leaks": "s"},
        {"leaks": "cls"},
        "MC999",
        "by column",
    ),
    case("MC603", {**ADD, "leaks": "ls"}, {"leaks": "cls"}, "MC999", "padded length"),
    case(
        "MC604",
        {
            **LOOKUP,
            "reads": (weight("RD"), t("BT", mask_reaches=True, dtype="int64")),
            "leaks": "l",
            "ids_carry_mask": True,
        },
        {"ids_carry_mask": False},
        "MC999",
        "pad id",
    ),
    case("MC605", {**ADD, "operator": "Mul", "leaks": "ls", "up": (COSINE,)}, {"up": ()}, "MC603", "frequencies"),
    case(
        "MC606",
        {**MEAN, "reads": (t("BTKD"),), "makes": (t("BTD"),), "attributes": {"axes": [2]}, "leaks": "s"},
        {"leaks": "cls"},
        "MC112",
        "column 0",
    ),
    case(
        "MC607",
        {**ADD, "reads": (SCORES, t("HTT", shape_only=True)), "makes": (SCORES,), "leaks": "l", "down": (SOFTMAX,)},
        {"down": ()},
        "MC603",
        "bias",
    ),
    case(
        "MC701",
        {**LOOKUP, "operator": "aten._embedding_bag"},
        {"operator": "aten.embedding"},
        "MC999",
        "pad id's row",
    ),
    case("MC701", {**LOOKUP, "makes": (POOLED,)}, {"makes": (STATES,)}, "MC999", "pad id's row"),
    case(
        "MC702",
        {**LOOKUP, "leaks": "v", "ids_carry_mask": True},
        {"ids_carry_mask": False},
        "MC999",
        "equals the pad id",
    ),
    case(
        "MC703",
        {
            **ADD,
            "operator": "Mul",
            "reads": (STATES, t("B11")),
            "up": (step("ReduceSum", Kind.REDUCE_SUM), step("Gather", Kind.EMBEDDING)),
        },
        {"spread": Spread.BOUNDARY},
        "MC999",
        "count",
    ),
    case(
        "MC704",
        {
            **PRODUCT,
            "operator": "Gemm",
            "reads": (t("BR"), weight()),
            "makes": (POOLED,),
            "up": (FLAT,),
            "tensors": {"states": STATES},
        },
        {"up": (step("Relu", Kind.ELEMENTWISE, ("states",), ("in0",)),)},
        "MC999",
        "Flatten turned time into features",
    ),
    case(
        "MC705",
        {**LAST, "leaks": "cl", "roles": (Role.TOKENS,), "ids_carry_mask": True},
        {"leaks": "cls"},
        "MC107",
        "takes pads on the right",
    ),
    case(
        "MC101",
        {**MEAN, "leaks": "cl", "roles": (Role.TOKENS,), "ids_carry_mask": True},
        {**LAST},
        "MC705",
        "averages",
    ),
    case(
        "MC706",
        {**MEAN, "roles": (Role.FEATURES,), "ids_carry_mask": True},
        {"ids_carry_mask": False},
        "MC101",
        "exact value",
    ),
    case(
        "MC924",
        {
            "operator": "MatMul",
            "kind": Kind.MATMUL,
            "reads": (t("BKT"), STATES),
            "makes": (t("BKD"),),
            "up": (step("Softmax", Kind.SOFTMAX, ("shares",), ("in0",), axis=1),),
            "tensors": {"shares": t("BKT")},
        },
        {"up": (step("Relu", Kind.ELEMENTWISE, ("shares",), ("in0",)),)},
        "MC215",
        "clusters",
    ),
    case("MC801", QUANTIZE, {"attributes": {"block_size": 32}}, "MC802", "one scale"),
    case(
        "MC801",
        {**QUANTIZE, "operator": "DynamicQuantizeLSTM", "kind": Kind.RECURRENT},
        {"operator": "LSTM"},
        "MC302",
        "one scale",
    ),
    case(
        "MC802",
        {**QUANTIZE, "attributes": {"block_size": 32}},
        {"attributes": {"block_size": 0}},
        "MC801",
        "blocks of 32",
    ),
    case("MC901", {**ROUTE, "module_class": "SwitchRouter"}, {"module_class": "TokenPruner"}, "MC902", "experts"),
    case(
        "MC901",
        {
            "operator": "CumSum",
            "kind": Kind.SCAN,
            "reads": (STATES,),
            "makes": (STATES,),
            "leaks": "ls",
            "up": (step("Softmax", Kind.SOFTMAX),),
            "down": (step("LessOrEqual", Kind.ELEMENTWISE),),
        },
        {"down": ()},
        "MC923",
        "experts",
    ),
    case("MC902", ROUTE, {"leaks": "s", "makes": (t("BT"),)}, "MC606", "compete"),
    case(
        "MC920",
        {**PRODUCT, "operator": "DFT", "kind": Kind.FOURIER},
        {"operator": "MatMul", "kind": Kind.MATMUL},
        "MC921",
        "transform",
    ),
    case("MC921", PRODUCT, {"reads": (t("BTD"), weight()), "makes": (STATES,)}, "MC999", "each pair of columns"),
    case("MC941", {**MEAN, "static": (BAKED,)}, {"static": ()}, "MC101", "constant lengths [7]."),
    case("MC941", {**MEAN, "up": (CUT,), "tensors": {"states": STATES}}, {"up": (TAIL,)}, "MC101", "frozen at export"),
    case(
        "MC941",
        {**MEAN, "dead": (0.8, 0.9), "roles": (Role.TOKENS,)},
        {"dead": (0.2, 0.9)},
        "MC101",
        "end of longer rows",
    ),
    case(
        "MC944",
        {**ADD, "operator": "Custom", "kind": Kind.OTHER, "framework": "keras", "static": (DROPPED,)},
        {"static": ()},
        "MC999",
        "an earlier layer dropped it",
    ),
    case(
        "MC945",
        {**MEAN, "outputs": {TwinKind.REPEAT: 0.3}},
        {"outputs": {TwinKind.REPEAT: 0.0}},
        "MC101",
        "two answers",
    ),
    case(
        "MC945",
        {**MEAN, "operator": "Dropout", "kind": Kind.RANDOM},
        {"kind": Kind.ELEMENTWISE},
        "MC999",
        "random numbers",
    ),
    case("MC999", {**ADD, "operator": "Combine", "kind": Kind.OTHER}, {"kind": Kind.FOURIER}, "MC920", "Combine"),
)
