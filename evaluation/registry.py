"""The corpora by name. One is imported when it is asked for, so that a process holds the frameworks it needs."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from evaluation.case import Case, Corpus

CORPORA = ("broken", "mechanisms", "exports", "reported", "keras_mechanisms", "keras_reported", "training")


def corpus(name: str) -> Corpus:
    found: Corpus = import_module(f"evaluation.corpora.{name}.corpus").CORPUS
    return found


@cache
def cases(name: str) -> dict[str, Case]:
    """The cases of a corpus by their names."""
    return {case.name: case for case in corpus(name).cases()}
