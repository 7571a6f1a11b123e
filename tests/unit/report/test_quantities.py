"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from maskcheck.report.quantities import deviations, fraction_of, percent, plural, quantity


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.8213, "0.82"),
        (25.4, "25"),
        (1234.0, "1200"),
        (12345.0, "1.2e4"),
        (0.001, "0.001"),
        (0.00099, "9.9e-4"),
        (3.14e-6, "3.1e-6"),
        (-2.5, "-2.5"),
        (1e300, "1e300"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_quantity(value: float, expected: str) -> None:
    assert quantity(value) == expected


def test_one_digit() -> None:
    assert quantity(3.14e-6, 1) == "3e-6"


def test_deviations() -> None:
    assert deviations(0.82) == "0.82 sd"
    assert deviations(math.nan) == "becomes NaN"
    assert deviations(math.inf) == "not finite"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0 %"),
        (-0.2, "0 %"),
        (0.004, "under 1 %"),
        (0.5, "50 %"),
        (0.996, "over 99 %"),
        (1.0, "100 %"),
        (1.3, "100 %"),
        (math.nan, "?"),
        (math.inf, "100 %"),
    ],
)
def test_percent(value: float, expected: str) -> None:
    assert percent(value) == expected


def test_plural() -> None:
    assert plural(1, "model") == "1 model"
    assert plural(0, "model") == "0 models"


@pytest.mark.parametrize(
    ("text", "expected"), [("3/16", (3, 16)), (None, None), ("3", None), ("/16", None), ("a/b", None)]
)
def test_fraction_of(text: str | None, expected: tuple[int, int] | None) -> None:
    assert fraction_of(text) == expected
