"""Every report, leaky and mended, as a live module and, where it exports, as an ONNX file."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from evaluation.corpora.reported import fields
from evaluation.corpora.reported.registry import REPORTS, Report

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
        for form in forms(report)
        for mended in (False, True)
    ]


def forms(report: Report) -> tuple[str, ...]:
    if report.left:
        return ("left",)
    return ("module", "onnx") if report.onnx else ("module",)


def lines(report: Report, form: str, mark: str = "leak") -> set[tuple[str, int]]:
    """The marked lines of a report, as files and numbers.

    ``# leak in torch`` and ``# leak in onnx`` hold for one form: the exporter records the lines of methods named
    ``forward`` only, and for a convolution into which it folded a norm, the norm's line.
    """
    source, first = inspect.getsourcelines(report.build)
    file = inspect.getsourcefile(report.build) or ""
    other = f"# {mark} in {'torch' if form == 'onnx' else 'onnx'}"
    return {(file, first + i) for i, line in enumerate(source) if f"# {mark}" in line and other not in line}
