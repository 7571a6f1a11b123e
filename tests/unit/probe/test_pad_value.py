"""Real steps that equal the pad value: whether the model sees them, whether that matters, and what the report says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from maskcheck.auditing import audit_open
from maskcheck.core.model import TensorSpec
from maskcheck.core.report import Finding, ModelReport, Outcome, PassportRow, Severity, Status, TwinKind
from maskcheck.core.settings import Settings
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind as K
from maskcheck.ir.operation import Operation
from tests.fakes import FakeModel, Node

TABLE = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
MASK = TensorSpec("attention_mask", "int64", ("batch", "seq"))
WORDS = (TensorSpec("input_ids", "int64", ("batch", "seq")),)
FRAMES = (TensorSpec("features", "float32", ("batch", "time", 5)),)


def mean(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    real = real[..., None].astype(np.float32)
    return (np.tanh(x) * real).sum(1) / np.maximum(real.sum(1), 1)


def words(*, mask: bool = False, compares: bool = True, apart: bool = False) -> FakeModel:
    """A masked mean of embeddings; ``mask`` adds a mask input, which is used if ids are not compared.

    ``apart`` is a tagger whose positions never reach each other.
    """
    real = Node("real", K.ELEMENTWISE, ("input_ids",), lambda ids: ids != 0)
    told = Node("told", K.ELEMENTWISE, ("attention_mask", "real"), lambda m, r: (m != 0) & (r | True))
    nodes = [Node("embed", K.EMBEDDING, ("table", "input_ids"), lambda t, ids: t[ids]), real]
    nodes += [told] if mask else []
    marks = "real" if compares else "told"
    keep: Callable[..., np.ndarray] = (lambda x, m: x * m[..., None]) if apart else mean
    nodes.append(Node("answer", K.ELEMENTWISE, ("embed", marks), keep))
    uses = [
        InputUse(
            input="input_ids",
            kind=UseKind.INDEX,
            site="embed",
            operator="embedding",
            operation=Operation.EMBEDDING,
            value=30,
        )
    ]
    uses.append(
        InputUse(
            input="input_ids",
            kind=UseKind.COMPARE,
            site="real",
            operator="not_equal",
            value=0,
            operation=Operation.NOT_EQUAL,
        )
    )
    uses += (
        [InputUse(input="attention_mask", kind=UseKind.OTHER, site="told", operator="and", operation=Operation.AND)]
        if mask
        else []
    )
    return FakeModel(WORDS + ((MASK,) if mask else ()), nodes, ("answer",), {"table": TABLE}, tuple(uses))


def frames(value: float = 0.0) -> FakeModel:
    """A masked mean of frames; those that hold ``value`` in every feature are no frames."""
    nodes = [
        Node("real", K.ELEMENTWISE, ("features",), lambda x: np.any(x != value, axis=-1)),
        Node("project", K.MATMUL, ("features", "weights"), lambda x, w: x @ w),
        Node("answer", K.ELEMENTWISE, ("project", "real"), mean),
    ]
    uses = (
        InputUse(
            input="features",
            kind=UseKind.COMPARE,
            site="real",
            operator="not_equal",
            value=value,
            operation=Operation.NOT_EQUAL,
        ),
        InputUse(input="features", kind=UseKind.OTHER, site="project", operator="matmul", operation=Operation.MATMUL),
    )
    return FakeModel(FRAMES, nodes, ("answer",), {"weights": WEIGHTS}, uses)


def audited(model: FakeModel, **settings: object) -> ModelReport:
    return audit_open(model, Settings(**settings)).models[0]  # type: ignore[arg-type]


def row(report: ModelReport) -> PassportRow | None:
    return next((r for r in report.passport if r.twin is TwinKind.VALID and r.variant.endswith("in use")), None)


def finding(report: ModelReport) -> Finding | None:
    return next((f for f in report.findings if f.twins == (TwinKind.VALID,)), None)


def recorded(folder: Path, name: str, rows: np.ndarray) -> str:
    path = folder / "recorded.npz"
    np.savez(path, **{name: rows})
    return str(path)


def some_ids(at: int | None) -> np.ndarray:
    ids = np.random.default_rng(2).integers(1, 30, (4, 9))
    ids[1, 6:] = 0
    if at is not None:
        ids[2, at] = 0
    return ids


def some_frames(at: int | None) -> np.ndarray:
    values = np.random.default_rng(3).standard_normal((4, 9, 5)).astype(np.float32)
    values[1, 6:] = 0
    if at is not None:
        values[2, at] = 0
    return values


def test_a_mask_that_the_model_overrules_for_the_pad_id_is_a_warning_at_the_comparison() -> None:
    report = audited(words(mask=True))
    seen, told = row(report), finding(report)
    assert report.outcome is Outcome.CLEAN
    assert seen is not None and seen.status is Status.LEAKY and "marked valid" in (seen.reason or "")
    assert told is not None and (told.rule, told.severity) == ("MC702", Severity.WARNING)
    assert told.site is not None and told.site.name == "real"


def test_a_mask_that_is_followed_for_every_id_is_safe() -> None:
    report = audited(words(mask=True, compares=False))
    seen = row(report)
    assert seen is not None and seen.status is Status.CLEAN and seen.reason is None
    assert finding(report) is None


def test_ids_without_a_mask_keep_their_pad_id_for_padding_until_data_shows_otherwise(tmp_path: Path) -> None:
    for inputs, status, found in (
        (None, Status.CLEAN, None),
        (some_ids(None), Status.CLEAN, None),
        (some_ids(4), Status.LEAKY, "MC702"),
    ):
        path = None if inputs is None else recorded(tmp_path, "input_ids", inputs)
        report = audited(words(), inputs=path)
        seen, told = row(report), finding(report)
        assert seen is not None and seen.status is status and seen.reason
        assert (told.rule if told else None) == found
    assert "in 1 of 4 recorded inputs" in (seen.reason or "")


def test_positions_that_never_reach_each_other_say_nothing() -> None:
    report = audited(words(apart=True))
    assert row(report) is None and finding(report) is None


@pytest.mark.parametrize(("value", "status"), [(0.0, Status.LEAKY), (-999.0, Status.CLEAN)])
def test_a_value_that_real_frames_can_hold_is_pointed_out(value: float, status: Status) -> None:
    report = audited(frames(value))
    seen, told = row(report), finding(report)
    assert report.outcome is Outcome.CLEAN
    assert seen is not None and seen.status is status
    assert (told is not None) == (status is Status.LEAKY)
    assert told is None or (told.rule, told.severity) == ("MC706", Severity.INFO)


@pytest.mark.parametrize(("at", "severity"), [(None, None), (4, Severity.WARNING)])
def test_recorded_frames_say_whether_it_happens(tmp_path: Path, at: int | None, severity: Severity | None) -> None:
    report = audited(frames(), inputs=recorded(tmp_path, "features", some_frames(at)))
    told = finding(report)
    assert (told.severity if told else None) == severity


def test_it_gates_where_it_is_required() -> None:
    report = audited(words(mask=True), require=("length", "mates", "valid"))
    told = finding(report)
    assert report.outcome is Outcome.LEAKY
    assert told is not None and told.severity is Severity.ERROR


def test_pads_that_nearly_hold_the_value_are_poison() -> None:
    report = audited(frames())
    poison = next(r for r in report.passport if r.twin is TwinKind.POISON)
    assert (poison.variant, poison.status, poison.gating) == ("near miss", Status.LEAKY, False)
