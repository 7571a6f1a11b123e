"""Keras models made again from public reports about padding, as reported and as mended.

Nothing of Keras is imported before a model is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluation import keras_models
from evaluation.case import Case, Corpus
from evaluation.corpora.keras_reported import fields, truth
from evaluation.corpora.keras_reported.registry import REPORTS, Report
from evaluation.corpora.keras_reported.rules import naming
from evaluation.keras_models import LIVE, SAVED
from evaluation.marks import Fault, Marks
from evaluation.places import Layers
from evaluation.truth import Truth
from maskcheck.core.report import ModelReport

assert fields  # importing them fills the list


def cases() -> list[Case[Report]]:
    """Every report, leaky and mended, live and, where that loads without code of its own, as a ``.keras`` file."""
    return [
        _case(report, mended, form)
        for report in REPORTS.values()
        for form in ((LIVE, SAVED) if report.saved else (LIVE,))
        for mended in ((False,) if report.harmless else (False, True))
    ]


def _case(report: Report, mended: bool, form: str) -> Case[Report]:
    return Case(
        name=f"{report.name} {'mended' if mended else 'reported'} {form}",
        subject=report,
        mended=mended,
        leaks=not (mended or report.harmless),
        condition=form,
        framework="keras",
        faults=(report.mechanism,),
        labels={"field": report.field, "family": report.mechanism.split("-")[0]},
    )


def plain(case: Case[Report], folder: Path) -> Truth:
    return truth.plain(case.subject, case.mended)


def marks(case: Case[Report], folder: Path | None = None) -> Marks:
    report = case.subject
    fault = Fault(
        name=report.mechanism,
        rules=frozenset(naming(report.mechanism) if report.origins else ()),
        at=report.origins,
        begun=frozenset({report.cause} - {""}),
    )
    return Marks(
        sites=Layers(wanted=report.origins, cause=report.cause),
        places=frozenset(report.origins),
        faults=(fault,),
        one_is_enough=True,
    )


def audit(case: Case[Report], folder: Path) -> ModelReport:
    model = truth.build(case.subject, case.mended)
    told = {"side": "left"} if case.subject.left else {}
    return keras_models.audit(model, case.condition, folder, _example(case, model), told)


def _example(case: Case[Report], model: Any) -> Any:
    """A batch as it comes out of a loader; a model of layers describes its inputs itself."""
    described = type(model).__name__ in ("Functional", "Sequential")
    return None if described else [*truth.loader(case.subject).batch(range(4)).values()]


CORPUS = Corpus(
    title="Keras models from public reports about padding, as reported and mended",
    groups=("condition", "field", "family"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
)
