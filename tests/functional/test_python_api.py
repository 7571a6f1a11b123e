"""The Python API as a training script, a notebook and a Keras ``fit`` use it."""

from __future__ import annotations

import json
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskcheck
from maskcheck.core.errors import UsageError

ROOT = Path(maskcheck.__file__).parent.parent
LEAKY, CLEAN = str(ROOT / "fixtures" / "reviews_leaky.onnx"), ROOT / "fixtures" / "reviews_clean.onnx"


@pytest.fixture(scope="module")
def leaky() -> maskcheck.Report:
    return maskcheck.audit(LEAKY)


@pytest.fixture(scope="module")
def clean() -> maskcheck.Report:
    return maskcheck.audit(CLEAN)


def test_a_report_says_what_was_found(leaky: maskcheck.Report, clean: maskcheck.Report) -> None:
    assert leaky.outcome == "leaky" and not leaky.clean
    assert [f.rule for f in leaky.model.findings if f.severity == "error"] == ["MC101"]
    assert repr(leaky).endswith("reviews_leaky.onnx leaky (MC101)>")
    assert "MC101" in str(leaky) and "LEAKY" in leaky.text(width=60)
    assert clean.outcome == "clean" and clean.clean
    assert leaky.environment["numpy"] == np.__version__ and leaky.settings["seed"] == 0


