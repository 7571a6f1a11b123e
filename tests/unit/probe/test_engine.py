"""The whole engine on numpy models: verdicts, noise, origins and their shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from maskcheck.core.errors import LoadError, NothingToPadError
from maskcheck.core.model import TensorSpec
from maskcheck.core.report import Status, TwinKind
from maskcheck.core.settings import Overrides, Settings
from maskcheck.explain.explain_model import Explanation, explain_model
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind as K
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Softmax
from maskcheck.probe.contract.infer_contract import infer
from maskcheck.probe.run_twins import TwinResults, run
from maskcheck.probe.samples import Source
from tests.fakes import FakeModel, Node, attention_model, softmax, token_uses, tokens_and_mask


def silent(step: str, fraction: float) -> None:
    return None


def probe(model: FakeModel, overrides: Overrides | None = None) -> tuple[TwinResults, Explanation]:
    settings = Settings(overrides=overrides or Overrides())
    found = infer(model, settings.overrides)
    results = run(model, found.contract, found.lengths, Source(found.contract, 0), settings, silent)
    return results, explain_model(model, found.contract, results, 0, silent)


def status(results: TwinResults, twin: TwinKind, variant: str | None = None) -> Status:
    rows = [r for r in results.passport if r.twin is twin and (variant is None or r.variant == variant)]
    assert rows, f"no row for {twin} {variant}"
    return Status.LEAKY if any(r.status is Status.LEAKY for r in rows) else rows[0].status


def origins(explanation: Explanation) -> list[str]:
    return [item.evidence.site.name for item in explanation.items]


def test_a_sound_model_is_clean_in_every_gating_twin_and_needs_no_excuse_for_content() -> None:
    results, explanation = probe(attention_model(layers=2))
    assert all(row.status is Status.CLEAN for row in results.passport if row.gating)
    content = next(row for row in results.passport if row.twin is TwinKind.CONTENT)
    assert content.difference == 0.0
    assert explanation.items == ()
    assert {m.axis for m in explanation.attention} == {"keys"}


@pytest.mark.parametrize(
    ("arguments", "origin", "content"),
    [
        ({"masked": False, "pooling": "first"}, "softmax0", Status.LEAKY),
        ({"pooling": "mean"}, "pooled", Status.LEAKY),
        ({"pooling": "sum/length"}, "pooled", Status.CLEAN),
    ],
)
def test_one_fault_is_one_origin_that_explains_all(arguments: dict, origin: str, content: Status) -> None:
    results, explanation = probe(attention_model(**arguments))
    assert status(results, TwinKind.LENGTH) is Status.LEAKY
    assert status(results, TwinKind.CONTENT) is content
    assert origins(explanation) == [origin]
    assert explanation.items[0].share == pytest.approx(1.0, abs=1e-3)


def test_two_faults_are_told_apart_and_each_has_its_share() -> None:
    _, explanation = probe(attention_model(masked=False, pooling="mean"))
    assert origins(explanation) == ["softmax0", "pooled"]


def test_the_same_fault_in_every_layer_is_one_finding_with_relatives() -> None:
    _, explanation = probe(attention_model(masked=False, layers=5, pooling="first"))
    assert origins(explanation) == ["softmax0"]
    assert [site.name for site in explanation.items[0].related] == ["softmax1", "softmax2", "softmax3", "softmax4"]
    assert explanation.items[0].share == pytest.approx(1.0, abs=1e-3)


def test_unmasked_attention_is_seen_in_the_weights() -> None:
    _, explanation = probe(attention_model(masked=False, pooling="first"))
    assert explanation.attention[0].axis == "none"
    assert explanation.attention[0].pad_mass_max > 1e-3


def features_model(*nodes: Node, outputs: tuple[str, ...] = ("out",), mask: bool = False, **more) -> FakeModel:
    inputs = (TensorSpec("features", "float32", ("batch", "time", 6)),)
    if mask:
        inputs += (TensorSpec("mask", "bool", ("batch", "time")),)
    return FakeModel(inputs, list(nodes), outputs, **more)


def test_rows_that_touch_each_other_leak_through_mates_only() -> None:
    mixing = Node("out", K.SOFTMAX, ("features",), lambda x: softmax(x, axis=0), Softmax(axis=0))
    results, explanation = probe(features_model(mixing))
    assert status(results, TwinKind.LENGTH) is Status.CLEAN
    assert status(results, TwinKind.MATES) is Status.LEAKY
    assert origins(explanation) == ["out"]


def test_a_convolution_over_the_edge_leaks_at_the_boundary() -> None:
    def blur(x: np.ndarray) -> np.ndarray:
        padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
        return padded[:, :-2] + padded[:, 1:-1] * 2 + padded[:, 2:] + np.float32(0.5)

    twice = [Node("first", K.CONVOLUTION, ("features",), blur), Node("out", K.CONVOLUTION, ("first",), blur)]
    results, explanation = probe(features_model(*twice))
    assert status(results, TwinKind.LENGTH) is Status.LEAKY
    assert origins(explanation) == ["out", "first"]
    gating, warning = explanation.items
    assert gating.gating and gating.evidence.spread.value == "boundary"
    assert set(warning.evidence.at_site) == {TwinKind.CONTENT}  # zeros at the pads look like the edge to the first one


def test_a_model_that_disagrees_with_itself_is_untested_not_clean() -> None:
    rng = np.random.default_rng()
    noisy = Node("out", K.RANDOM, ("features",), lambda x: x.mean(axis=1) + rng.standard_normal())
    results, _ = probe(features_model(noisy))
    assert status(results, TwinKind.REPEAT) is Status.LEAKY
    assert status(results, TwinKind.LENGTH) is Status.UNTESTED


def test_an_output_that_reacts_to_nothing_is_untested_not_clean() -> None:
    constant = Node("out", K.ELEMENTWISE, ("features",), lambda x: np.zeros((x.shape[0], 2), np.float32))
    results, _ = probe(features_model(constant))
    assert status(results, TwinKind.LENGTH) is Status.UNTESTED


def test_a_fixed_length_is_audited_through_the_worth_of_its_pads() -> None:
    rng = np.random.default_rng(0)
    weights = {
        "table": rng.standard_normal((50, 3)).astype(np.float32),
        "dense": rng.standard_normal((12, 2)).astype(np.float32),
    }
    nodes = [
        Node("embed", K.EMBEDDING, ("table", "ids"), lambda t, ids: t[ids]),
        Node("flat", K.LAYOUT, ("embed",), lambda x: x.reshape(len(x), 12)),
        Node("out", K.MATMUL, ("flat", "dense"), lambda x, w: x @ w),
    ]
    uses = (
        InputUse(
            input="ids", kind=UseKind.INDEX, site="embed", operator="embedding", operation=Operation.EMBEDDING, value=50
        ),
    )
    model = FakeModel((TensorSpec("ids", "int64", ("batch", 4)),), nodes, ("out",), weights, uses)
    results, explanation = probe(model)
    assert status(results, TwinKind.LENGTH, "fixed") is Status.LEAKY
    assert origins(explanation) == ["out"]


def test_a_mask_that_means_the_opposite_of_its_name_is_a_conflict() -> None:
    model = attention_model(pooling="first")
    turned = [
        Node(
            "bias", K.ELEMENTWISE, ("attention_mask",), lambda m: (m[:, None, :] * np.float32(-1e9)).astype(np.float32)
        )
        if node.name == "bias"
        else node
        for node in model._nodes
    ]
    wrong = FakeModel(tokens_and_mask(), turned, ("logits",), model._weights, token_uses())
    found = infer(wrong, Overrides())
    assert [c.kind for c in found.contract.conflicts] == ["inverted-polarity"]
    results, _ = probe(wrong)
    assert status(results, TwinKind.LENGTH) is Status.LEAKY


def test_a_weakly_named_mask_takes_the_polarity_that_works() -> None:
    def pool(x: np.ndarray, pads: np.ndarray) -> np.ndarray:
        keep = ~pads[..., None]
        return (x * keep).sum(axis=1) / keep.sum(axis=1)

    model = features_model(Node("out", K.REDUCE_MEAN, ("features", "mask"), pool), mask=True)
    contract = infer(model, Overrides()).contract
    assert contract.input("mask").valid_when == 0
    assert contract.conflicts == ()


def test_a_mask_that_is_only_counted_takes_the_polarity_whose_count_does_not_follow_the_padding() -> None:
    """Read the wrong way round, the mean of as many first steps as there are pads hides the pads as well."""

    def first_steps(x: np.ndarray, missing: np.ndarray) -> np.ndarray:
        count = (~missing).sum(axis=1)[:, None]
        keep = (np.arange(x.shape[1]) < count)[..., None]
        return (x * keep).sum(axis=1) / np.maximum(count, 1)

    model = features_model(Node("out", K.REDUCE_MEAN, ("features", "mask"), first_steps), mask=True)
    assert infer(model, Overrides()).contract.input("mask").valid_when == 0


def test_a_number_that_is_named_as_the_padded_length_follows_it() -> None:
    seen: list[tuple[int, int]] = []

    def pool(x: np.ndarray, total: np.ndarray) -> np.ndarray:
        seen.append((x.shape[1], int(total)))
        return x.mean(axis=1)

    inputs = (
        TensorSpec("features", "float32", ("batch", "time", 6)),
        TensorSpec("total_sequence_length", "int32", ()),
    )
    model = FakeModel(inputs, [Node("out", K.REDUCE_MEAN, ("features", "total_sequence_length"), pool)], ("out",))
    probe(model)
    assert len({steps for steps, _ in seen}) > 1
    assert all(steps == total for steps, total in seen)


def test_a_short_output_of_fixed_length_does_not_lengthen_everything_else() -> None:
    """A forecast of four steps never has frames enough, however long the history is."""
    lengths: list[int] = []

    def forecast(history: np.ndarray, known: np.ndarray) -> np.ndarray:
        lengths.append(history.shape[1])
        return known + history.mean(axis=1, keepdims=True)

    inputs = (TensorSpec("history", "float32", ("batch", "time", 6)), TensorSpec("known", "float32", ("batch", 4, 6)))
    model = FakeModel(inputs, [Node("out", K.OTHER, ("history", "known"), forecast)], ("out",))
    infer(model, Overrides())
    assert max(lengths) < 100


def test_nothing_to_pad_is_said_plainly() -> None:
    dense = Node("out", K.MATMUL, ("x",), lambda x: x * 2)
    model = FakeModel((TensorSpec("x", "float32", ("batch", 10)),), [dense], ("out",))
    with pytest.raises(NothingToPadError, match="nothing to pad"):
        infer(model, Overrides())


def test_a_model_that_refuses_everything_is_an_error_with_its_reason() -> None:
    def refuse(x: np.ndarray) -> np.ndarray:
        raise ValueError("needs 80 mel bins")

    with pytest.raises(LoadError, match="80 mel bins"):
        infer(features_model(Node("out", K.OTHER, ("features",), refuse)), Overrides())


def test_time_before_batch_is_read_off_the_names() -> None:
    out = Node("out", K.ELEMENTWISE, ("features",), lambda x: np.tanh(x))
    model = FakeModel((TensorSpec("features", "float32", ("time", "batch", 6)),), [out], ("out",))
    assert infer(model, Overrides()).contract.input("features").dims == ("seq", "batch", None)


@pytest.mark.parametrize("kind", [K.REDUCE_MAX, K.REDUCE_SUM])
def test_overrides_beat_inference(kind: K) -> None:
    reduce: Callable[[np.ndarray], np.ndarray] = lambda x: x.max(axis=1) if kind is K.REDUCE_MAX else x.sum(axis=1)  # noqa: E731
    model = features_model(Node("out", kind, ("features",), reduce))
    stated = Overrides(inputs={"features": {"pad_value": -5.0}})
    assert infer(model, stated).contract.input("features").pad_value == -5.0


def test_the_other_ends_of_two_padded_tensors_say_nothing() -> None:
    """Masked scores are equal at the pads of any two runs; that must not pass for a reversed, clean tensor."""
    from maskcheck.explain.divergence import Alignment, State, compare
    from maskcheck.probe.align import Axes, View

    before = np.array([[1.0, 2.0, 3.0, -1e9, -1e9, -1e9]])
    after = np.array([[1.0, 2.5, 3.0, -1e9, -1e9, -1e9]])
    axes = {"scores": Axes({1: (3, 6)})}
    alike = Alignment(View(True), View(True), axes, (3, 6), {}, exact=True)
    assert compare("scores", before, after, alike).state is State.DIRTY
    reversed_pads_first = np.array([[0.0, 0.0, 0.0, 3.0, 2.0, 1.0]])
    against_unpadded = Alignment(View(False), View(True), axes, (3, 6), {}, exact=False)
    assert compare("scores", np.array([[3.0, 2.0, 1.0]]), reversed_pads_first, against_unpadded).state is State.CLEAN


def test_a_fixed_length_is_not_judged_in_another_precision() -> None:
    """There is no other number of pads to run; two sets of rows must never be compared with each other."""

    class Half(FakeModel):
        def recast(self, precision: str) -> FakeModel:  # type: ignore[override]
            return self

    rng = np.random.default_rng(0)
    weights = {"table": rng.standard_normal((50, 3)).astype(np.float32)}
    nodes = [
        Node("embed", K.EMBEDDING, ("table", "ids"), lambda t, ids: t[ids]),
        Node("out", K.INDEX, ("embed",), lambda x: x[:, 0]),
    ]
    uses = (
        InputUse(
            input="ids", kind=UseKind.INDEX, site="embed", operator="embedding", operation=Operation.EMBEDDING, value=50
        ),
    )
    spec = (TensorSpec("ids", "int64", ("batch", 8)),)
    results, _ = probe(Half(spec, nodes, ("out",), weights, uses, precision="float16"))
    assert status(results, TwinKind.PRECISION) is Status.UNTESTED
