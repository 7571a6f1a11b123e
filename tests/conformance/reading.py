"""A loaded model in the words of a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from maskcheck.core.model import Model
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.settings import Fill, Settings, axes_of
from tests.conformance.questions import FRAMES, IDS, MASK, Question, Step

BATCH, TIME, WIDTH = 3, 7, 4


def feeds(model: Model) -> dict[str, np.ndarray]:
    """Two short rows and a whole one; every input by its name."""
    rng = np.random.default_rng(0)
    valid = np.arange(TIME) < np.array([[4], [7], [5]])
    known = {
        IDS: rng.integers(1, 20, (BATCH, TIME)) * valid,
        MASK: valid,
        FRAMES: rng.standard_normal((BATCH, TIME, WIDTH)),
    }
    return {spec.name: known[spec.name].astype(spec.dtype) for spec in model.inputs}


def failures(model: Model, question: Question, *, without: frozenset[str] = frozenset()) -> list[str]:
    """What the model's graph does not say as asked; ``without`` names parts that its format cannot show."""
    trace = model.trace(feeds(model))
    found = [] if "steps" in without else list(_missing_steps(trace, question))
    uses = {(u.input, u.kind, u.value if u.kind.value in ("index", "compare") else None) for u in model.uses}
    facts = {fact.kind for fact in model.info.static}
    if "uses" not in without and uses != question.uses:
        found.append(f"uses: {sorted(map(str, uses))}")
    if "facts" not in without and facts != question.facts:
        found.append(f"facts: {sorted(facts)}")
    if "sized" not in without:
        found += [f"{op} is not made from sizes alone" for op in question.sized if not _sized(trace, op)]
    return found


def _missing_steps(trace: Trace, question: Question) -> Iterator[str]:
    rest = iter(trace.sites)
    for step in question.steps:
        if not any(_is(site, step, trace) for site in rest):
            seen = [f"{s.operation} {s.settings}" for s in trace.sites]
            yield f"{sorted(step.does)} {dict(step.settings)} is not among {seen}"
            return


def _is(site: Site, step: Step, trace: Trace) -> bool:
    told = _told(site, trace)
    return site.operation in step.does and all(told.get(name) == value for name, value in step.settings.items())


def _told(site: Site, trace: Trace) -> Mapping[str, Any]:
    """Fields and properties of the settings by name, axes counted from 0, the only fill as ``fill``."""
    settings: Settings | None = site.settings
    if settings is None:
        return {}
    names = [name for name in dir(settings) if not name.startswith("_")]
    told = {name: getattr(settings, name) for name in names}
    told["axes"] = axes_of(settings, _rank(site, trace))
    if isinstance(settings, Fill):
        told["fill"] = settings.value
    return told


def _rank(site: Site, trace: Trace) -> int:
    ranks = [trace.tensors[key].ndim for key in site.inputs if key in trace.tensors and key not in trace.constants]
    return max(ranks, default=0)


def _sized(trace: Trace, operation: object) -> bool:
    made = [key for site in trace.sites if site.operation is operation for key in site.outputs]
    return any(key in trace.shape_only for key in made) or not made
