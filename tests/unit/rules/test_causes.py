"""Root causes: where the information was lost that made an origin leak."""

from __future__ import annotations

from typing import Any

from maskcheck.core.evidence import Evidence
from maskcheck.ir.operation import Operation
from maskcheck.ir.static_fact import FactKind, StaticFact
from maskcheck.rules import diagnose
from maskcheck.rules.static import joined_static
from tests.unit.rules.scene import evidence, step, t, weight


def _mean(**more: Any) -> Evidence:
    return evidence(Operation.MEAN, (t("BTD"),), (t("BD"),), **more, operator="ReduceMean")


def test_static_facts_join_the_origin_then_what_feeds_it_then_the_model() -> None:
    before, behind = step(Operation.RESHAPE, operator="Reshape"), step(Operation.LINEAR, operator="Gemm")
    facts = tuple(
        StaticFact(kind="kind", site=site, detail=name)
        for site, name in (
            (None, "model"),
            ("/gemm", "behind"),
            ("/reshape", "before"),
            ("/reducemean_origin", "own"),
            ("/x", "far"),
        )
    )
    seen = _mean(up=(before,), down=(behind,), static=facts)
    assert [f.detail for f in joined_static(seen)] == ["own", "before", "model"]
    assert joined_static(seen, "other") == ()


def test_a_layer_that_dropped_the_mask_is_the_cause_of_an_unmasked_mean() -> None:
    reshape = step(Operation.RESHAPE, operator="Reshape")
    near = diagnose(
        _mean(
            up=(reshape,),
            static=(StaticFact(kind=FactKind.MASK_DROPPED, site="/reshape", detail="Reshape passes no mask on"),),
        )
    )
    far = diagnose(
        _mean(static=(StaticFact(kind=FactKind.MASK_DROPPED, site="/far", detail="Reshape passes no mask on"),))
    )
    assert near.rule.code == far.rule.code == "MC101"
    assert near.root_cause is not None and near.root_cause.site is reshape
    assert far.root_cause is not None and far.root_cause.site is None
    assert diagnose(_mean()).root_cause is None


def test_a_layer_that_dropped_the_mask_is_the_cause_also_of_a_mean_over_zeroed_pads() -> None:
    multiply = step(Operation.MULTIPLY, operator="Multiply")
    fact = StaticFact(kind=FactKind.MASK_DROPPED, site="/multiply", detail="Multiply passes no mask on")
    pads: dict[str, Any] = {"reads": (t("BTD", zero_at_pads=True),), "makes": (t("BD"),)}
    zeroed = evidence(Operation.MEAN, **pads, leaks="l", up=(multiply,), static=(fact,), operator="ReduceMean")
    assert diagnose(zeroed).rule.code == "MC102"
    cause = diagnose(zeroed).root_cause
    assert cause is not None and cause.site is multiply
    own_fact = (StaticFact(kind=FactKind.MASK_DROPPED, site="/reducemean_origin", detail="ends the sequence"),)
    own = evidence(Operation.MEAN, **pads, leaks="l", static=own_fact, operator="ReduceMean")
    assert diagnose(own).root_cause is None, "a site is not its own cause"


def test_an_unused_mask_input_is_the_cause_and_other_unused_inputs_are_not() -> None:
    unused = diagnose(
        _mean(static=(StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail="input 'mask': no operator reads it"),))
    )
    assert unused.root_cause is not None and "'mask'" in unused.root_cause.reason
    assert (
        diagnose(
            _mean(static=(StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail="input 'noise': nobody reads it"),))
        ).root_cause
        is None
    )


def test_lengths_missing_on_a_layer_before_do_not_explain_a_mean() -> None:
    layer = step(Operation.LSTM, operator="LSTM")
    seen = _mean(
        up=(layer,), static=(StaticFact(kind=FactKind.NO_LENGTHS, site="/lstm", detail="LSTM without sequence_lens"),)
    )
    assert diagnose(seen).root_cause is None


def test_the_flatten_is_the_cause_of_a_flattened_sequence() -> None:
    flatten = step(Operation.FLATTEN, ("states",), ("in0",), operator="Flatten")
    seen = evidence(
        Operation.LINEAR, (t("BR"), weight()), (t("BD"),), up=(flatten,), tensors={"states": t("BTD")}, operator="Gemm"
    )
    found = diagnose(seen)
    assert found.root_cause is not None and found.root_cause.site is flatten


def test_the_shape_that_divides_is_the_cause_of_a_masked_sum_over_the_padded_length() -> None:
    size = step(Operation.CAST, ("shape",), ("in1",), operator="Cast")
    reads = (t("BD"), t("1", shape_only=True))
    found = diagnose(evidence(Operation.DIVIDE, reads, (t("BD"),), leaks="l", up=(size,), operator="Div"))
    assert found.rule.code == "MC102"
    assert found.root_cause is not None and found.root_cause.site is size


def test_nan_counts_as_a_leak() -> None:
    seen = evidence(Operation.SOFTMAX, (t("BHTT"),), (t("BHTT"),), leaks="e", operator="Softmax")
    nan = Evidence(
        **{f: getattr(seen, f) for f in seen.__slots__} | {"at_site": {k: float("nan") for k in seen.at_site}}
    )
    assert diagnose(nan).rule.code == "MC213"
