"""SavedModels: the same verdicts and places as of a .keras file, and a reason where the inside cannot be shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loaders import keras_child

pytestmark = [
    pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.ask("saved", tmp_path_factory.mktemp("saved"))


@pytest.mark.parametrize("name", ["clean", "shared", "masking", "masked"])
def test_a_sound_model_is_clean(saved: Any, name: str) -> None:
    assert saved[name]["outcome"] == "clean"


@pytest.mark.parametrize(
    ("name", "rule", "operation"),
    [
        ("doubled", "MC101", "gap_1/Mean"),
        ("attention", "MC101", "gap_1/Mean"),
        ("recurrent", "MC310", "lstm_1/while"),
        ("careless", "MC102", "Mean"),
        ("flatten", "MC704", "dense_middle_1/MatMul"),
        ("unmasked", "MC706", "conv_1/convolution"),
    ],
)
def test_a_leak_is_placed_at_an_operator_inside(saved: Any, name: str, rule: str, operation: str) -> None:
    (finding,) = saved[name]["findings"]
    assert saved[name]["outcome"] == "leaky"
    assert finding["rule"] == rule
    assert finding["site"].endswith(operation)
    assert finding["share"] == pytest.approx(1.0)


def test_a_table_of_words_hides_the_inside_but_not_the_verdict(saved: Any) -> None:
    (finding,) = saved["table"]["findings"]
    assert saved["table"]["outcome"] == "leaky"
    assert finding["site"] is None


def test_one_length_and_no_inside_is_inconclusive_and_says_why(saved: Any) -> None:
    assert saved["table of one length"]["outcome"] == "skipped"
    assert "the length is fixed at 8, and the inside of this SavedModel" in saved["table of one length"]["reason"]


def test_text_is_refused_with_a_reason(saved: Any) -> None:
    assert saved["text"]["outcome"] == "error"
    assert "reads text (words)" in saved["text"]["reason"]


@pytest.mark.parametrize(
    "what", ["agrees", "own value kept", "readers see the patch", "recorded", "outputs are patched"]
)
def test_a_trace_answers_like_a_run_and_takes_patches(saved: Any, what: str) -> None:
    assert saved["tracing"][what]


def test_a_patch_of_nothing_is_a_trace_error(saved: Any) -> None:
    assert saved["tracing"]["patches of nothing"].startswith("TraceError")


def test_ids_are_known_by_the_table_they_pick_from_and_what_they_are_compared_with(saved: Any) -> None:
    assert ["index", "GatherV2", 50] in saved["tracing"]["uses"]
    assert ["compare", "NotEqual", 0] in saved["tracing"]["uses"]
    assert not any(operation == "Less" for _, operation, _ in saved["tracing"]["uses"])


def test_weights_of_attention_are_seen(saved: Any) -> None:
    assert saved["tracing"]["weights on pads"] == 0.0
    assert saved["tracing"]["softmax axis"] == -1


def test_nothing_is_opened_without_trust(saved: Any) -> None:
    assert "--trust" in saved["tracing"]["untrusted"]
