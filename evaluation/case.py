"""What is judged: a model in one state and one form, and the corpora that hold such cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from evaluation.marks import Marks
from evaluation.reading import Said, read
from evaluation.truth import Truth
from maskcheck.core.report import ModelReport

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Generic[Subject]):
    """A case goes to another process by its name: ``subject`` may hold functions."""

    name: str
    subject: Subject
    """The model as the corpus describes it."""
    mended: bool
    """The state in which it is built: mended or sound, or as it was broken or reported."""
    leaks: bool
    """Whether it is meant to leak; whether it does is for the plain test to say."""
    condition: str
    """The form it is audited in, or the circumstances: module, onnx, left, .keras, deep, ..."""
    framework: str
    faults: tuple[str, ...]
    """The mechanisms that were written into it."""
    labels: Mapping[str, str]
    """What it is counted under besides, by group: model, family, field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Cases, and the four questions that are asked of each. All get a folder that is the case's own."""

    title: str
    groups: tuple[str, ...]
    """The labels by which the table counts."""
    cases: Callable[[], Iterable[Case]]
    plain: Callable[[Case, Path], Truth]
    """Whether padding moves the answers. It comes first, and uses nothing of maskcheck."""
    marks: Callable[[Case, Path], Marks]
    audit: Callable[[Case, Path], ModelReport]
    read: Callable[[Case, Marks, ModelReport], Said] = read
    """What the report says, held against the marks: by the places of its errors, unless a corpus reads otherwise."""
    apart: bool = False
    """Every case in a process of its own, so that none holds two frameworks."""
