"""Every report, leaky and mended, live and, where that loads without code of its own, as a ``.keras`` file.

Nothing of Keras is imported before a model is built.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.corpora.keras_reported import fields
from evaluation.corpora.keras_reported.registry import REPORTS, Report

assert fields  # importing them fills the list


@dataclass(frozen=True, slots=True)
class Case:
    """A case is a name, so that it travels to other processes."""

    report_name: str
    mended: bool
    form: str

    @property
    def report(self) -> Report:
        return REPORTS[self.report_name]

    @property
    def name(self) -> str:
        return f"{self.report_name} {'mended' if self.mended else 'reported'} {self.form}"

    @property
    def condition(self) -> str:
        return self.form


def cases() -> list[Case]:
    return [
        Case(report.name, mended, form)
        for report in REPORTS.values()
        for form in (("live", ".keras") if report.saved else ("live",))
        for mended in ((False,) if report.harmless else (False, True))
    ]
