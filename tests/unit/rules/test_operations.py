"""Rules ask what an operation does: names that contain another operation's name are no longer taken for it."""

from __future__ import annotations

from typing import Any

import pytest

from maskcheck.core.contract import Role
from maskcheck.ir.operation import ORDERINGS, Operation
from maskcheck.ir.settings import Attention, Clip, Fill, Recurrence, Slice
from maskcheck.rules import diagnose, predicates
from tests.unit.rules.scene import evidence, step, t, weight

STATES, SCORES = t("BTD"), t("BHTT")
MASK = t("B11T", mask_reaches=True, dtype="bool")
RANKS: dict[str, Any] = {
    "operation": Operation.CUMULATIVE_SUM,
    "reads": (STATES,),
    "makes": (STATES,),
    "leaks": "ls",
    "up": (step(Operation.SOFTMAX),),
}
POOLED: dict[str, Any] = {"operation": Operation.MEAN, "reads": (STATES,), "makes": (t("BD"),)}
MASKED: dict[str, Any] = {
    "operation": Operation.SOFTMAX,
    "reads": (t("BHTT", mask_reaches=True),),
    "makes": (SCORES,),
    "mass": (0.4, 0.3),
    "axis": "none",
    "tensors": {"scores": SCORES, "mask": MASK},
}


def code(**told: Any) -> str:
    return diagnose(evidence(**told)).rule.code


@pytest.mark.parametrize("operation", sorted(ORDERINGS))
def test_a_count_that_is_compared_with_a_capacity_is_a_router(operation: Operation) -> None:
    assert code(**RANKS, down=(step(operation),)) == "MC901"


@pytest.mark.parametrize(
    ("operator", "operation"),
    [
        ("LeakyRelu", Operation.RELU),
        ("Abs", Operation.ABSOLUTE),
        ("MultiHeadAttention", Operation.ATTENTION),
        ("aten.tile", Operation.REPEAT),
        ("aten.select", Operation.SELECT),
        ("Multiply", Operation.MULTIPLY),
        ("Equal", Operation.EQUAL),
    ],
)
def test_a_count_that_is_compared_with_nothing_is_a_running_sum(operator: str, operation: Operation) -> None:
    assert code(**RANKS, down=(step(operation, operator=operator),)) == "MC923"


@pytest.mark.parametrize(
    ("operator", "operation"),
    [
        ("aten.matmul", Operation.MATMUL),
        ("MultiHeadAttention", Operation.ATTENTION),
        ("com.microsoft.ComplexMul", Operation.FOURIER_TRANSFORM),
        ("aten.multinomial", Operation.RANDOM),
    ],
)
def test_what_only_has_mul_in_its_name_is_no_gate(operator: str, operation: Operation) -> None:
    gate = (step(Operation.SIGMOID, ("projected",), ("gate",)), step(Operation.MULTIPLY, ("in0", "gate"), ("gated",)))
    none = (gate[0], step(operation, ("in0", "gate"), ("gated",), operator=operator))
    assert code(**POOLED, down=gate) == "MC111"
    assert code(**POOLED, down=none) == "MC101"


def test_a_clip_between_minus_one_and_one_is_a_gate_and_any_other_is_none() -> None:
    gated = step(Operation.MULTIPLY, ("in0", "gate"), ("gated",))
    hard = step(Operation.CLIP, ("projected",), ("gate",), Clip(lowest=-1.0, highest=1.0))
    wide = step(Operation.CLIP, ("projected",), ("gate",), Clip(lowest=0.0, highest=6.0))
    assert code(**POOLED, down=(hard, gated)) == "MC111"
    assert code(**POOLED, down=(wide, gated)) == "MC101"


@pytest.mark.parametrize("operation", [Operation.SELECT, Operation.MASKED_SELECT, Operation.GATHER])
def test_what_only_has_select_in_its_name_fills_no_scores(operation: Operation) -> None:
    join = (step(operation, ("scores", "mask"), ("in0",), operator="aten.select"),)
    assert code(**MASKED, up=join) == "MC207"
    assert code(**MASKED, up=(step(Operation.WHERE, ("scores", "mask"), ("in0",), Fill(values=(-1.0,))),)) == "MC206"


@pytest.mark.parametrize("operation", [Operation.DIVIDE, Operation.POWER, Operation.LESS])
def test_a_divisor_is_no_value_of_a_mask(operation: Operation) -> None:
    laid = step(Operation.ADD, ("scores", "mask"), ("in0",))
    for does, expected in ((Operation.MULTIPLY, "MC208"), (operation, "MC207")):
        assert code(**MASKED, up=(laid, step(does, ("told",), ("mask",), Fill(values=(-1e4,))))) == expected


