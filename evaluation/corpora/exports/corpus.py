"""ONNX files as exporters, optimisers, converters and quantisers leave them, each leaky and mended."""

from __future__ import annotations

from pathlib import Path

import onnx

import maskcheck
from evaluation.case import Case, Corpus
from evaluation.corpora.exports import fused, quantised, recurrent, traced, truth
from evaluation.corpora.exports.registry import EXPORTS, Export
from evaluation.corpora.exports.rules import RULES
from evaluation.marks import Fault, Marks
from evaluation.places import Nodes
from evaluation.truth import Truth
from maskcheck.core.report import ModelReport

assert fused and quantised and recurrent and traced  # importing them fills the list


def cases() -> list[Case[Export]]:
    return [
        _case(export, mended, side) for export in EXPORTS.values() for side in export.sides for mended in (False, True)
    ]


def _case(export: Export, mended: bool, side: str) -> Case[Export]:
    return Case(
        name=f"{export.name} {'mended' if mended else 'leaky'} {side}",
        subject=export,
        mended=mended,
        leaks=export.leaky_on(side, mended),
        condition=side,
        framework="onnx",
        faults=(export.mechanism,),
        labels={"model": export.host, "family": export.mechanism},
    )


def plain(case: Case[Export], folder: Path) -> Truth:
    return truth.plain(case.subject, _written(case, folder), case.condition)


def marks(case: Case[Export], folder: Path) -> Marks:
    export, model = case.subject, onnx.load(str(_written(case, folder)))
    places = frozenset(export.places(model))
    return Marks(
        sites=Nodes(),
        places=places,
        behind=frozenset(export.also(model) if export.also else ()),
        faults=(
            Fault(
                name=export.mechanism,
                rules=frozenset(RULES[export.mechanism]),
                at=tuple(sorted(places)),
                begun=frozenset(export.cause(model) if export.cause else ()),
            ),
        ),
        last_counts=True,
    )


def audit(case: Case[Export], folder: Path) -> ModelReport:
    """Who pads in front has to say so; behind nothing is said."""
    told = {"side": "left"} if case.condition == "left" else {}
    return maskcheck.audit(_written(case, folder), **told).model


def _written(case: Case[Export], folder: Path) -> Path:
    return truth.written(case.subject, case.mended, folder)


CORPUS = Corpus(
    title="files as exporters, optimisers and quantisers leave them, leaky and mended",
    groups=("condition", "family", "model"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
)
