"""The use case: the order of its steps, what becomes of failures, and what is closed at the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskcheck._version import __version__
from maskcheck.auditing import audit, audit_loaded, audit_open, inspect_open
from maskcheck.core.errors import UsageError
from maskcheck.core.model import TensorSpec
from maskcheck.core.report import Outcome, Severity, TwinKind
from maskcheck.core.settings import Overrides, Settings
from maskcheck.ir.operation import Kind as K
from tests.fakes import FakeModel, Node, attention_model
from tests.sites import use as an_input_use

QUICK = Settings(explain=False)


class Counted(FakeModel):
    """Counts how often it is closed; ``free`` is itself with its length made variable."""

    closed = 0
    free: FakeModel | None = None
    asked: Mapping[str, Collection[int]] | None = None

    def close(self) -> None:
        self.closed += 1

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> Any:
        self.asked = axes
        return self.free


def features(answer: Any, length: int | str = "seq", **info: Any) -> Counted:
    inputs = (TensorSpec("x", "float32", ("batch", length, 3)), TensorSpec("mask", "int64", ("batch", length)))
    return Counted(inputs, [Node("answer", K.OTHER, ("x", "mask"), answer)], ("answer",), **info)


def masked(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    keep = mask[..., None]
    return np.where(keep > 0, x, 0.0).sum(1) / np.maximum(keep.sum(1), 1)


def plain(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None] > 0, x, 0.0).sum(1) / x.shape[1]


def test_a_sound_model_is_clean_without_findings() -> None:
    model = features(masked)
    report = audit_loaded(model, QUICK)
    assert (report.outcome, report.reason, report.findings) == (Outcome.CLEAN, None, ())
    assert model.closed == 1 and report.duration_s > 0
    assert (report.path, report.format) == ("fake", "fake")
    assert report.curve == ()


def test_a_leak_is_told_with_its_curve_and_a_finding() -> None:
    report = audit_loaded(features(plain), QUICK)
    assert report.outcome is Outcome.LEAKY
    assert [pads for pads, _ in report.curve] == [1, 3, 14]
    assert [f.severity for f in report.findings] == [Severity.ERROR]
    assert report.layers == () and report.findings[0].site is None, "nothing was explained"


def test_an_explanation_names_the_place() -> None:
    report = audit_loaded(attention_model(pooling="mean"), Settings())
    assert [f.site.name for f in report.findings if f.site] == ["pooled"]
    assert report.layers and report.attention


def test_the_outcome_does_not_hang_on_the_explanation() -> None:
    for answer in (masked, plain):
        told = [audit_loaded(features(answer), settings) for settings in (QUICK, Settings())]
        assert told[0].outcome is told[1].outcome
        assert told[0].passport == told[1].passport


def refuse(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    raise ValueError("no such shape")


def test_a_model_that_refuses_everything_is_an_error_and_closed() -> None:
    model = features(refuse)
    report = audit_loaded(model, QUICK)
    assert report.outcome is Outcome.ERROR and "no such shape" in (report.reason or "")
    assert model.closed == 1 and report.contract is None and report.duration_s >= 0


def test_a_model_with_nothing_to_pad_is_skipped() -> None:
    model = Counted(
        (TensorSpec("x", "float32", ("batch", 10)),), [Node("answer", K.OTHER, ("x",), np.abs)], ("answer",)
    )
    report = audit_loaded(model, QUICK)
    assert report.outcome is Outcome.SKIPPED and "nothing to pad" in (report.reason or "")
    assert model.closed == 1


def test_settings_that_do_not_fit_are_the_callers_error_and_the_model_is_closed() -> None:
    model = features(masked)
    with pytest.raises(UsageError, match="no input 'y'"):
        audit_open(model, Settings(overrides=Overrides(inputs={"y": {"role": "mask"}})))
    assert model.closed == 1


def test_files_that_fail_do_not_stop_the_others(tmp_path: Path) -> None:
    steps: list[tuple[str, float]] = []
    paths = [str(tmp_path / name) for name in ("one.onnx", "two.onnx")]
    report = audit(paths, QUICK, lambda step, fraction: steps.append((step, fraction)))
    assert [(m.path, m.outcome) for m in report.models] == [(path, Outcome.ERROR) for path in paths]
    assert all(m.format == "unknown" and m.reason for m in report.models)
    assert steps == [(f"{paths[0]}: loading", 0.0), (f"{paths[1]}: loading", 0.5)]


def test_a_report_says_what_ran_and_how() -> None:
    report = audit_open(features(masked), Settings(explain=False, samples=3, require=("mates",)))
    assert report.version == __version__ and report.environment["device"] == "cpu"
    assert "numpy" in report.environment
    assert (report.settings["samples"], report.settings["require"], report.settings["seed"]) == (3, ["mates"], 0)
    assert "training" not in report.settings
    assert {row.twin for row in report.models[0].passport if row.gating} == {TwinKind.MATES, TwinKind.EMPTY}


def test_progress_runs_from_loading_to_the_end() -> None:
    steps: list[tuple[str, float]] = []
    audit_loaded(features(masked), Settings(), lambda step, fraction: steps.append((step, fraction)))
    fractions = [fraction for _, fraction in steps]
    assert steps[:2] == [("loading", 0.0), ("reading the contract", 0.05)]
    assert fractions == sorted(fractions) and 0.55 < fractions[-1] <= 1.0
    assert ("measuring noise (seq)", 0.1) in steps


# Fixed lengths.


def fixed(answer: Any, free: Any = None) -> Counted:
    model = features(answer, 12)
    model.free = features(free) if free is not None else None
    return model


def test_a_copy_with_a_free_length_is_audited_in_place_of_a_fixed_one() -> None:
    model = fixed(masked, plain)
    report = audit_loaded(model, QUICK)
    assert report.outcome is Outcome.LEAKY
    assert model.asked == {"x": (1,), "mask": (1,)}
    assert report.notes[0].startswith("The file fixes seq = 12; a copy with that axis made variable")
    assert isinstance(model.free, Counted) and (model.free.closed, model.closed) == (1, 1)


def test_without_such_a_copy_the_worth_of_pads_is_tried() -> None:
    report = audit_loaded(fixed(masked), QUICK)
    assert report.outcome is Outcome.CLEAN and report.notes == ()
    assert report.contract is not None and report.contract.domains[0].dimensions[0].fixed == 12


def test_a_copy_that_refuses_everything_is_closed_and_not_used() -> None:
    model = fixed(masked, refuse)
    assert audit_loaded(model, QUICK).outcome is Outcome.CLEAN
    assert isinstance(model.free, Counted) and model.free.closed == 1


def test_a_free_length_needs_no_copy() -> None:
    model = features(masked)
    audit_loaded(model, QUICK)
    assert model.asked is None


# What is assumed, recorded, large, or only inspected.


def bare(answer: Any, length: int | str) -> Counted:
    inputs = (TensorSpec("x", "float32", ("batch", length, 3)),)
    return Counted(inputs, [Node("answer", K.OTHER, ("x",), answer)], ("answer",))


def test_features_of_one_size_that_nothing_marks_are_skipped_however_they_leak() -> None:
    report = audit_loaded(bare(lambda x: x.mean(1), 12), QUICK)
    assert report.outcome is Outcome.SKIPPED
    assert "nothing says that x is ever padded" in (report.reason or "")


def test_recorded_inputs_are_used_and_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.ones((2, 5, 3), np.float32), mask=np.ones((2, 5), np.int64))
    report = audit_loaded(features(lambda x, m: masked(x, m) * (x[:, 0, :1] == 1)), replace(QUICK, inputs=str(path)))
    assert report.outcome is not Outcome.ERROR
    np.savez(path, y=np.ones((2, 5)))
    with pytest.raises(UsageError, match="lacks the input"):
        audit_loaded(features(masked), replace(QUICK, inputs=str(path)))


@pytest.mark.parametrize(("size", "traced"), [(65 * 2**20, True), (63 * 2**20, False)])
def test_the_contract_of_a_large_model_is_read_from_its_copy(size: int, traced: bool) -> None:
    model = features(masked, size_bytes=size)
    contract, info = inspect_open(model, QUICK)
    assert info is model.info and contract.input("mask").valid_when == 1
    assert ((model.runs == 0), (model.traces > 0)) == (traced, traced)
    assert model.closed == 1


def test_training_is_asked_only_where_it_is_wanted() -> None:
    quiet = audit_loaded(features(masked), QUICK)
    asked = audit_open(features(masked), replace(QUICK, training=True))
    assert not [r for r in quiet.passport if r.twin is TwinKind.TRAINING]
    (row,) = [r for r in asked.models[0].passport if r.twin is TwinKind.TRAINING]
    assert "holds no loss" in (row.reason or "") and asked.settings["training"] is True


def test_the_inner_length_of_nested_ids_is_a_domain_of_its_own() -> None:
    """Words of letters: the mean over letters counts pads, the one over words does not."""

    def answer(ids: np.ndarray) -> np.ndarray:
        real = (ids != 0).any(axis=2)
        word = (ids / 10.0).sum(axis=2) / ids.shape[2]
        return np.stack([np.where(real, word, 0.0).sum(1) / np.maximum(real.sum(1), 1)] * 2, axis=1)

    from maskcheck.ir.input_use import UseKind

    inputs = (TensorSpec("ids", "int64", ("batch", "words", "letters")),)
    uses = (
        an_input_use("ids", UseKind.INDEX, "answer", "embedding", 50),
        an_input_use("ids", UseKind.COMPARE, "answer", "not_equal", 0),
    )
    model = Counted(inputs, [Node("answer", K.OTHER, ("ids",), answer)], ("answer",), uses=uses)
    report = audit_loaded(model, QUICK)
    assert report.contract is not None
    assert [d.name for d in report.contract.domains] == ["seq", "letters"]
    leaking = {row.domain for row in report.passport if row.gating and row.status == "leaky"}
    assert leaking == {"letters"}
