"""One BERT, whole and with nothing but the padding mask of its attention dropped: clean, and leaky at that attention.

That padding moves the second one and not the first is established here by plain runs in float64, without maskcheck.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch import Tensor, nn

import maskcheck
from maskcheck.auditing import audit_model
from maskcheck.core.report import ModelReport, Severity, Status, TwinKind
from maskcheck.core.settings import Settings

LENGTH = 6
LAYERS = 2
ATTENTIONS = {
    "eager": ("aten.softmax", "nn.functional.softmax(attn_weights, dim=-1)"),
    "sdpa": ("aten.scaled_dot_product_attention", "attention_interface("),
}
"""Each kind of attention: its operator, and the line of modeling_bert.py that runs it or calls the helper that does."""


class Dropped(nn.Module):
    """``BertModel`` layer by layer; the ``without`` ones do not get the mask, and the mean over tokens does."""

    def __init__(self, bert: nn.Module, without: Sequence[int]) -> None:
        super().__init__()
        self.bert, self.without = bert, tuple(without)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.bert.embeddings(input_ids=input_ids)
        pads = attention_mask[:, None, None, :] == 0
        bias = torch.zeros_like(pads, dtype=hidden.dtype).masked_fill(pads, torch.finfo(hidden.dtype).min)
        for index, layer in enumerate(self.bert.encoder.layer):
            hidden = layer(hidden, None if index in self.without else bias)
        keep = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * keep).sum(1) / keep.sum(1).clamp(min=1)


def bert(attention: str) -> nn.Module:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=60,
        hidden_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=37,
        max_position_embeddings=64,
        attn_implementation=attention,
    )
    return transformers.BertModel(config).eval()


def example() -> dict[str, Tensor]:
    """Three rows of ten columns; the last two have pads at the end."""
    torch.manual_seed(1)
    ids = torch.randint(1, 60, (3, 10))
    mask = torch.ones_like(ids)
    for row, length in ((1, LENGTH), (2, 8)):
        ids[row, length:] = mask[row, length:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def moved_by_padding(module: nn.Module) -> float:
    """How far the second row's answer in the batch is from its answer alone and unpadded, in float64."""
    inputs = example()
    module = module.double()
    with torch.no_grad():
        batch = module(**inputs)[1]
        alone = module(**{name: value[1:2, :LENGTH] for name, value in inputs.items()})[0]
    module.float()
    return float((batch - alone).abs().max() / alone.std())


def leaking(report: ModelReport) -> set[TwinKind]:
    return {row.twin for row in report.passport if row.status is Status.LEAKY}


def test_the_directory_of_the_whole_model_is_clean(tmp_path: Path) -> None:
    bert("sdpa").save_pretrained(tmp_path)
    report = audit_model(str(tmp_path), Settings())
    assert (report.outcome.value, report.format) == ("clean", "huggingface"), report.reason
    assert not any(f.severity is Severity.ERROR for f in report.findings)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_with_every_mask_in_place_the_wrapper_is_clean(attention: str) -> None:
    module = Dropped(bert(attention), without=())
    assert moved_by_padding(module) < 1e-12
    report = maskcheck.audit(module, example()).model
    assert report.outcome.value == "clean", report.findings


@pytest.mark.parametrize("without", [(0, 1), (0,), (1,)], ids=["everywhere", "first", "second"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_dropped_mask_is_found_at_the_attention_that_lost_it(attention: str, without: tuple[int, ...]) -> None:
    module = Dropped(bert(attention), without)
    assert moved_by_padding(module) > 1e-3
    report = maskcheck.audit(module, example()).model
    assert report.outcome.value == "leaky"
    assert TwinKind.LENGTH in leaking(report)

    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    # MC201 is for models that take no mask at all; this one takes it and leaves it behind.
    assert {f.rule for f in errors} == {"MC205"}
    sites = [site for f in errors for site in (f.site, *f.related) if site is not None]
    found = {str(site.module) for site in sites}
    assert found == {f"bert.encoder.layer.{index}.attention.self" for index in without}
    operation, line = ATTENTIONS[attention]
    for site in sites:
        assert site.operator == operation
        assert site.source is not None
        assert Path(site.source.file).name == "modeling_bert.py"
        assert line in (site.source.text or "")
