"""Report -> JUnit XML, which most build servers show as tests: one suite a model, one case a finding or passport
row.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as tree

from maskcheck.core.report import Finding, ModelReport, Outcome, PassportRow, Report, Severity, Status
from maskcheck.report.canvas import clean, code
from maskcheck.report.findings_view import source_line, title
from maskcheck.report.passport_view import worst_output
from maskcheck.report.quantities import deviations, quantity
from maskcheck.report.rendering import Rendering
from maskcheck.report.reproduction import command
from maskcheck.report.verdict import sentence


def render(report: Report, rendering: Rendering | None = None) -> str:
    """Return the report as XML text. The whole message is text of its element, for GitLab shows no attributes."""
    root = tree.Element("testsuites", name="maskcheck")
    for model in report.models:
        root.append(_suite(report, model))
    _count(root, root.iter("testcase"))
    root.set("time", f"{sum(model.duration_s for model in report.models):.3f}")
    tree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tree.tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, model: ModelReport) -> tree.Element:
    suite = tree.Element("testsuite", name=_text(model.path))
    if model.outcome in (Outcome.ERROR, Outcome.SKIPPED):
        case = _case(suite, model, "audit")
        tree.SubElement(case, "error" if model.outcome is Outcome.ERROR else "skipped").text = _text(sentence(model))
    for finding in model.findings:
        _finding(suite, report, model, finding)
    for accepted in model.accepted:
        case = _case(suite, model, _name(accepted.finding))
        tree.SubElement(case, "skipped").text = _text(f"accepted in {accepted.source}: {accepted.reason}")
    for row in model.passport:
        if row.gating and row.status is not Status.LEAKY:
            _row(suite, model, row)
    _count(suite, suite.iter("testcase"))
    suite.set("time", f"{model.duration_s:.3f}")
    return suite


def _count(element: tree.Element, cases: Iterator[tree.Element]) -> None:
    counted = list(cases)
    element.set("tests", str(len(counted)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(kind) is not None for case in counted)))


def _case(suite: tree.Element, model: ModelReport, name: str) -> tree.Element:
    return tree.SubElement(suite, "testcase", classname=_text(model.path), name=_text(name), time="0.000")


def _name(finding: Finding) -> str:
    return f"{finding.rule} {finding.site.name}" if finding.site is not None else finding.rule


def _finding(suite: tree.Element, report: Report, model: ModelReport, finding: Finding) -> None:
    """Errors fail; warnings and remarks pass and say in their output what they are."""
    case = _case(suite, model, _name(finding))
    if finding.severity is Severity.ERROR:
        failure = tree.SubElement(case, "failure", message=_text(title(finding)), type=_text(finding.rule))
        failure.text = "\n".join(_lines(report, model, finding))
    else:
        properties = tree.SubElement(case, "properties")
        tree.SubElement(properties, "property", name="severity", value=finding.severity.value)
        tree.SubElement(case, "system-out").text = "\n".join(_lines(report, model, finding))


def _lines(report: Report, model: ModelReport, finding: Finding) -> Iterator[str]:
    yield _text(f"{finding.rule} {title(finding)} ({finding.severity})")
    if finding.site is not None:
        where = (source_line(finding.site), finding.site.module or "", finding.site.operator, finding.site.name)
        yield _text("at " + ", ".join(part for part in dict.fromkeys(where) if part))
    yield _text(finding.message)
    if finding.root_cause is not None:
        yield _text(f"Cause: {finding.root_cause.reason}")
    if finding.fix:
        yield f"Mend: {_lawful(code(finding.fix).plain)}"
    if finding.difference:
        noise = quantity(finding.noise_floor, 1)
        yield _text(f"Moves the answer {deviations(finding.difference)} (noise {noise}).")
    yield _text(f"Reproduce: {command(report, model)}")


def _row(suite: tree.Element, model: ModelReport, row: PassportRow) -> None:
    case = _case(suite, model, " ".join(part for part in ("passport:", row.twin.value, row.label) if part))
    if row.status is Status.UNTESTED:
        tree.SubElement(case, "skipped").text = _text(row.reason or "no reason given")
        return
    worst = worst_output([row])
    if worst is not None:
        tree.SubElement(case, "system-out").text = f"moves the answer {quantity(worst.difference)} sd"


def _text(text: str) -> str:
    return _lawful(clean(text))


def _lawful(text: str) -> str:
    """Drop the characters that XML cannot hold in any form."""
    return "".join(c for c in text if c in "\n\t" or (c >= " " and c not in "\ufffe\uffff"))
