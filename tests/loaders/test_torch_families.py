"""Every family of padding leaks, as a module somebody could have written: found at its line, its clean twin clean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from maskcheck import audit
from maskcheck.core.report import ModelReport, Outcome, Severity
from tests.loaders import torch_families as made


@dataclass(frozen=True)
class Family:
    """A leaky module and its clean twin. ``also`` is a line that is named beside the one that leaks."""

    name: str
    leaky: Callable[[], nn.Module]
    clean: Callable[[], nn.Module]
    also: str = "# leak"


def both(layer: Callable[..., nn.Module], leaky: object, clean: object) -> tuple[Callable[[], nn.Module], ...]:
    """Two layers of a kind in each, the first of them clean where attention would hide the second."""
    return tuple((lambda how=how: made.PerToken(layer(how), layer(how))) for how in (leaky, clean))


def attention(how: str) -> tuple[Callable[[], nn.Module], ...]:
    """Only the second of two layers is wrong."""
    return tuple((lambda h=h: made.PerToken(made.Attention("right"), made.Attention(h))) for h in (how, "right"))


def pooling(leaky: str, clean: str) -> tuple[Callable[[], nn.Module], ...]:
    return (lambda: made.Pooled(leaky)), (lambda: made.Pooled(clean))


FAMILIES = (
    Family("attention without a mask", *attention("forgotten")),
    Family("attention masks queries", *attention("queries")),
    Family("attention masked after softmax", *attention("after")),
    Family("attention filled weakly", *attention("weak")),
    Family("attention adds zero and one", *attention("added")),
    Family("cross attention", lambda: made.Translator(False), lambda: made.Translator(True)),
    Family("linear attention", *both(made.LinearAttention, False, True)),
    Family("attention across the batch", *both(made.AcrossBatch, False, True)),
    Family("convolution", *both(made.Convolution, False, True)),
    Family("neighbours", *both(made.Neighbours, False, True)),
    Family("recurrent", *both(made.Recurrent, False, True)),
    # Reversed steps are laid over each other from the wrong end, so the sum behind them looks like a second origin.
    Family("reversed sum", *both(made.ReversedSum, False, True), also="x = norm(x + layer(x, mask))"),
    Family("norm over time", *both(made.OverTime, False, True)),
    Family("Fourier mixing", *both(made.Fourier, True, False)),
    Family("squeeze and excitation", *both(made.Gate, False, True)),
    Family("relative time", *both(made.RelativeTime, False, True)),
    Family("mean", *pooling("mean", "masked mean")),
    Family("sum over length", *pooling("sum over length", "masked mean")),
    Family("maximum", *pooling("maximum", "masked maximum")),
    Family("maximum of zeros", *pooling("maximum of zeros", "masked maximum")),
    Family("last", *pooling("last", "last real")),
    Family("attention pooling", *pooling("attention", "masked attention")),
)


def audited(build: Callable[[], nn.Module]) -> ModelReport:
    torch.manual_seed(0)
    module = build().eval()
    ids = torch.randint(1, made.WORDS, (3, 9))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if isinstance(module, made.Translator):
        inputs["decoder_input_ids"] = torch.randint(1, made.WORDS, (3, 7))
    return audit(module, inputs, samples=2).model


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_the_leak_is_found_at_its_line(family: Family) -> None:
    found = audited(family.leaky)
    assert found.outcome is Outcome.LEAKY, found.reason
    errors = [f for f in found.findings if f.severity is Severity.ERROR]
    lines = [f.site.source.text if f.site and f.site.source else None for f in errors]
    assert any("# leak" in (line or "") for line in lines), lines
    assert all("# leak" in (line or "") or family.also in (line or "") for line in lines), lines


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_the_twin_is_clean(family: Family) -> None:
    found = audited(family.clean)
    assert found.outcome is Outcome.CLEAN, found.reason
    assert [f.rule for f in found.findings if f.severity is Severity.ERROR] == []
    gradients = [row for row in found.passport if row.variant == "gradient"]
    assert gradients and all(row.status.value != "leaky" for row in gradients)
