"""What padding does to training: losses, metrics, gradients and batch statistics, wrong and mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import maskcheck
from evaluation.case import Case, Corpus
from evaluation.corpora.training.faults import FAULTS, Fault
from evaluation.marks import Fault as Mark
from evaluation.marks import Marks
from evaluation.places import Nodes
from evaluation.reading import Said, errors
from evaluation.truth import Truth
from maskcheck.core.report import ModelReport, Status, TwinKind

LEAK = {"torch": 1e-8, "keras": 1e-4}
"""Part of its size by which a loss, a metric or a gradient moves: in float64, and as Keras evaluates in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    fault: Fault
    host: str

    @property
    def steps(self) -> Any:
        """The module that builds models and tests them, imported where it is asked for: it imports a framework."""
        return import_module(f"evaluation.corpora.training.{self.fault.framework}_steps")


def cases() -> Iterator[Case[Trained]]:
    for fault in FAULTS:
        for host in fault.hosts:
            yield from (_case(fault, host, mended) for mended in (False, True))


def _case(fault: Fault, host: str, mended: bool) -> Case[Trained]:
    return Case(
        name=f"{fault.id} {fault.name}/{host}/{'mended' if mended else 'leaky'}",
        subject=Trained(fault=fault, host=host),
        mended=mended,
        leaks=not mended,
        condition=fault.framework,
        framework=fault.framework,
        faults=(fault.id,),
        labels={"model": host, "family": fault.id.split("-")[0]},
    )


def plain(case: Case[Trained], folder: Path) -> Truth:
    size = case.subject.steps.difference(*_told(case))
    return Truth(leaky=size > LEAK[case.framework], difference=size)


def _told(case: Case[Trained]) -> tuple[str, str, bool]:
    return case.subject.fault.name, case.subject.host, not case.mended


def marks(case: Case[Trained], folder: Path | None = None) -> Marks:
    """A loss has no place: the rule is all there is to say."""
    fault = case.subject.fault
    return Marks(sites=Nodes(), faults=(Mark(name=fault.id, rules=frozenset(fault.rules)),))


def audit(case: Case[Trained], folder: Path) -> ModelReport:
    built = case.subject.steps.build(*_told(case))
    if case.framework == "keras":
        return maskcheck.audit(built, training=True, samples=2).model
    module, loss = built
    return maskcheck.audit(module, case.subject.steps.inputs(), training=True, loss=loss, samples=2).model


def read(case: Case[Trained], marks: Marks, report: ModelReport) -> Said:
    """Right is a training twin that moved, and rules of the fault and no other."""
    rules = {finding.rule for finding in errors(report)}
    (fault,) = marks.faults
    named = bool(rules) and rules <= fault.rules
    moved = any(row.twin is TwinKind.TRAINING and row.status is Status.LEAKY for row in report.passport)
    return Said(
        outcome=report.outcome.value,
        reason=report.reason,
        rules=tuple(sorted(rules)),
        placed=moved and named,
        causes={fault.name: ", ".join(sorted(rules))},
        causes_right=int(named),
    )


CORPUS = Corpus(
    title="what padding does to losses, metrics and gradients",
    groups=("framework", "family", "model"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
    read=read,
    apart=True,
)
