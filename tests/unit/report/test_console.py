"""The console report: the goldens, and what must hold whatever a model calls its layers."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from maskcheck.core.report import Finding, LayerState, ModelReport, Outcome, Reach, Report, Severity
from maskcheck.ir.operation import Kind
from maskcheck.report.console import render
from maskcheck.report.contract_view import render as render_contract
from maskcheck.report.rendering import Rendering
from tests.sites import site as a_site

from . import sample

Golden = Callable[[str, str], None]
PLAIN = Rendering(width=80)


def test_console(golden: Golden) -> None:
    golden("console.out", render(sample.REPORT, PLAIN))


def test_console_verbose(golden: Golden) -> None:
    golden("console_verbose.out", render(sample.REPORT, Rendering(width=80, verbosity=1)))


def test_console_quiet(golden: Golden) -> None:
    golden("console_quiet.out", render(sample.REPORT, Rendering(width=80, verbosity=-1)))


def test_inspect(golden: Golden) -> None:
    golden("inspect.out", render_contract(sample.CONTRACT, sample.INFO, PLAIN))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_no_line_is_wider_than_asked_for(width: int, verbosity: int) -> None:
    text = render(sample.REPORT, Rendering(width=width, verbosity=verbosity))
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_colour_adds_nothing_but_colour() -> None:
    coloured = render(sample.REPORT, Rendering(colour=True))
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == render(sample.REPORT, PLAIN).splitlines()


def test_without_colour_nothing_a_terminal_would_obey_is_left() -> None:
    text = render(sample.REPORT, Rendering(verbosity=1))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "[/bad] [red]x[/red][31m" in text


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = render(sample.REPORT, PLAIN)
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "33"), ("TERM", "dumb"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    assert render(sample.REPORT, PLAIN) == expected
    assert "\x1b[" in render(sample.REPORT, Rendering(colour=True))


def test_every_outcome_is_a_word() -> None:
    text = render(sample.REPORT, PLAIN)
    for word in ("LEAKY", "CLEAN", "SKIPPED", "ERROR"):
        assert word in text


def test_an_empty_report_says_so() -> None:
    assert render(Report((), "0.1.0"), PLAIN) == "0 models: none; no findings.\n"


def test_many_findings_are_cut_and_counted() -> None:
    many = dataclasses.replace(sample.LEAKY, findings=sample.FINDINGS[:1] * 20)
    report = Report((many,), "0.1.0")
    assert "and 8 further findings: -v shows them all" in render(report, PLAIN)
    assert render(report, Rendering(verbosity=1)).count("MC101  unmasked mean") == 20


def named(name: str) -> Report:
    """A report in which everything bears the same name."""
    site = a_site(name, name, Kind.OTHER, (), (), module=name)
    finding = Finding(
        rule=name,
        name=name,
        severity=Severity.ERROR,
        site=site,
        root_cause=None,
        twins=(),
        domain=name,
        outputs=(name,),
        difference=1.0,
        noise_floor=0.0,
        influence=None,
        share=1.0,
        message=name,
        fix=name,
        fingerprint=name,
        related=(site,),
        interval=(site,),
    )
    info = dataclasses.replace(finding, severity=Severity.INFO)
    layers = (LayerState(name, Reach.ORIGIN), LayerState(name, Reach.OPAQUE))
    leaky = ModelReport(
        path=name,
        sha256=None,
        format=name,
        outcome=Outcome.LEAKY,
        findings=(finding, info),
        layers=layers,
        notes=(name,),
    )
    return Report(
        (leaky, ModelReport(path=name, sha256=None, format=name, outcome=Outcome.ERROR, reason=name)), "0.1.0"
    )


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=120), st.integers(40, 120))
def test_any_name_is_shown_harmlessly(name: str, width: int) -> None:
    text = render(named(name), Rendering(width=width, verbosity=1))
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") or c == "\n" for c in text)
    assert max(cell_len(line) for line in text.splitlines()) <= width
