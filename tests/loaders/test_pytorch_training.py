"""``--training`` for PyTorch: every way to average a loss wrongly, beside the right one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

import maskcheck
from maskcheck.core.report import ModelReport, Severity, Status


class Tagger(torch.nn.Module):
    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(60, 16, padding_idx=0)
        self.drop = torch.nn.Dropout(0.3)
        self.up = torch.nn.Linear(16, 16)
        self.norm = torch.nn.BatchNorm1d(16) if norm else None
        self.head = torch.nn.Linear(16, 5)

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        x = torch.relu(self.up(self.drop(self.embed(input_ids))))
        if self.norm is not None:
            x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return self.head(x)


def skips_the_pads(logits: Any, labels: Any) -> Any:
    return F.cross_entropy(logits.movedim(-1, 1), labels)


def over_the_real_steps(logits: Any, labels: Any, attention_mask: Any) -> Any:
    losses = F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none") * attention_mask
    return losses.sum() / attention_mask.sum()


def over_all_steps(logits: Any, labels: Any, attention_mask: Any) -> Any:
    return (F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none") * attention_mask).mean()


def pads_are_class_0(logits: Any, labels: Any) -> Any:
    return F.cross_entropy(logits.movedim(-1, 1), labels.clamp(min=0))


def masked_in_the_divisor_only(logits: Any, labels: Any, attention_mask: Any) -> Any:
    losses = F.cross_entropy(logits.movedim(-1, 1), labels.clamp(min=0), reduction="none")
    return losses.sum() / attention_mask.sum()


def gradient_only(logits: Any, labels: Any) -> Any:
    size = logits.square().mean()
    return skips_the_pads(logits, labels) + size - size.detach()


def audited(loss: Any, norm: bool = False) -> ModelReport:
    ids = torch.randint(1, 60, (2, 9), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return maskcheck.audit(Tagger(norm), inputs, training=True, loss=loss, samples=2).model


def errors(report: ModelReport) -> list[str]:
    return [f.rule for f in report.findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "loss",
    [skips_the_pads, over_the_real_steps, torch.nn.CrossEntropyLoss()],
    ids=["skips", "over real steps", "torch"],
)
def test_losses_that_know_their_pads(loss: Callable[..., Any]) -> None:
    report = audited(loss)
    assert report.outcome == "clean" and errors(report) == []
    rows = [row for row in report.passport if row.twin == "training"]
    assert [(row.variant, row.status) for row in rows] == [("loss", Status.CLEAN), ("gradient", Status.CLEAN)]


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        (over_all_steps, "MC961"),
        (pads_are_class_0, "MC962"),
        (masked_in_the_divisor_only, "MC962"),
        (gradient_only, "MC965"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_losses_that_do_not(loss: Callable[..., Any], rule: str) -> None:
    report = audited(loss)
    assert report.outcome == "leaky" and errors(report) == [rule]


def test_batch_statistics_leak_in_training_only() -> None:
    assert errors(audited(skips_the_pads, norm=True)) == ["MC964"]


def test_without_a_loss_one_learns_how_to_name_one() -> None:
    report = audited(None)
    row = next(row for row in report.passport if row.twin == "training")
    assert report.outcome == "clean" and row.status is Status.UNTESTED and "--loss" in (row.reason or "")


def test_noise_that_cannot_be_switched_off_is_not_taken_for_a_leak() -> None:
    def noisy(logits: Any, labels: Any) -> Any:
        return skips_the_pads(logits + torch.randn_like(logits), labels)

    row = next(row for row in audited(noisy).passport if row.twin == "training")
    assert row.status is Status.UNTESTED and "differs from call to call" in (row.reason or "")


def test_where_the_answers_leak_training_only_follows() -> None:
    class Shifted(Tagger):
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            logits = super().forward(input_ids, attention_mask)
            return logits - logits.mean(1, keepdim=True)

    ids = torch.randint(1, 60, (2, 9))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    report = maskcheck.audit(Shifted(), inputs, training=True, loss=skips_the_pads, samples=2).model
    assert report.outcome == "leaky" and not [code for code in errors(report) if code.startswith("MC96")]
    assert not [row for row in report.passport if row.twin == "training" and row.gating]


def test_a_step_leaves_the_module_as_it_was() -> None:
    module = Tagger(norm=True)
    state = {k: v.clone() for k, v in module.state_dict().items()}
    ids = torch.randint(1, 60, (2, 9))
    random = torch.get_rng_state()
    maskcheck.audit(module, (ids, torch.ones_like(ids)), training=True, loss=skips_the_pads, samples=2)
    assert all(torch.equal(state[k], v) for k, v in module.state_dict().items())
    assert module.training and module.drop.p == 0.3 and torch.equal(random, torch.get_rng_state())
    assert all(p.grad is None for p in module.parameters())


def test_a_transformer_brings_its_own_loss(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=20, num_labels=3
    )
    transformers.BertForTokenClassification(config).save_pretrained(tmp_path)
    report = maskcheck.audit(tmp_path, training=True, samples=2).model
    rows = {row.variant: row.status for row in report.passport if row.twin == "training"}
    assert rows == {"loss": Status.CLEAN, "gradient": Status.CLEAN}


@pytest.mark.slow
def test_the_command_line_takes_the_name_of_a_loss(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch, torch.nn.functional as F\n"
        "class Tagger(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__(); self.embed = torch.nn.Embedding(60, 5)\n"
        "    def forward(self, input_ids): return self.embed(input_ids)\n"
        "def build(): return Tagger()\n"
        "def loss(logits, labels): return F.cross_entropy(logits.movedim(-1, 1), labels.clamp(min=0))\n"
    )
    torch.save(torch.nn.ModuleDict({"embed": torch.nn.Embedding(60, 5)}).state_dict(), tmp_path / "weights.pt")
    command = [sys.executable, "-m", "maskcheck", "audit", "weights.pt", "--factory", "mine.py:build", "--training"]
    command += ["--input", "input_ids=tokens"]
    done = subprocess.run([*command, "--loss", "mine.py:loss"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "MC962" in done.stdout and "changes its training" in done.stdout, done.stderr
    wrong = subprocess.run([*command, "--loss", "mine.py:lost"], cwd=tmp_path, capture_output=True, text=True)
    assert "--loss" in wrong.stderr + wrong.stdout and wrong.returncode == 2
