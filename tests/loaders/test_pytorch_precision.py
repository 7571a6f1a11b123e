"""Large modules run in a wider precision over the weights they have: the same answers and findings as with a copy."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from evaluation.corpora.broken import sound
from maskcheck import audit
from maskcheck.core.report import Severity
from maskcheck.loaders.pytorch import model as loader
from maskcheck.loaders.pytorch.precision import widen


def encoder() -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def test_answers_are_those_of_a_converted_copy_and_the_weights_come_back() -> None:
    module, x = encoder(), torch.randn(2, 5, 24, dtype=torch.float64)
    wide = copy.deepcopy(module).double()
    before = [p.clone() for p in module.parameters()]
    with torch.no_grad():
        with widen(module, torch.float64):
            answer = module(x)
        assert torch.equal(answer, wide(x)) or torch.allclose(answer, wide(x), rtol=1e-12, atol=1e-12)
    assert all(p.dtype == torch.float32 and torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))


def test_the_weights_come_back_when_a_layer_fails() -> None:
    module = encoder()
    with pytest.raises((RuntimeError, AssertionError)), widen(module, torch.float64):
        module(torch.randn(2, 5, 7, dtype=torch.float64))
    assert {p.dtype for p in module.parameters()} == {torch.float32}


@pytest.mark.parametrize("fault", ["plain_mean", "no_mask"])
def test_half_precision_is_explained_alike_with_and_without_a_copy(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(7)
    module = sound.MODELS["encoder"]((fault,)).to(torch.bfloat16).eval()
    ids = torch.randint(1, 80, (3, 9))
    found = []
    for large in (1 << 30, 0):
        monkeypatch.setattr(loader, "_LARGE", large)
        report = audit(module, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}).model
        errors = [f for f in report.findings if f.severity is Severity.ERROR]
        found.append([(f.rule, f.site.name if f.site else None) for f in errors])
        assert not any("incomplete" in note for note in report.notes), report.notes
    assert found[0] == found[1] and len(found[0]) == 1
