"""Whether an answer changed, for outputs where "the answer" means something."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from maskcheck.core.contract import OutputContract, OutputKind
from maskcheck.core.model import Array

Decide = Callable[[Sequence[Array]], Array]
"""From answers to decisions, one array over all rows."""

_SCORES = re.compile(r"logit|prob|score|class|label|tag|pred|dense|softmax|sigmoid", re.IGNORECASE)
_VECTORS = re.compile(r"embed|vector|pool|hidden|state|feature|sentence", re.IGNORECASE)
_MANY = 64


def decisions_changed(spec: OutputContract, reference: Sequence[Array], other: Sequence[Array]) -> str | None:
    """ "changed/all" decisions, or ``None`` for outputs that decide nothing (hidden states, attention maps, caches)."""
    decide = _decider(spec, reference)
    if decide is None or any(a.shape != b.shape for a, b in zip(reference, other, strict=True)):
        return None
    before, after = decide(reference), decide(other)
    return f"{int(np.sum(before != after))}/{before.size}"


def _decider(spec: OutputContract, rows: Sequence[Array]) -> Decide | None:
    if spec.kind in (OutputKind.ATTENTION, OutputKind.CACHE) or not rows or rows[0].ndim == 0:
        return _signs(rows) if rows and rows[0].ndim == 0 and spec.kind is OutputKind.POOLED else None
    if not np.issubdtype(rows[0].dtype, np.floating):
        return _values
    width = rows[0].shape[-1]
    scores = bool(_SCORES.search(spec.name))
    if spec.kind is OutputKind.POOLED and rows[0].ndim == 1:
        if width == 1:
            return _signs(rows)
        if not scores and (_VECTORS.search(spec.name) or width >= _MANY):
            return _nearest if len(rows) >= 3 else None
        return _argmax
    if (
        spec.kind is OutputKind.SEQUENCE
        and rows[0].ndim == 2
        and (scores or not _VECTORS.search(spec.name))
        and width > 1
    ):
        return _argmax if scores or width < _MANY else None
    return None


def _argmax(rows: Sequence[Array]) -> Array:
    return np.concatenate([np.atleast_1d(np.argmax(np.nan_to_num(r), axis=-1)).ravel() for r in rows])


def _values(rows: Sequence[Array]) -> Array:
    return np.concatenate([np.asarray(r).ravel() for r in rows])


def _signs(rows: Sequence[Array]) -> Decide:
    """A single score: its sign, or its side of one half when all of them look like probabilities."""
    values = np.concatenate([np.atleast_1d(r).ravel() for r in rows]).astype(np.float64)
    if not np.issubdtype(rows[0].dtype, np.floating):
        return _values
    middle = 0.5 if values.size and values.min() >= 0 and values.max() <= 1 else 0.0
    return lambda answers: np.concatenate([np.atleast_1d(r).ravel() for r in answers]) > middle


def _nearest(rows: Sequence[Array]) -> Array:
    """For each vector, which other one is most similar by cosine."""
    table = np.stack([r.astype(np.float64).ravel() for r in rows])
    table = np.nan_to_num(table) / np.maximum(np.linalg.norm(np.nan_to_num(table), axis=1, keepdims=True), 1e-30)
    similarity = table @ table.T
    np.fill_diagonal(similarity, -np.inf)
    return np.asarray(similarity.argmax(axis=1))
