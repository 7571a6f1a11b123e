"""The JSON report: its golden, its schema, and numbers that JSON does not have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from enum import StrEnum
from importlib import resources
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from maskcheck.core.contract import OutputKind, Role, Side
from maskcheck.core.report import Outcome, Report, Severity, Status, TwinKind
from maskcheck.report.json import document, render, render_contract
from maskcheck.report.plain import dump, plain
from maskcheck.report.registry import REPORTERS
from maskcheck.report.rendering import Rendering

from . import sample

SCHEMA = json.loads((resources.files("maskcheck") / "report" / "report.schema.json").read_text())


def reject(constant: str) -> Any:
    raise AssertionError(f"bare {constant}")


def test_json(golden: Callable[[str, str], None]) -> None:
    golden("report.json", render(sample.REPORT))


def test_the_report_obeys_the_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(render(sample.REPORT), parse_constant=reject))
    Draft202012Validator(SCHEMA).validate(json.loads(render(Report((), "0.1.0"))))


def test_the_schema_refuses_what_it_should() -> None:
    wrong = json.loads(render(sample.REPORT))
    wrong["models"][0]["outcome"] = "fine"
    del wrong["summary"]["leaky"]
    assert len(list(Draft202012Validator(SCHEMA).iter_errors(wrong))) == 2


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (SCHEMA["$defs"]["twin"], TwinKind),
        (SCHEMA["$defs"]["row"]["properties"]["status"], Status),
        (SCHEMA["$defs"]["model"]["properties"]["outcome"], Outcome),
        (SCHEMA["$defs"]["finding"]["properties"]["severity"], Severity),
        (SCHEMA["$defs"]["input"]["properties"]["role"], Role),
    ],
)
def test_the_schema_knows_every_word(definition: dict[str, Any], words: type[StrEnum]) -> None:
    assert definition["enum"] == [word.value for word in words]


def test_the_schema_knows_every_word_of_the_contract() -> None:
    contract = SCHEMA["$defs"]["contract"]["properties"]
    assert contract["outputs"]["items"]["properties"]["kind"]["enum"] == list(OutputKind)
    assert contract["domains"]["items"]["properties"]["side"]["enum"] == list(Side)


def test_every_field_written_is_described() -> None:
    """A field that the schema does not know would be a promise nobody wrote down."""
    unknown: list[str] = []

    def walk(value: Any, schema: dict[str, Any], path: str) -> None:
        if "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        branches = [b for b in schema.get("anyOf", []) if b != {"type": "null"}]
        if branches and "properties" not in schema:
            return walk(value, branches[0], path) if isinstance(value, dict) else None
        if isinstance(value, list):
            for item in value:
                walk(item, schema["items"], path)
        elif isinstance(value, dict) and "properties" in schema:
            for key, item in value.items():
                if key not in schema["properties"]:
                    unknown.append(f"{path}.{key}")
                else:
                    walk(item, schema["properties"][key], f"{path}.{key}")
        return None

    walk(json.loads(render(sample.REPORT)), SCHEMA, "")
    assert unknown == []


def test_the_summary_counts_the_models() -> None:
    summary = document(sample.REPORT)["summary"]
    assert summary["models"] == sum(summary[outcome.value] for outcome in Outcome) == len(sample.REPORT.models)
    assert sum(summary["findings"].values()) == sum(len(model.findings) for model in sample.REPORT.models)


def test_the_report_is_ascii() -> None:
    assert render(sample.REPORT).isascii()
    assert json.loads(render(sample.REPORT))["models"][0]["contract"]["other_inputs"][0]["name"] == sample.HOSTILE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float32("nan"), "nan"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.array([1.0, math.inf]), [1.0, "inf"]),
        (True, True),
        (Role.MASK, "mask"),
        ({1: (Side.LEFT, None)}, {"1": ["left", None]}),
        (frozenset({"a"}), ["a"]),
        (object, "<class 'object'>"),
    ],
)
def test_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert json.loads(dump(value), parse_constant=reject) == expected


def test_inspect_as_json() -> None:
    found = json.loads(render_contract(sample.CONTRACT, sample.INFO))
    assert found["path"] == "exports/reviews.onnx"
    assert [spec["name"] for spec in found["contract"]["domains"][0]["inputs"]] == ["input_ids", "attention_mask"]


def test_every_reporter_writes_every_report() -> None:
    for name, reporter in REPORTERS.items():
        assert reporter(sample.REPORT, Rendering()).endswith("\n"), name
