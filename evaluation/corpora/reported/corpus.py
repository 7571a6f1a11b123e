"""Models as people wrote them, from public reports about padding: leaky as reported, mended as the fix did it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import maskcheck
from evaluation import exporting
from evaluation.case import Case, Corpus
from evaluation.corpora.reported import fields, truth
from evaluation.corpora.reported.registry import REPORTS, Report
from evaluation.corpora.reported.rules import naming
from evaluation.given import BATCH
from evaluation.marks import Fault, Marks
from evaluation.places import Lines
from evaluation.truth import Truth
from evaluation.truth.in_torch import tensors
from maskcheck.core.report import ModelReport

assert fields  # importing them fills the list


def cases() -> list[Case[Report]]:
    """Every report, leaky and mended, as a live module and, where it exports, as an ONNX file."""
    return [
        case_of(report, mended, form)
        for report in REPORTS.values()
        for form in forms(report)
        for mended in (False, True)
    ]


def case_of(report: Report, mended: bool, form: str) -> Case[Report]:
    return Case(
        name=f"{report.name} {'mended' if mended else 'reported'} {form}",
        subject=report,
        mended=mended,
        leaks=not (mended or report.harmless),
        condition=form,
        framework="onnx" if form == "onnx" else "torch",
        faults=(report.mechanism,),
        labels={"field": report.field, "family": report.mechanism.split("-")[0]},
    )


def forms(report: Report) -> tuple[str, ...]:
    if report.left:
        return ("left",)
    return ("module", "onnx") if report.onnx else ("module",)


def plain(case: Case[Report], folder: Path) -> Truth:
    torch.set_num_threads(1)
    return truth.plain(case.subject, case.mended)


def marks(case: Case[Report], folder: Path | None = None) -> Marks:
    places = lines(case, "leak")
    fault = Fault(
        name=case.subject.mechanism,
        rules=frozenset(naming(case.subject.mechanism)),
        at=tuple(sorted(places)),
        begun=lines(case, "cause"),
    )
    return Marks(sites=Lines(files=frozenset({_file(case.subject)})), places=places, faults=(fault,))


def lines(case: Case[Report], mark: str) -> frozenset[int]:
    """The marked lines of a report.

    ``# leak in torch`` and ``# leak in onnx`` hold for one form: the exporter records the lines of methods named
    ``forward`` only, and for a convolution into which it folded a norm, the norm's line.
    """
    source, first = inspect.getsourcelines(case.subject.build)
    other = f"# {mark} in {'torch' if case.condition == 'onnx' else 'onnx'}"
    return frozenset(first + i for i, line in enumerate(source) if f"# {mark}" in line and other not in line)


def _file(report: Report) -> str:
    return inspect.getsourcefile(report.build) or ""


def audit(case: Case[Report], folder: Path) -> ModelReport:
    if case.condition == "onnx":
        return maskcheck.audit(_exported(case, folder / "model.onnx")).model
    module = truth.build(case.subject, case.mended)
    side = {"side": "left"} if case.condition == "left" else {}
    return maskcheck.audit(module, _example(case.subject), **side).model


def _example(report: Report) -> dict[str, Tensor]:
    """A batch as it comes out of a loader: rows of several lengths, padded to the longest."""
    return tensors(truth.loader(report).batch(range(report.example_rows)))


def _exported(case: Case[Report], path: Path) -> Path:
    report = case.subject
    sizes: dict[str, Any] = {name: torch.export.Dim(name) for name in (BATCH, *truth.loader(report).domains)}
    shapes = {
        name: {i: sizes[a] for i, a in enumerate(given.shape) if isinstance(a, str)}
        for name, given in report.inputs.items()
    }
    exporting.export(truth.build(report, case.mended), _example(report), shapes, path)
    return path


CORPUS = Corpus(
    title="models from public reports about padding, leaky as reported and mended",
    groups=("condition", "field", "family"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
)
