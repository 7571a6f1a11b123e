"""Every report, leaky and mended, as a live module and, where it exports, as an ONNX file."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from benchmarks.reported import fields
from benchmarks.reported.registry import REPORTS, Report

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


def lines(report: Report, mark: str = "leak") -> set[tuple[str, int]]:
    """The marked lines of a report, as files and numbers."""
    source, first = inspect.getsourcelines(report.build)
    file = inspect.getsourcefile(report.build) or ""
    return {(file, first + i) for i, line in enumerate(source) if f"# {mark}" in line}
