"""What a reported model is, and the list of all reports.

A report is a function of ``mended`` that builds the whole model; its docstring holds the address of the report. Lines
that leak are marked with ``# leak``, lines at which the mistake was made earlier with ``# cause``.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.described import Described, listing
from evaluation.given import feats, fraction, ids, lengths, mask, padmask, steps

__all__ = ["feats", "fraction", "ids", "lengths", "mask", "padmask", "steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Described):
    left: bool = False
    """Padded in front."""
    onnx: bool = True
    """Whether the model exports, with free sizes."""
    shown: bool = False
    """Nothing hides what stands at the pads of features: they are zeros, and zeros mark them."""
    rows: tuple[int, ...] = (0,)
    """The axis of each output that holds the rows; the last one holds for all further outputs."""
    shortest: int = 3
    example_rows: int = 4


REPORTS: dict[str, Report] = {}
report = listing(REPORTS, Report)
