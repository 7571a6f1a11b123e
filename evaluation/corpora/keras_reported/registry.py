"""What a reported Keras model is, and the list of all reports.

A report is a function of ``mended`` that builds the whole model; its docstring holds the address of the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from evaluation import given
from evaluation.described import Described, listing
from evaluation.given import BATCH, feats

__all__ = ["BATCH", "feats"]
ids = partial(given.ids, dtype="int32")
mask = partial(given.mask, dtype="bool")
lengths = partial(given.lengths, dtype="int32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Described):
    """``origin`` names the layers or operations at which pads enter, ``cause`` the one at which the mask was lost."""

    origin: str = ""
    cause: str = ""
    left: bool = False
    """Padded in front."""
    fixed: bool = False
    """The first named axis has a fixed number of steps, of which each row fills some."""
    saved: bool = True
    """Whether a ``.keras`` file of it loads without code of its own."""

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(self.origin.split())


REPORTS: dict[str, Report] = {}
report = listing(REPORTS, Report)
