"""Attention: one leak and one near miss for each rule."""

from __future__ import annotations

from maskcheck.core.contract import Conflict, Role
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Attention, Fill, Pad, Quantiser, Settings, Softmax
from maskcheck.ir.static_fact import FactKind, StaticFact
from tests.unit.rules.scene import case, step, t, weight

SCORES = t("BHTT")
MASKED = t("BHTT", mask_reaches=True)
MASK = t("B11T", mask_reaches=True, dtype="bool")
KEYS = {"tensors": {"scores": SCORES, "mask": MASK}}
SOFTMAX = {
    "operation": Operation.SOFTMAX,
    "operator": "Softmax",
    "reads": (SCORES,),
    "makes": (SCORES,),
    "settings": Softmax(axis=-1),
}
WITH_MASK = {**SOFTMAX, "reads": (MASKED,), "mass": (0.4, 0.3), "axis": "none"}
FUSED = {"operation": Operation.ATTENTION, "operator": "Attention", "reads": (t("BTD"), weight()), "makes": (t("BTD"),)}
STATES = t("BTD")


def join(operation: Operation, settings: Settings | None = None) -> tuple[object, ...]:
    """A site that puts the mask onto the scores, before the softmax."""
    return (step(operation, ("scores", "mask"), ("in0",), settings),)


def quantised(lowest: float) -> tuple[Site, ...]:
    """A mask joins the scores, and a quantiser that can express so much stands before the softmax."""
    return (
        step(Operation.DEQUANTIZE, ("coarse",), ("in0",), operator="DequantizeLinear"),
        step(Operation.QUANTIZE, ("joined",), ("coarse",), Quantiser(lowest=lowest), operator="QuantizeLinear"),
        step(Operation.ADD, ("scores", "mask"), ("joined",), operator="Add"),
    )


def lengthened(fill: float) -> Site:
    """A site that lays positions behind those of the mask."""
    return step(Operation.PAD, ("given",), ("mask",), Pad(fill=fill), operator="Pad")


AFTER = step(Operation.MULTIPLY, ("out0", "mask"), ("masked",), operator="Mul")
RETURN = step(Operation.MATMUL, ("out0", "values"), ("context",), operator="MatMul")

