"""One model in several forms: the live module, its ONNX export, its .pt2 and its TorchScript agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from maskcheck import audit
from maskcheck.auditing import audit_model
from maskcheck.core.report import ModelReport, Severity
from maskcheck.core.settings import Settings
from tests import zoo
from tests.zoo import attention, convolution, export, pooling, recurrent


@dataclass(frozen=True)
class Form:
    """A module of the zoo by the name of its case; ``line`` is what stands on the origin's source line."""

    name: str
    build: Callable[[], nn.Module]
    line: str | None = None


FORMS = (
    Form("attention_masked", lambda: attention.TextEncoder(attention.SelfAttention(), attention.SelfAttention())),
    Form("attention_fused", lambda: attention.TextEncoder(attention.Fused())),
    Form("attention_unmasked", lambda: attention.UnmaskedText(attention.SelfAttention()), "self.masked(scores, mask)"),
    Form(
        "attention_unmasked_second",
        lambda: attention.TextEncoder(attention.SelfAttention(), attention.Unmasked()),
        "return scores.softmax(-1)",
    ),
    Form(
        "attention_query_axis",
        lambda: attention.TextEncoder(attention.QueryAxis(), attention.SelfAttention()),
        "[:, None, :, None]",
    ),
    Form("pool_mean", lambda: pooling.Classifier(pooling.Mean()), "x.mean(1)"),
    Form("pool_masked_mean", lambda: pooling.Classifier(pooling.MaskedMean())),
    Form("pool_sum_over_length", lambda: pooling.Classifier(pooling.MaskedSumOverLength()), "/ x.shape[1]"),
    Form("pool_maximum_zero_filled", lambda: pooling.Classifier(pooling.ZeroFilledMaximum()), ".amax(1)"),
    Form("pool_masked_maximum", lambda: pooling.Classifier(pooling.MaskedMaximum())),
    Form("text_cnn_masked", lambda: convolution.TextCnn(True)),
    Form("text_cnn", convolution.UnmaskedTextCnn, "conv(x)"),
    Form("bilstm_unpacked", lambda: recurrent.Tagger(nn.LSTM, True), "self.rnn("),
    Form("bilstm_packed", lambda: recurrent.PackedTagger(nn.LSTM, True)),
    Form("lstm_final_state", lambda: recurrent.FinalState(nn.LSTM), "self.rnn("),
)


def case_of(name: str) -> zoo.Case:
    return next(c for c in zoo.CASES if c.name == name)


def build(form: Form) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """The module as its case exports it, and the example it was exported with."""
    case = case_of(form.name)
    torch.manual_seed(0)
    module = form.build().eval()
    example = export._example(case, case.spec, None, True)
    return module, dict(zip((i.name for i in case.spec), example, strict=True))


def summary(report: ModelReport) -> tuple[str, set[str]]:
    """Verdict and the rules of the errors."""
    return report.outcome.value, {f.rule for f in report.findings if f.severity is Severity.ERROR}


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_live_module_and_onnx_export_agree(form: Form, tmp_path: Path) -> None:
    case = case_of(form.name)
    live = audit(*build(form)).model
    path = tmp_path / f"{form.name}.onnx"
    case.build(path)
    exported = audit_model(str(path), Settings())
    assert summary(live) == summary(exported)
    if origin(exported)[2] is not None:  # a graph that was exported long ago has no lines
        assert origin(exported)[1:] == origin(live)[1:]
    assert live.outcome.value == ("leaky" if {"length", "mates"} & case.leaky else "clean")
    if form.line is not None:
        sites = [f.site for f in live.findings if f.severity is Severity.ERROR]
        texts = [s.source.text or "" for s in sites if s is not None and s.source is not None]
        assert any(form.line in text for text in texts), texts


SHAPED = ("attention", "pool", "text_cnn")
EXPORTABLE = tuple(f for f in FORMS if f.name.startswith(SHAPED))
"""A dozen that have all four forms. ``torch.export`` writes the length of the example into recurrent networks, and
takes no packed sequences; those are compared in the other three.
"""


def origin(report: ModelReport) -> tuple[str | None, str | None, int | None]:
    """Module, file and line of the first error."""
    first = next((f.site for f in report.findings if f.severity is Severity.ERROR), None)
    source = first.source if first else None
    return (first.module if first else None, source.file if source else None, source.line if source else None)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_torchscript_agrees(form: Form, tmp_path: Path) -> None:
    module, example = build(form)
    live = audit(module, example).model
    path = tmp_path / "model.ts"
    with export.quiet():
        torch.jit.save(torch.jit.trace(module, example_kwarg_inputs=example), os.fspath(path))
    script = audit_model(str(path), Settings(trust=True))
    assert summary(script) == summary(live)
    assert origin(script) == origin(live)


@pytest.mark.parametrize("form", EXPORTABLE, ids=lambda f: f.name)
def test_exported_program_agrees(form: Form, tmp_path: Path) -> None:
    module, example = build(form)
    live = audit(module, example).model
    path = tmp_path / "model.pt2"
    free = {k: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for k in example}
    with export.quiet():
        torch.export.save(torch.export.export(module, (), example, dynamic_shapes=free), path)
    exported = audit_model(str(path), Settings())
    assert summary(exported) == summary(live)
    assert origin(exported)[:2] == origin(live)[:2]
    for site in (f.site for f in exported.findings if f.severity is Severity.ERROR):
        # The exporter keeps the lines of ``forward`` functions only, not of what those call.
        assert site is not None
        assert site.source is not None
        assert site.source.function == "forward"
    lines = [
        f.site.source
        for f in live.findings
        if f.severity is Severity.ERROR and f.site is not None and f.site.source is not None
    ]
    if all(source.function == "forward" for source in lines):
        assert origin(exported) == origin(live)


def test_rows_are_told_from_steps_when_time_comes_first() -> None:
    report = audit(recurrent.TimeFirst(), (torch.randn(7, 3, 10),)).model
    assert report.contract is not None
    assert report.contract.inputs[0].dims[1] == "batch"
    assert summary(report) == ("leaky", {"MC301"})
