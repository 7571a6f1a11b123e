"""Every rule explains its leak and lets the near miss go to another."""

from __future__ import annotations

import pytest

from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Softmax
from maskcheck.rules import all_rules, diagnose
from maskcheck.rules.lookup import rule
from maskcheck.rules.registry import LAST, MATCHERS
from tests.unit.rules import attention_cases, other_cases, pooling_cases, sequence_cases
from tests.unit.rules.scene import Case, evidence, step, t

CASES = (*attention_cases.CASES, *pooling_cases.CASES, *sequence_cases.CASES, *other_cases.CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.code}-{c.becomes}")
def test_the_rule_explains_its_leak(case: Case) -> None:
    found = diagnose(case.leaky)
    assert found.rule.code == case.code, dict(found.considered).get(case.code)
    assert case.says in found.message


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.code}-{c.becomes}")
def test_the_near_miss_is_another_rules(case: Case) -> None:
    assert diagnose(case.miss).rule.code == case.becomes != case.code


def test_every_rule_has_a_case() -> None:
    assert {c.code for c in CASES} == {r.code for r in all_rules() if r.family != "training"}


def test_the_registry_names_every_rule_and_ends_with_the_one_that_explains_anything() -> None:
    codes = [code for code, _ in MATCHERS]
    assert set(codes) == {r.code for r in all_rules() if r.family != "training"}
    assert codes[-1] == LAST and codes.count(LAST) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.code}-{c.becomes}")
def test_messages_are_one_sentence_and_reasons_say_why(case: Case) -> None:
    found = diagnose(case.leaky)
    assert found.message.endswith(".") and "  " not in found.message and "None" not in found.message
    assert all(reason and not reason.endswith(".") for _, reason in found.considered)
    assert found.fix == found.rule.mend(case.leaky.framework)


@pytest.mark.parametrize("operation", list(Operation))
def test_any_origin_gets_a_diagnosis_even_with_nothing_known_about_it(operation: Operation) -> None:
    for leaks in ("c", "l", "m", "s", "e", "v", "p", "x", "cls"):
        found = diagnose(evidence(operation, leaks=leaks))
        assert found.message


def test_the_fix_speaks_the_models_framework() -> None:
    mean = {"operation": Operation.MEAN, "operator": "ReduceMean", "reads": (t("BTD"),), "makes": (t("BD"),)}
    texts = {name: diagnose(evidence(**mean, framework=name)).fix for name in ("pytorch", "keras", "onnx")}  # type: ignore[arg-type]
    assert len(set(texts.values())) == 3
    assert diagnose(evidence(**mean, framework="tensorflow")).fix == texts["keras"]  # type: ignore[arg-type]
    assert diagnose(evidence(**mean, framework="something-new")).fix == texts["pytorch"]  # type: ignore[arg-type]


def test_a_product_of_weights_and_values_is_judged_as_its_softmax() -> None:
    softmax = step(Operation.SOFTMAX, ("scores",), ("in0",), Softmax(axis=-1), operator="Softmax")
    product = {
        "operation": Operation.MATMUL,
        "operator": "MatMul",
        "reads": (t("BHTT"), t("BHTD")),
        "makes": (t("BHTD"),),
        "leaks": "c",
    }
    seen = evidence(**product, up=(softmax,), tensors={"scores": t("BHTT")})  # type: ignore[arg-type]
    assert diagnose(seen).rule.code == "MC205"
    assert "Softmax" in diagnose(seen).message
    assert diagnose(evidence(**product)).rule.code == "MC215"  # type: ignore[arg-type]


def test_a_matcher_is_called_what_its_rule_is_called() -> None:
    for code, matcher in MATCHERS:
        assert matcher.__name__.startswith(rule(code).name.replace("-", "_")), code
