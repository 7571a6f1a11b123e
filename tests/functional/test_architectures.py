"""Published architectures with small random weights, exported as people export them: no name or layout is prepared
for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from maskcheck.auditing import audit_model
from maskcheck.core.report import ModelReport, Outcome, Severity, TwinKind
from maskcheck.core.settings import Settings
from tests.zoo.export import quiet

SMALL = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
FRONT_END = {
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (5, 2, 2),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.0,
}


class _Outputs(torch.nn.Module):
    """One output of a model, by keyword, as a plain tensor."""

    def __init__(self, model: Any, first: str, output: str) -> None:
        super().__init__()
        self.model, self.first, self.output = model, first, output

    def forward(self, content: Any, attention_mask: Any) -> Any:
        return self.model(**{self.first: content, "attention_mask": attention_mask}, return_dict=True)[self.output]


def audited(model: Any, first: str, content: Any, output: str, folder: Path) -> ModelReport:
    mask = torch.ones(content.shape, dtype=torch.long)
    mask[1, int(content.shape[1] * 0.6) :] = 0
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    path = folder / "model.onnx"
    with quiet():
        torch.onnx.export(
            _Outputs(model, first, output).eval(),
            (content, mask),
            str(path),
            dynamo=True,
            external_data=False,
            input_names=[first, "attention_mask"],
            output_names=[output],
            dynamic_shapes=(free, free),
            verbose=False,
        )
    return audit_model(str(path), Settings())


def ids() -> Any:
    torch.manual_seed(0)
    return torch.randint(5, 90, (2, 9))


def errors(found: ModelReport) -> list[str]:
    return [f.rule for f in found.findings if f.severity is Severity.ERROR]


def test_roberta_reads_its_padding_off_the_ids_and_is_clean(tmp_path: Path) -> None:
    model = transformers.RobertaForSequenceClassification(
        transformers.RobertaConfig(**SMALL, max_position_embeddings=130, num_labels=3)
    )
    found = audited(model, "input_ids", ids(), "logits", tmp_path)
    assert found.outcome is Outcome.CLEAN and errors(found) == []
    assert found.contract is not None
    assert found.contract.input("input_ids").ids_carry_mask and found.contract.input("input_ids").pad_value == 1
    # The classifier reads the first column, which is a pad on the left.
    assert [f.rule for f in found.findings] == ["MC108"]


def test_a_causal_model_is_clean_under_right_padding(tmp_path: Path) -> None:
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, num_key_value_heads=2, use_cache=False))
    found = audited(model, "input_ids", ids(), "logits", tmp_path)
    assert found.outcome is Outcome.CLEAN and found.findings == ()


def test_mobilebert_reads_its_neighbours_at_the_edge(tmp_path: Path) -> None:
    model = transformers.MobileBertModel(
        transformers.MobileBertConfig(**SMALL, embedding_size=32, true_hidden_size=32, intra_bottleneck_size=32)
    )
    found = audited(model, "input_ids", ids(), "last_hidden_state", tmp_path)
    warning = next(f for f in found.findings if f.severity is Severity.WARNING)
    assert warning.rule == "MC406" and TwinKind.CONTENT in warning.twins
    assert warning.site is not None and warning.site.source is not None
    assert warning.site.source.file.endswith("modeling_mobilebert.py")


@pytest.mark.parametrize(("norm", "outcome"), [("layer", Outcome.CLEAN), ("group", Outcome.LEAKY)])
def test_speech_models_differ_by_the_norm_of_their_front_end(norm: str, outcome: Outcome, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        **SMALL, **FRONT_END, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer"
    )
    found = audited(
        transformers.Wav2Vec2Model(config), "input_values", torch.randn(2, 1200), "last_hidden_state", tmp_path
    )
    assert found.outcome is outcome
    if outcome is Outcome.LEAKY:
        assert errors(found) == ["MC501"]
        site = found.findings[0].site
        assert site is not None and site.source is not None and site.source.file.endswith("modeling_wav2vec2.py")
