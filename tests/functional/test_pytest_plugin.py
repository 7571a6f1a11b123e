"""The fixture, in test runs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import maskcheck as package

ROOT = Path(package.__file__).parent.parent
pytestmark = pytest.mark.slow


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run one test file in a process of its own, where nothing but the plugin is known."""
    (folder / "test_it.py").write_text(text.replace("FIXTURES", str(ROOT / "fixtures")), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "--rootdir", str(folder), str(folder)]
    plugin = [] if _installed() else ["-p", "maskcheck.pytest_plugin"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*command, *plugin], capture_output=True, text=True, cwd=folder, env=environment, timeout=120)


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(entry.name == "maskcheck" for entry in entry_points(group="pytest11"))


def test_a_leak_fails_the_test_and_shows_where_and_how_to_mend_it(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_model(maskcheck):\n    maskcheck('FIXTURES/reviews_leaky.onnx').assert_clean()\n")
    assert done.returncode == 1, done.stdout + done.stderr
    for expected in ("LEAKY", "MC101", "mend:", "models.py:"):
        assert expected in done.stdout


def test_a_clean_model_and_an_excused_one_pass(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "def test_clean(maskcheck):\n"
        "    audited = maskcheck('FIXTURES/reviews_clean.onnx', seed=1)\n"
        "    audited.assert_clean()\n"
        "    assert audited.html().startswith('<!doctype html>')\n"
        "def test_excused(maskcheck):\n"
        "    maskcheck('FIXTURES/reviews_leaky.onnx').assert_clean(ignore={'MC101': 'a fixture'})\n",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_model_that_cannot_be_audited_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_model(maskcheck):\n    maskcheck(__file__).assert_clean()\n")
    assert done.returncode == 1 and "ERROR" in done.stdout, done.stdout + done.stderr


def test_a_live_module(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = run(
        tmp_path,
        "import torch\n"
        "class Mean(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.words = torch.nn.Embedding(50, 8, padding_idx=0)\n"
        "    def forward(self, input_ids, attention_mask):\n"
        "        x = self.words(input_ids) + 1\n"
        "        m = attention_mask.unsqueeze(-1)\n"
        "        return (x * m).sum(1) / m.sum(1).clamp(min=1) if self.masked else x.mean(1)\n"
        "def build(masked):\n"
        "    model = Mean(); model.masked = masked\n"
        "    ids = torch.randint(1, 50, (2, 9))\n"
        "    return model, {'input_ids': ids, 'attention_mask': torch.ones_like(ids)}\n"
        "def test_leaky(maskcheck):\n"
        "    assert maskcheck(*build(False)).model.outcome == 'leaky'\n"
        "def test_clean(maskcheck):\n"
        "    maskcheck(*build(True)).assert_clean()\n",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plugin_imports_nothing_heavy() -> None:
    program = (
        "import sys, maskcheck.pytest_plugin; print({'numpy', 'torch', 'onnx', 'rich', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr
