"""Sound models broken on purpose, by program, one thing or two at a time: does the audit find what was broken?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import maskcheck
from evaluation import exporting
from evaluation.case import Case, Corpus
from evaluation.corpora.broken import sound, truth
from evaluation.corpora.broken.building import DEPTHS, FILES, FIXED, HALF, Broken, build, inputs, line_of
from evaluation.corpora.broken.faults import FAULTS, may_meet, rules
from evaluation.marks import Fault, Marks
from evaluation.places import Lines
from evaluation.truth import Truth
from maskcheck.core.report import ModelReport

CONDITIONS = (
    *("width=total", "heads=length", "tiny", "huge", "bfloat16", "float16", "one row", "meaningless names"),
    *("deep", "48 layers", "onnx", "fixed shapes"),
)


def cases() -> Iterator[Case[Broken]]:
    """Every model sound and with each fault; pairs of faults; a sound one and two faults under every condition."""
    yield from map(case_of, (*_single(), *_pairs(), *_hidden()))


def case_of(broken: Broken) -> Case[Broken]:
    return Case(
        name=f"{broken.model}/{'+'.join(broken.faults) or 'sound'}/{broken.condition}",
        subject=broken,
        mended=not broken.faults,
        leaks=bool(broken.faults),
        condition=broken.condition,
        framework="onnx" if broken.condition in FILES else "torch",
        faults=broken.faults,
        labels={"model": broken.model},
    )


def _single() -> Iterator[Broken]:
    for model, faults in FAULTS.items():
        yield Broken(model=model)
        yield from (Broken(model=model, faults=(fault,)) for fault in faults)


def _pairs() -> Iterator[Broken]:
    for model, faults in FAULTS.items():
        kept = [f for f in faults if f not in ("inverted",)]
        pairs = [pair for pair in combinations(kept, 2) if may_meet(*pair)]
        yield from (Broken(model=model, faults=pair) for pair in pairs[:: max(1, len(pairs) // 6)][:7])


def _hidden() -> Iterator[Broken]:
    for condition in CONDITIONS:
        for model, faults in FAULTS.items():
            if _fits(model, condition):
                chosen = faults if condition in ("onnx", *HALF) else (faults[0], faults[-1])
                yield Broken(model=model, condition=condition)
                yield from (Broken(model=model, faults=(f,), condition=condition) for f in dict.fromkeys(chosen))


def _fits(model: str, condition: str) -> bool:
    attentive = model in ("encoder", "tagger", "decoder", "encoder-decoder", "conformer", "series")
    if condition in ("heads=length",):
        return attentive
    if condition in DEPTHS:
        return model in ("encoder", "tagger", "decoder")
    if condition in FILES:
        return model not in ("recurrent-tagger",)  # packed sequences have no place in a graph
    return True


def plain(case: Case[Broken], folder: Path) -> Truth:
    """Of one length only, whether it would leak at others is a question that its file need not answer."""
    torch.set_num_threads(1)
    size = _size(case.subject)
    if case.condition in HALF:
        return Truth(leaky=size > truth.VISIBLE, difference=size, undecided=truth.LEAK < size <= truth.VISIBLE)
    leaky = size > truth.LEAK
    elsewhere = case.condition == FIXED and not leaky and _asked(truth.difference, case.subject) > truth.LEAK
    return Truth(leaky=leaky, difference=size, undecided=elsewhere)


def _size(broken: Broken) -> float:
    return _asked(truth.worth if broken.condition == FIXED else truth.difference, broken)


def _asked(test: truth.Test, broken: Broken) -> float:
    """Of short and long rows, many of them: a maximum over zeros leaks for some contents only."""
    batches = [inputs(broken, length, rows) for length, rows in ((4, 64), (9, 64), (14, 8))]
    return test(build(broken).float(), batches)


def marks(case: Case[Broken], folder: Path | None = None) -> Marks:
    """Of the faults those that leak by themselves. What is named outside the broken file counts for nothing."""
    harmful = [fault for fault in case.faults if _size(case.subject.alone(fault)) > truth.LEAK]
    faults = tuple(Fault(name=fault, rules=rules(fault), at=(line_of(case.subject, fault),)) for fault in harmful)
    return Marks(
        sites=Lines(files=frozenset({sound.__file__}), elsewhere=None),
        places=frozenset(place for fault in faults for place in fault.at),
        faults=faults,
    )


def audit(case: Case[Broken], folder: Path) -> ModelReport:
    module, example = build(case.subject), inputs(case.subject)
    if case.condition not in FILES:
        return maskcheck.audit(module, example).model
    path = folder / "model.onnx"
    exporting.export(module, example, None if case.condition == FIXED else _shapes(example), path)
    return maskcheck.audit(path).model


def _shapes(example: dict[str, Tensor]) -> dict[str, Any]:
    """Free sizes; axes of one length belong together."""
    batch, lengths = torch.export.Dim("batch"), {}
    shapes: dict[str, Any] = {}
    for name, x in example.items():
        axes: dict[int, Any] = {0: batch}
        if x.ndim > 1:
            axes[1] = lengths.setdefault(x.shape[1], torch.export.Dim(f"time{len(lengths)}"))
        shapes[name] = axes
    return shapes


CORPUS = Corpus(
    title="sound models broken by program",
    groups=("framework", "model", "condition"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
)
