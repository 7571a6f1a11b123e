"""Positions, embeddings, quantisation, routing, mixing and export: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.contract import Role
from maskcheck.core.evidence import Spread
from maskcheck.core.report import TwinKind
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Quantiser, Reduce, Slice, Softmax
from maskcheck.ir.static_fact import FactKind, StaticFact
from tests.unit.rules.scene import case, step, t, weight

STATES, POOLED, SCORES = t("BTD"), t("BD"), t("BHTT")
COLUMNS = t("TD", shape_only=True)
SIZE = t("1", shape_only=True)
ADD = {"operation": Operation.ADD, "operator": "Add", "reads": (STATES, COLUMNS), "makes": (STATES,)}
COSINE = step(Operation.TRIGONOMETRIC, ("angles",), ("in1",), operator="Cos")
SOFTMAX = step(Operation.SOFTMAX, ("out0",), ("weights",), operator="Softmax")
LOOKUP = {
    "operation": Operation.EMBEDDING,
    "operator": "Gather",
    "reads": (weight("RD"), t("BT", dtype="int64")),
    "makes": (STATES,),
}
FLAT = step(Operation.FLATTEN, ("states",), ("in0",), operator="Flatten")
PRODUCT = {"operation": Operation.MATMUL, "operator": "MatMul", "reads": (t("BDT"), weight("TT")), "makes": (t("BDT"),)}
QUANTIZE = {
    "operation": Operation.DYNAMIC_QUANTIZE,
    "operator": "DynamicQuantizeLinear",
    "reads": (STATES,),
    "makes": (STATES,),
    "leaks": "cm",
}
ROUTE = {"operation": Operation.TOP_K, "operator": "TopK", "reads": (t("BT"),), "makes": (t("BT"),)}
MEAN = {
    "operation": Operation.MEAN,
    "operator": "ReduceMean",
    "reads": (STATES,),
    "makes": (POOLED,),
    "settings": Reduce(axes=(1,)),
}
LAST = {
    "operation": Operation.GATHER,
    "operator": "Gather",
    "reads": (STATES, t("B", dtype="int64", mask_reaches=True)),
    "makes": (POOLED,),
}
BAKED = StaticFact(kind=FactKind.BAKED_LENGTH, site=None, detail="LSTM reads constant lengths [7]")
DROPPED = StaticFact(kind=FactKind.MASK_DROPPED, site="reshape", detail="Reshape passes no mask on")
GIVEN = (Role.TOKENS, Role.MASK, Role.POSITIONS)
CUT = step(
    Operation.SLICE, ("states",), ("in0",), Slice(axes=(1,), starts=(0,), ends=(16,), steps=(1,)), operator="Slice"
)
TAIL = step(
    Operation.SLICE, ("states",), ("in0",), Slice(axes=(1,), starts=(1,), ends=(16,), steps=(1,)), operator="Slice"
)

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
    case(
        "MC605",
        {**ADD, "operation": Operation.MULTIPLY, "operator": "Mul", "leaks": "ls", "up": (COSINE,)},
        {"up": ()},
        "MC603",
        "frequencies",
    ),
    case(
        "MC606",
        {**MEAN, "reads": (t("BTKD"),), "makes": (t("BTD"),), "settings": Reduce(axes=(2,)), "leaks": "s"},
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
        {**LOOKUP, "operation": Operation.EMBEDDING_BAG, "operator": "aten._embedding_bag"},
        {"operation": Operation.EMBEDDING, "operator": "aten.embedding"},
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
            "operation": Operation.MULTIPLY,
            "operator": "Mul",
            "reads": (STATES, t("B11")),
            "up": (step(Operation.SUM, operator="ReduceSum"), step(Operation.EMBEDDING, operator="Gather")),
        },
        {"spread": Spread.BOUNDARY},
        "MC999",
        "count",
    ),
    case(
        "MC704",
        {
            **PRODUCT,
            "operation": Operation.LINEAR,
            "operator": "Gemm",
            "reads": (t("BR"), weight()),
            "makes": (POOLED,),
            "up": (FLAT,),
            "tensors": {"states": STATES},
        },
        {"up": (step(Operation.RELU, ("states",), ("in0",), operator="Relu"),)},
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
            "operation": Operation.MATMUL,
            "operator": "MatMul",
            "reads": (t("BKT"), STATES),
            "makes": (t("BKD"),),
            "up": (step(Operation.SOFTMAX, ("shares",), ("in0",), Softmax(axis=1), operator="Softmax"),),
            "tensors": {"shares": t("BKT")},
        },
        {"up": (step(Operation.RELU, ("shares",), ("in0",), operator="Relu"),)},
        "MC215",
        "clusters",
    ),
    case("MC801", QUANTIZE, {"settings": Quantiser(block=32)}, "MC802", "one scale"),
    case(
        "MC801",
        {**QUANTIZE, "operation": Operation.DYNAMIC_LSTM, "operator": "DynamicQuantizeLSTM"},
        {"operation": Operation.LSTM, "operator": "LSTM"},
        "MC302",
        "one scale",
    ),
    case(
        "MC802",
        {**QUANTIZE, "settings": Quantiser(block=32)},
        {"settings": Quantiser(block=0)},
        "MC801",
        "blocks of 32",
    ),
    case("MC901", {**ROUTE, "module_class": "SwitchRouter"}, {"module_class": "TokenPruner"}, "MC902", "experts"),
    case(
        "MC901",
        {
            "operation": Operation.CUMULATIVE_SUM,
            "operator": "CumSum",
            "reads": (STATES,),
            "makes": (STATES,),
            "leaks": "ls",
            "up": (step(Operation.SOFTMAX, operator="Softmax"),),
            "down": (step(Operation.LESS_OR_EQUAL, operator="LessOrEqual"),),
        },
        {"down": ()},
        "MC923",
        "experts",
    ),
    case("MC902", ROUTE, {"leaks": "s", "makes": (t("BT"),)}, "MC606", "compete"),
    case(
        "MC920",
        {**PRODUCT, "operation": Operation.FOURIER_TRANSFORM, "operator": "DFT"},
        {"operation": Operation.MATMUL, "operator": "MatMul"},
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
        {**ADD, "operation": Operation.OTHER, "operator": "Custom", "framework": "keras", "static": (DROPPED,)},
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
        {**MEAN, "operation": Operation.RANDOM, "operator": "Dropout"},
        {"operation": Operation.DROPOUT},
        "MC999",
        "random numbers",
    ),
    case(
        "MC999",
        {**ADD, "operation": Operation.OTHER, "operator": "Combine"},
        {"operation": Operation.FOURIER_TRANSFORM},
        "MC920",
        "Combine",
    ),
)
