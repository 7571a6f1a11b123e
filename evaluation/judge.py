"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from evaluation.case import Case, Corpus
from evaluation.marks import Marks
from evaluation.reading import Said
from evaluation.result import Result

_TRACE = 1500
"""Characters of a crash that are kept."""


def judge(corpus: Corpus, case: Case) -> Result:
    """The result of a case; a crash of the audit is a result too."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        return _judged(corpus, case, Path(folder))


def _judged(corpus: Corpus, case: Case, folder: Path) -> Result:
    truth = corpus.plain(case, folder)
    marks = corpus.marks(case, folder)
    started = time.perf_counter()
    said = _heard(corpus, case, marks, folder)
    return Result(
        name=case.name,
        labels={"framework": case.framework, "condition": case.condition, **case.labels},
        truth=truth,
        said=said,
        expected=tuple(sorted(marks.places, key=str)) if truth.leaky else (),
        seconds=round(time.perf_counter() - started, 2),
    )


def _heard(corpus: Corpus, case: Case, marks: Marks, folder: Path) -> Said:
    try:
        return corpus.read(case, marks, corpus.audit(case, folder))
    except Exception:
        unexplained = dict.fromkeys(case.faults)
        return Said(outcome="crash", reason=traceback.format_exc()[-_TRACE:], causes=unexplained)
