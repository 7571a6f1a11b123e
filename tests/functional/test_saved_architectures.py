"""Directories of published architectures, small and random: the audit agrees with a plain run in float64.

``python -m evaluation.architectures`` asks the same of all of its catalogue; these are a few quick ones of every kind.
"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from evaluation.architectures import build, truth
from evaluation.architectures.catalogue import Architecture, architectures
from maskcheck.auditing import audit_model
from maskcheck.core.report import Severity
from maskcheck.core.settings import Settings

CLEAN = (
    "electra/AutoModel",
    "distilbert/AutoModelForSequenceClassification",
    "roberta/AutoModelForSequenceClassification",
    "gpt2/AutoModel",
    "opt/AutoModelForCausalLM",
    "t5/T5EncoderModel",
)
LEAKY = {
    "fnet/AutoModel": "self.fourier_transform(hidden_states)",
    "convbert/AutoModel": "nn.functional.unfold(",
    "yoso/AutoModel": "torch.matmul(expectation, value)",
    "nystromformer/AutoModel": "self.conv(value_layer)",
    "hubert/AutoModel": "self.layer_norm(hidden_states)",
}


def chosen(name: str) -> Architecture:
    """The last of that name: of the two speech models, the one whose front end normalises over time."""
    return [a for a in architectures() if a.name == name][-1]


@pytest.mark.parametrize("name", [*CLEAN, *LEAKY])
def test_audit_and_plain_run_agree(name: str, tmp_path: Path) -> None:
    architecture = chosen(name)
    model = build.save(architecture, tmp_path)
    difference, leaks = truth.leaks(model, architecture.modality)
    assert leaks is (name in LEAKY), difference
    found = audit_model(str(tmp_path), Settings(samples=2))
    assert found.outcome.value == ("leaky" if leaks else "clean"), found.reason
    errors = [f for f in found.findings if f.severity is Severity.ERROR]
    assert bool(errors) is leaks
    for finding in errors:
        assert finding.site is not None and finding.site.source is not None
        assert Path(finding.site.source.file).name.startswith("modeling_")
        assert LEAKY[name] in (finding.site.source.text or "")
    gradients = [row for row in found.passport if row.variant == "gradient"]
    assert leaks or all(row.status.value != "leaky" for row in gradients), gradients
