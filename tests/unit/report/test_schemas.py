"""The schema of a comparison, against comparisons of real reports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from maskcheck.core.comparison import compare
from maskcheck.core.report import ModelReport
from maskcheck.report.comparison_view import render_json
from maskcheck.report.schemas import comparison_schema, report_schema
from tests.unit.report import sample

SCHEMA: dict[str, Any] = json.loads(comparison_schema())
MODELS = sample.REPORT.models


@pytest.mark.parametrize("before", MODELS, ids=lambda model: model.outcome.value)
@pytest.mark.parametrize("after", MODELS, ids=lambda model: model.outcome.value)
def test_a_comparison_obeys_it(before: ModelReport, after: ModelReport) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    document = json.loads(render_json(compare(before, after), "0.1.0"))
    Draft202012Validator(SCHEMA).validate(document)
    assert set(document) == set(SCHEMA["properties"]), "every field is described"


def test_it_refuses_what_it_should() -> None:
    wrong = json.loads(render_json(compare(MODELS[0], MODELS[0]), "0.1.0"))
    wrong["twins"][0]["change"] = "better"
    del wrong["worse"]
    assert len(list(Draft202012Validator(SCHEMA).iter_errors(wrong))) == 2


def test_models_are_described_once() -> None:
    assert SCHEMA["$defs"] == json.loads(report_schema())["$defs"]
