"""Every mechanism by which padding leaks, leaky and mended, and every clean look-alike, in two architectures each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

import maskcheck
from evaluation.case import Case, Corpus
from evaluation.corpora.mechanisms import modules, truth
from evaluation.corpora.mechanisms.building import Placed, build, file, inputs, lines, padded
from evaluation.corpora.mechanisms.files import export, session
from evaluation.corpora.mechanisms.hosts import HOSTS
from evaluation.corpora.mechanisms.otherwise import read
from evaluation.corpora.mechanisms.registry import PADDING, REGISTRY, Mechanism
from evaluation.marks import Fault, Marks
from evaluation.places import Lines
from evaluation.truth import LEAK, Truth, within
from evaluation.truth.in_torch import doubled
from maskcheck.core.report import ModelReport

assert modules  # importing them fills the registry

HALF = ("half", "half onnx", "converted")
"""The live module in half precision, its export, and the export in single precision that a converter made half."""
FORMS = ("module", "onnx", "left", *HALF)
"""A live module and its ONNX export with padding behind; the live module with padding in front; half precision."""
FILES = ("onnx", "half onnx", "converted")
TRUTH_ROWS = 16
"""Rows of the plain test: a maximum leaks for some contents only."""


def cases() -> Iterator[Case[Placed]]:
    for found in REGISTRY:
        for host in HOSTS[found.kind]:
            for mended in (True,) if found.sound else (False, True):
                yield from (_case(found, host, mended, form) for form in FORMS if _has(found, host, form))


def _has(found: Mechanism, host: type[nn.Module], form: str) -> bool:
    """Lengths say nothing of padding in front; packed sequences have no place in a graph."""
    if form in HALF:
        return form in found.half
    if form == "left":
        return found.left and host.__name__ != "Frames"
    return form == "module" or found.exports


def _case(found: Mechanism, host: type[nn.Module], mended: bool, form: str) -> Case[Placed]:
    state = "sound" if found.sound else "mended" if mended else "leaky"
    return Case(
        name=f"{found.name}/{host.__name__}/{state}/{form}",
        subject=Placed(mechanism=found, host=host),
        mended=mended,
        leaks=not mended,
        condition=form,
        framework="onnx" if form in FILES else "torch",
        faults=(found.id,),
        labels={"model": host.__name__, "family": found.id.split("-")[0]},
    )


def plain(case: Case[Placed], folder: Path) -> Truth:
    """In float64, or of what is deployed in half precision."""
    torch.set_num_threads(1)
    if case.condition in FILES:
        export(case, _file(folder))
    seen = getattr(truth, case.subject.mechanism.expects)(*_asked(case, folder), padded(case))
    return within(_worst(case, seen), truth.HALF if case.condition in HALF else LEAK, **seen)


def _file(folder: Path) -> Path:
    return folder / "model.onnx"


def _asked(case: Case[Placed], folder: Path) -> tuple[truth.Model, truth.Inputs]:
    """What is asked, and what it is given."""
    given = inputs(case, TRUTH_ROWS)
    if case.condition == "half":
        return build(case), given
    if case.condition in HALF:
        return session(_file(folder)), given
    return build(case).double(), doubled(given)


def _worst(case: Case[Placed], seen: dict[str, float]) -> float:
    if case.subject.mechanism.expects != PADDING:
        return max(seen.values())
    return max(seen["left" if case.condition == "left" else "right"], seen["mates"], seen["history"])


def marks(case: Case[Placed], folder: Path | None = None) -> Marks:
    """The rule of a fault is asked for at the first of its lines."""
    places, mechanism = lines(case), case.subject.mechanism
    fault = Fault(
        name=mechanism.id, rules=frozenset(mechanism.rules), at=tuple(sorted(places)[:1]), begun=lines(case, "cause")
    )
    return Marks(sites=Lines(files=frozenset({file(case)} if places else ())), places=places, faults=(fault,))


def audit(case: Case[Placed], folder: Path) -> ModelReport:
    if case.condition in FILES:
        return maskcheck.audit(_file(folder)).model
    told: dict[str, Any] = {"side": "left"} if case.condition == "left" else {}
    return maskcheck.audit(build(case), inputs(case), **told).model


CORPUS = Corpus(
    title="every mechanism and every look-alike inside two architectures",
    groups=("framework", "family", "model", "condition"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
    read=read,
)