def test_several_paths_make_one_report(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    report = maskcheck.audit([CLEAN, tmp_path / "broken.onnx"], samples=2)
    assert [m.outcome for m in report.models] == ["clean", "error"]
    assert report.outcome == "error" and not report.clean


def test_assert_clean_raises_with_the_report_and_lets_pass_what_has_a_reason(leaky: maskcheck.Report) -> None:
    with pytest.raises(maskcheck.PaddingLeak, match="mend:") as caught:
        leaky.assert_clean()
    assert caught.value.report.outcome == "leaky"
    leaky.assert_clean(ignore={"MC101": "a fixture"})
    assert leaky.ignoring({"MC101": "a fixture"}).model.accepted[0].reason == "a fixture"
    assert leaky.model.accepted == (), "the report itself stays as it was"


def test_a_notebook_shows_the_page_in_a_frame_that_can_do_nothing(leaky: maskcheck.Report) -> None:
    shown = leaky._repr_html_()
    assert shown.startswith("<iframe sandbox ") and "allow-" not in shown.split("srcdoc")[0]
    page = shown.split('srcdoc="')[1].removesuffix('"></iframe>')
    assert '"' not in page and "<" not in page
    assert unescape(page) == leaky.html()


def test_reports_are_saved_in_the_format_of_their_name(leaky: maskcheck.Report, tmp_path: Path) -> None:
    assert json.loads(leaky.save(tmp_path / "a.json").read_text())["summary"]["leaky"] == 1
    assert json.loads(leaky.save(tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert leaky.save(tmp_path / "a.html").read_text() == leaky.html()
    assert leaky.save(tmp_path / "note", format="markdown").read_text() == maskcheck.render(leaky, "markdown")
    with pytest.raises(UsageError, match=r"\.sarif"):
        leaky.save(tmp_path / "note")
    with pytest.raises(UsageError, match="console"):
        maskcheck.render(leaky, "pdf")


def test_a_wrong_setting_names_the_right_one() -> None:
    with pytest.raises(TypeError, match="'require'"):
        maskcheck.audit(CLEAN, requires=["side"])


def test_settings_mean_what_the_flags_mean(clean: maskcheck.Report) -> None:
    strict = maskcheck.audit(CLEAN, require="side", samples=2)
    gating = {row.twin for row in strict.model.passport if row.gating}
    assert gating - {row.twin for row in clean.model.passport if row.gating} == {"side"}


def test_recorded_inputs_may_be_arrays() -> None:
    ids = np.random.default_rng(0).integers(5, 80, (4, 9))
    report = maskcheck.audit(CLEAN, {"input_ids": ids, "attention_mask": np.ones_like(ids)}, samples=2)
    assert report.clean


def test_inspect_reads_the_contract_and_writes_it(tmp_path: Path) -> None:
    found = maskcheck.inspect(LEAKY)
    assert found.contract.input("attention_mask").role == "mask"
    assert "tokens" in str(found) and "input_ids" in repr(found)
    found.write(tmp_path / "contract.toml")
    assert maskcheck.inspect(LEAKY, contract=tmp_path / "contract.toml").contract.input("input_ids").role == "tokens"


def test_check_prints_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = maskcheck.check(LEAKY, save=tmp_path / "padding.html", samples=2)
    assert report is not None and report.outcome == "leaky"
    assert "LEAKY" in capsys.readouterr().out and (tmp_path / "padding.html").read_text().startswith("<!doctype")
    assert maskcheck.check(object()) is None
    assert "could not be checked" in capsys.readouterr().err


def test_check_stops_where_it_is_told_to() -> None:
    with pytest.raises(maskcheck.PaddingLeak):
        maskcheck.check(LEAKY, strict=True, samples=2)
    with pytest.raises(maskcheck.core.errors.LoadError):
        maskcheck.check(object(), strict=True)
    assert maskcheck.check(LEAKY, strict=True, ignore={"MC101": "a fixture"}, samples=2) is not None


def test_importing_the_package_stays_light() -> None:
    program = "import sys, maskcheck; print({'numpy', 'torch', 'onnx', 'rich', 'jinja2', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr
    assert {"audit", "inspect", "check", "Report", "Finding"} <= set(dir(maskcheck))


class TestTorch:
    def module(self, masked: bool) -> Any:
        torch = pytest.importorskip("torch")

        class Mean(torch.nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.words = torch.nn.Embedding(50, 8)
                self.drop = torch.nn.Dropout(0.5)

            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                x, m = self.drop(self.words(input_ids)), attention_mask.unsqueeze(-1)
                return (x * m).sum(1) / m.sum(1).clamp(min=1) if masked else x.mean(1)

        return Mean()

    def inputs(self) -> dict[str, Any]:
        torch = pytest.importorskip("torch")
        ids = torch.randint(1, 50, (2, 9))
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    @pytest.mark.parametrize("masked", [True, False])
    def test_a_module_is_audited_and_left_as_it_was(self, masked: bool) -> None:
        torch = pytest.importorskip("torch")
        module, inputs = self.module(masked), self.inputs()
        module.drop.eval()  # a frozen part of a module in training
        state, random = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
        report = maskcheck.audit(module, inputs, name="reviews")
        assert report.outcome == ("clean" if masked else "leaky") and report.model.path == "reviews"
        assert module.training and not module.drop.training
        assert all(torch.equal(state[k], v) for k, v in module.state_dict().items())
        assert torch.equal(random, torch.get_rng_state()), "the audit draws from a generator of its own"

    def test_a_function_of_tensors(self) -> None:
        module = self.module(False).eval()
        report = maskcheck.audit(lambda input_ids, attention_mask: module(input_ids, attention_mask), self.inputs())
        assert report.outcome == "leaky"


FIT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, maskcheck
from maskcheck.keras_callback import PaddingCheck

def build(masked):
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(30, 4, mask_zero=masked)(ids)
    out = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(keras.layers.Dropout(0.5)(x)))
    model = keras.Model(ids, out, name="reviews")
    model.compile("sgd", "mse")
    return model

x, y = np.random.default_rng(0).integers(1, 30, (16, 7)), np.zeros((16, 1))
check = PaddingCheck(every=1, samples=2)
model = build(True)
model.fit(x, y, epochs=2, verbose=0, callbacks=[check])
print("RESULT", check.report.outcome.value, check.report.model.path, check.report.model.format)

def losses(callbacks):
    keras.utils.set_random_seed(0)
    return build(True).fit(x, y, epochs=3, verbose=0, callbacks=callbacks).history["loss"]
print("RESULT", "same" if losses([]) == losses([PaddingCheck(every=1, samples=2)]) else "other")

try:
    build(False).fit(x, y, epochs=1, verbose=0, callbacks=[PaddingCheck(strict=True, samples=2)])
except maskcheck.PaddingLeak as leak:
    print("RESULT", leak.report.outcome.value)
"""


@pytest.mark.slow
def test_the_keras_callback_audits_when_training_ends_and_changes_nothing_in_it(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    done = subprocess.run(
        [sys.executable, "-c", FIT], capture_output=True, text=True, cwd=ROOT, timeout=240, check=False
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert results == ["RESULT clean reviews keras-model", "RESULT same", "RESULT leaky"], done.stderr[-3000:]
    assert done.stdout.count("CLEAN") == 2 + 3, "after every epoch and at the end"