CASES = (
    case("MC201", {**SOFTMAX, "roles": (Role.TOKENS,)}, {"leaks": "s"}, "MC217", "no padding mask"),
    case(
        "MC202",
        {**WITH_MASK, "conflicts": (Conflict("mask", "inverted-polarity", "1 means padding"),)},
        {"conflicts": ()},
        "MC207",
        "1 means padding.",
    ),
    case("MC202", {**WITH_MASK, "dead": (0.1, 0.9)}, {"dead": (0.9,)}, "MC207", "inverted"),
    case("MC203", {**SOFTMAX, "settings": Softmax(axis=2)}, {"settings": Softmax(axis=3)}, "MC205", "queries (axis 2)"),
    case(
        "MC203", {**SOFTMAX, "settings": Softmax(axis=0)}, {"settings": Softmax(axis=3)}, "MC205", "rows of the batch"
    ),
    case("MC204", {**WITH_MASK, "axis": "queries"}, {"axis": "none"}, "MC207", "query axis"),
    case("MC205", SOFTMAX, {"roles": (Role.TOKENS,)}, "MC201", "'mask'"),
    case("MC206", {**WITH_MASK, "mass": (2e-4, 1e-4)}, {"mass": (0.2, 0.1)}, "MC207", "0.0002"),
    case(
        "MC206",
        {**WITH_MASK, **KEYS, "up": join(Operation.WHERE, Fill(values=(-1e-9,)))},
        {"up": join(Operation.ADD)},
        "MC207",
        "-1e-09, which does not remove them",
    ),
    case(
        "MC206",
        {
            **WITH_MASK,
            "static": (StaticFact(kind=FactKind.WEAK_FILL, site="/softmax_origin", detail="Where fills with -10"),),
        },
        {"static": (StaticFact(kind=FactKind.WEAK_FILL, site="/elsewhere", detail="Where fills with -10"),)},
        "MC207",
        "fills with -10.",
    ),
    case("MC207", {**WITH_MASK, **KEYS, "up": join(Operation.ADD)}, {"mass": (0.0, 0.0)}, "MC999", "40% of the weight"),
    case("MC208", {**WITH_MASK, "leaks": "clsk"}, {"leaks": "cls"}, "MC207", "changes nothing"),
    case(
        "MC209",
        {**SOFTMAX, "tensors": {"mask": MASK}, "down": (AFTER, RETURN)},
        {"down": (RETURN,)},
        "MC205",
        "denominator",
    ),
    case("MC210", {**WITH_MASK, "mass": (0.25, 0.25)}, {"mass": (0.25, 0.21)}, "MC207", "25%"),
    case(
        "MC210",
        {**WITH_MASK, "up": (step(Operation.BITWISE_NOT, operator="BitwiseNot"),)},
        {"up": ()},
        "MC207",
        "bit by bit",
    ),
    case("MC211", {**SOFTMAX, "leaks": "m"}, {"leaks": "cm"}, "MC205", "across the rows"),
    case(
        "MC211",
        {**SOFTMAX, "reads": (t("RTB", mask_reaches=True),), "leaks": "m"},
        {"reads": (MASKED,)},
        "MC212",
        "across the rows",
    ),
    case("MC212", {**SOFTMAX, "reads": (MASKED,), "leaks": "me"}, {"reads": (SCORES,)}, "MC211", "another row"),
    case("MC213", {**SOFTMAX, "leaks": "e"}, {"leaks": "em"}, "MC211", "without any real key"),
    case(
        "MC214",
        {**SOFTMAX, "reads": (t("BHKT"),), "domains": 2},
        {"domains": 1},
        "MC109",
        "one sequence attend to",
    ),
    case(
        "MC215",
        {"operation": Operation.MATMUL, "operator": "MatMul", "reads": (t("BHDT"), t("BHTD")), "makes": (t("BHDD"),)},
        {"makes": (t("BHTT"),)},
        "MC999",
        "linear attention",
    ),
    case(
        "MC216",
        {
            "operation": Operation.MATMUL,
            "operator": "MatMul",
            "reads": (weight("KT"), t("BTD")),
            "makes": (t("BKD"),),
            "down": (step(Operation.MATMUL, operator="MatMul"), step(Operation.SOFTMAX, operator="Softmax")),
        },
        {"down": (step(Operation.MATMUL, operator="MatMul"),)},
        "MC921",
        "before the attention",
    ),
    case("MC217", {**SOFTMAX, "leaks": "s"}, {"leaks": "s", "reads": (MASKED,)}, "MC219", "left padding"),
    case("MC218", {**WITH_MASK, "leaks": "l", "mass": (0.0, 0.0)}, {"mass": (0.3, 0.2)}, "MC207", "padded length"),
    case(
        "MC222",
        {**WITH_MASK, **KEYS, "leaks": "l", "mass": (0.0, 0.0), "up": (*join(Operation.WHERE), lengthened(1.0))},
        {"up": (*join(Operation.WHERE), lengthened(0.0))},
        "MC218",
        "calls them real",
    ),
    case("MC219", {**SOFTMAX, "reads": (MASKED,), "leaks": "s"}, {"leaks": "cls"}, "MC207", "column 0"),
    case(
        "MC220",
        {"operation": Operation.MULTIPLY, "operator": "Mul", "reads": (STATES,), "makes": (STATES,), "leaks": "p"},
        {"leaks": "pc"},
        "MC999",
        "NaN",
    ),
    case("MC221", {**WITH_MASK, "leaks": "x"}, {"leaks": "c"}, "MC207", "half precision"),
    case(
        "MC221",
        {
            **WITH_MASK,
            "static": (
                StaticFact(kind=FactKind.HALF_FILL, site=None, detail="Where fills a float16 tensor with -1e9"),
            ),
        },
        {"static": ()},
        "MC207",
        "-1e9",
    ),
    case(
        "MC803",
        {**WITH_MASK, "tensors": {"scores": SCORES, "mask": MASK}, "up": quantised(-3.8)},
        {"up": quantised(-1e9)},
        "MC207",
        "no value below -3.8",
    ),
    case(
        "MC940",
        {
            **SOFTMAX,
            "static": (StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail="input 'mask': no operator reads it"),),
        },
        {
            "static": (
                StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail="input 'segments': no operator reads it"),
            )
        },
        "MC205",
        "connected to nothing",
    ),
    case(
        "MC942",
        {**FUSED, "reads": (t("BTD"), weight(), weight("D"), t("B", mask_reaches=True)), "leaks": "s"},
        {"reads": (t("BTD"), weight(), weight("D"), t("BT", mask_reaches=True))},
        "MC219",
        "how many keys",
    ),
    case(
        "MC942",
        {
            "operation": Operation.SUM,
            "operator": "ReduceSum",
            "reads": (t("BTD", mask_reaches=True),),
            "makes": (t("BD"),),
            "leaks": "s",
            "roles": (Role.FEATURES, Role.LENGTHS),
        },
        {"roles": (Role.FEATURES, Role.MASK)},
        "MC114",
        "lengths",
    ),
    case(
        "MC943",
        {**FUSED, "operator": "com.microsoft.Attention", "settings": Attention(fused_by_runtime=True)},
        {"format": "torch-module"},
        "MC205",
        "given no mask",
    ),
)