def test_an_ordering_recognises_no_padding_by_value() -> None:
    told: dict[str, Any] = {
        "operation": Operation.SOFTMAX,
        "reads": (SCORES,),
        "makes": (SCORES,),
        "roles": (Role.FEATURES,),
        "tensors": {"scores": SCORES, "marks": t("B11T", dtype="bool"), "features": STATES},
    }
    join = step(Operation.WHERE, ("scores", "marks"), ("in0",))
    for operation, expected in ((Operation.EQUAL, "MC706"), (Operation.LESS_OR_EQUAL, "MC201")):
        assert code(**told, up=(join, step(operation, ("features",), ("marks",)))) == expected


def test_unflattened_time_is_not_merged_into_the_features() -> None:
    product: dict[str, Any] = {"operation": Operation.LINEAR, "reads": (t("BR"), weight()), "makes": (t("BD"),)}
    merged = step(Operation.FLATTEN, ("states",), ("in0",), operator="aten.flatten")
    split = step(Operation.RESHAPE, ("states",), ("in0",), operator="aten.unflatten")
    assert code(**product, up=(merged,)) == "MC704"
    assert code(**product, up=(split,)) == "MC999"


@pytest.mark.parametrize("operation", [Operation.DIVIDE, Operation.FLOOR_DIVIDE, Operation.DIVIDE_ADD])
def test_every_division_divides(operation: Operation) -> None:
    total: dict[str, Any] = {"operation": Operation.SUM, "reads": (STATES,), "makes": (t("BD"),)}
    assert code(**total, down=(step(operation, ("out0", "count"), ("mean",)),)) == "MC101"


def test_a_broadcast_is_no_cast() -> None:
    size = t("1", shape_only=True, difference=1.0)
    told: dict[str, Any] = {
        "operation": Operation.DIVIDE,
        "reads": (t("BD"), size),
        "makes": (t("BD"),),
        "leaks": "l",
        "tensors": {"shape": size},
    }
    below = step(Operation.ADD, ("shape",), ("in1",))
    for operation in (Operation.CAST, Operation.EXPAND):
        above = step(operation, ("axes",), ("shape",), operator="aten.broadcast_to")
        cause = diagnose(evidence(**told, up=(below, above))).root_cause
        assert cause is not None and cause.site is (below if operation is Operation.CAST else above)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("SwitchRouter", "MC901"),
        ("MixtralSparseMoeBlock", "MC901"),
        ("MoELayer", "MC901"),
        ("TokenSwitcher", "MC902"),
        ("package.moe.TokenPruner", "MC902"),
    ],
)
def test_routers_are_known_by_whole_words_of_their_class(module: str, expected: str) -> None:
    told: dict[str, Any] = {"operation": Operation.TOP_K, "reads": (t("BT"),), "makes": (t("BT"),)}
    assert code(**told, module_class=module) == expected


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        ("SyncBatchNorm", "batchnorm", True),
        ("torch.nn.modules.batchnorm.BatchNorm1d", "batchnorm", True),
        ("masked_batch_norm", "batchnorm", True),
        ("LlamaRMSNorm", "rmsnorm", True),
        ("T5LayerNorm", "layernorm", True),
        ("GroupNorm32", "groupnorm", True),
        ("torch.nn.modules.batchnorm.Other", "batchnorm", False),
        ("LayerNormalizer", "layernorm", False),
        ("PlayerNorm", "layernorm", False),
        (None, "layernorm", False),
    ],
)
def test_a_module_is_known_by_whole_words_however_joined(module: str | None, name: str, found: bool) -> None:
    site = evidence(Operation.MEAN, module_class=module).site
    assert predicates.owned_by(site, name) is found


def test_a_fused_attention_of_a_runtime_lost_its_mask_and_a_written_one_has_none() -> None:
    told: dict[str, Any] = {
        "operation": Operation.ATTENTION,
        "reads": (STATES, weight()),
        "makes": (STATES,),
        "roles": (Role.TOKENS,),
    }
    assert code(**told, settings=Attention(fused_by_runtime=True)) == "MC943"
    assert code(**told, settings=Attention()) == "MC201"


def test_zeros_at_pads_are_the_last_answer_where_only_that_is_returned() -> None:
    told: dict[str, Any] = {"operation": Operation.LSTM, "reads": (STATES,), "makes": (t("BD"),)}
    assert code(**told, settings=Recurrence(zeroes_pads=True, returns_sequence=False)) == "MC305"
    assert code(**told, settings=Recurrence(zeroes_pads=True)) == "MC302"


def test_the_column_of_a_frozen_cut_is_told() -> None:
    cut = step(Operation.SLICE, ("states",), ("in0",), Slice(axes=(-2,), starts=(0,), ends=(16,)))
    found = diagnose(evidence(**POOLED, up=(cut,), tensors={"states": STATES}))
    assert found.rule.code == "MC941"
    assert found.root_cause is not None and found.root_cause.reason.endswith("(16)")
