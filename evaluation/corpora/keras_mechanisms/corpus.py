"""The mechanisms as Keras users write them, leaky and mended, in two architectures each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evaluation import keras_models
from evaluation.case import Case, Corpus
from evaluation.corpora.keras_mechanisms import truth
from evaluation.corpora.keras_mechanisms.building import Hosted, build
from evaluation.corpora.keras_mechanisms.pairs import PAIRS, Pair
from evaluation.keras_models import LIVE, SAVED
from evaluation.marks import Fault, Marks
from evaluation.places import Layers
from evaluation.truth import Truth, within
from maskcheck.core.report import ModelReport

LIVE_ONLY = ("KER-07", "KER-10", "KER-13", "KER-16", "CL-18")
"""A Lambda and a SavedModel inside a file would have to be trusted, and a layer of one's own named."""


def cases() -> Iterator[Case[Hosted]]:
    """Pair x host x leaky or mended x form."""
    for pair in PAIRS:
        for host in ("words", "frames"):
            for mended in (False, True):
                forms = (LIVE,) if pair.id in LIVE_ONLY else (LIVE, SAVED)
                yield from (_case(pair, host, mended, form) for form in forms)


def _case(pair: Pair, host: str, mended: bool, form: str) -> Case[Hosted]:
    return Case(
        name=f"{pair.id} {pair.name}/{host}/{'mended' if mended else 'leaky'}/{form}",
        subject=Hosted(pair=pair, host=host),
        mended=mended,
        leaks=not mended,
        condition=form,
        framework="keras",
        faults=(pair.id,),
        labels={"model": host, "family": pair.id.split("-")[0]},
    )


def plain(case: Case[Hosted], folder: Path) -> Truth:
    return within(truth.difference(case.subject, case.mended))


def marks(case: Case[Hosted], folder: Path | None = None) -> Marks:
    pair = case.subject.pair
    origins = tuple((pair.origin or "pool").split())
    begun = frozenset({pair.cause} - {""})
    fault = Fault(name=pair.id, rules=frozenset(pair.rules), at=origins, begun=begun, first_named=True)
    return Marks(
        sites=Layers(wanted=origins, cause=pair.cause),
        places=frozenset(origins),
        faults=(fault,),
        one_is_enough=True,
    )


def audit(case: Case[Hosted], folder: Path) -> ModelReport:
    return keras_models.audit(build(case.subject, case.mended), case.condition, folder)


CORPUS = Corpus(
    title="the mechanisms as Keras users write them, live and from files",
    groups=("framework", "family", "model", "condition"),
    cases=cases,
    plain=plain,
    marks=marks,
    audit=audit,
)
