"""Weights of fused attention, recomputed: they must lead to what the operator itself returned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import Attention
from maskcheck.ir.static_fact import StaticFact
from maskcheck.loaders.onnx.model import OnnxModel
from tests.loaders.onnx_builder import BOOL, FLOAT, HALF, INT32, INT64, build, node, opened, random

B, T, S, N, D = 2, 6, 9, 4, 32
MICROSOFT = "com.microsoft"
PREFIX = np.array([[1] * 6, [1] * 4 + [0] * 2], np.int32)
SUFFIX = PREFIX[:, ::-1].copy()
Feeds = Mapping[str, np.ndarray]

ELEMENTS = {"float32": FLOAT, "float16": HALF, "int32": INT32, "int64": INT64, "bool": BOOL}


def model_of(made: onnx.NodeProto, feeds: Feeds, weights: Feeds, folder: Path, opset: int = 20) -> OnnxModel:
    inputs = [(k, ELEMENTS.get(v.dtype.name, v.dtype.num), [None] * v.ndim) for k, v in feeds.items()]
    kind = HALF if "float16" in {v.dtype.name for v in feeds.values()} else FLOAT
    outputs = [(name, kind, None) for name in made.output if name]
    return opened(build([made], inputs, outputs, weights, opset=opset), folder)


def weights_of(trace: Trace) -> np.ndarray:
    assert set(trace.attention) == {"attend"}
    weights = trace.attention["attend"]
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    return weights


def merged(heads: np.ndarray) -> np.ndarray:
    return heads.swapaxes(1, 2).reshape(heads.shape[0], heads.shape[2], -1)


class TestContribAttention:
    X = random(B, T, D)
    WEIGHTS = {"w": random(D, 3 * D, seed=1, scale=0.3), "b": random(3 * D, seed=2)}  # noqa: RUF012

    def trace(
        self, folder: Path, mask: np.ndarray | None = None, bias: np.ndarray | None = None, **attributes: Any
    ) -> Trace:
        feeds = {"x": self.X} | ({} if mask is None else {"m": mask}) | ({} if bias is None else {"r": bias})
        operands = ["x", "w", "b", "m" if mask is not None else "", "", "r" if bias is not None else ""]
        made = node("Attention", operands, ["y"], name="attend", domain=MICROSOFT, num_heads=N, **attributes)
        return model_of(made, feeds, self.WEIGHTS, folder).trace(feeds)

    def check(self, trace: Trace) -> np.ndarray:
        weights = weights_of(trace)
        value = (self.X @ self.WEIGHTS["w"] + self.WEIGHTS["b"])[..., 2 * D :]
        value = value.reshape(B, T, N, -1).swapaxes(1, 2)
        np.testing.assert_allclose(merged(weights @ value), trace.outputs["y"], atol=1e-5)
        return weights

    def test_without_a_mask(self, tmp_path: Path) -> None:
        assert self.check(self.trace(tmp_path)).shape == (B, N, T, T)

    @pytest.mark.parametrize(
        ("mask", "dead"),
        [
            (PREFIX, [4, 5]),
            (np.array([6, 4], np.int32), [4, 5]),
            (np.array([6, 4, 0, 1], np.int32), [0, 4, 5]),
            (np.repeat(PREFIX[:, None], T, axis=1), [4, 5]),
        ],
        ids=["raw", "ends", "ends and starts", "square"],
    )
    def test_every_form_of_mask(self, mask: np.ndarray, dead: list[int], tmp_path: Path) -> None:
        weights = self.check(self.trace(tmp_path, mask))
        assert not weights[1][..., dead].any()
        assert weights[0].min() > 0

    def test_causal(self, tmp_path: Path) -> None:
        weights = self.check(self.trace(tmp_path, unidirectional=1))
        assert not np.triu(weights, 1).any()

    @pytest.mark.parametrize("mask", [PREFIX, SUFFIX], ids=["right", "left"])
    def test_causal_with_a_mask(self, mask: np.ndarray, tmp_path: Path) -> None:
        self.check(self.trace(tmp_path, mask, unidirectional=1))

    def test_a_weak_fill_lets_weight_through(self, tmp_path: Path) -> None:
        assert self.check(self.trace(tmp_path, PREFIX, mask_filter_value=-2.0))[1, :, :, 4:].min() > 0

    def test_a_row_of_nothing_but_pads(self, tmp_path: Path) -> None:
        mask = PREFIX.copy()
        mask[1] = 0
        self.check(self.trace(tmp_path, mask))

    def test_with_a_bias_and_a_scale(self, tmp_path: Path) -> None:
        self.check(self.trace(tmp_path, PREFIX, bias=random(1, N, T, T), scale=0.7))

    def test_sizes_of_their_own(self, tmp_path: Path) -> None:
        weights = {"w": random(D, 2 * D + 64, seed=1, scale=0.3), "b": random(2 * D + 64, seed=2)}
        sizes = {"num_heads": N, "qkv_hidden_sizes": [D, D, 64]}
        made = node("Attention", ["x", "w", "b"], ["y"], name="attend", domain=MICROSOFT, **sizes)
        weights_of(model_of(made, {"x": self.X}, weights, tmp_path).trace({"x": self.X}))

    def test_a_patched_input_is_what_the_weights_come_from(self, tmp_path: Path) -> None:
        nodes = [
            node("Mul", ["x0", "two"], ["x"]),
            node("Attention", ["x", "w", "b"], ["y"], name="attend", domain=MICROSOFT, num_heads=N),
        ]
        weights = self.WEIGHTS | {"two": np.array(2, np.float32)}
        model = opened(build(nodes, [("x0", FLOAT, ["b", "t", D])], [("y", FLOAT, None)], weights), tmp_path)
        self.check(model.trace({"x0": random(B, T, D, seed=9)}, {"x": self.X}))

    def test_nothing_is_recomputed_that_was_not_recorded(self, tmp_path: Path) -> None:
        made = node("Attention", ["x", "w", "b"], ["y"], name="attend", domain=MICROSOFT, num_heads=N)
        nodes = [made, node("Neg", ["y"], ["z"])]
        model = opened(build(nodes, [("x", FLOAT, ["b", "t", D])], [("z", FLOAT, None)], self.WEIGHTS), tmp_path)
        assert not model.trace({"x": self.X}, record=[]).attention
        assert model.trace({"x": self.X}, record=["y"]).attention

    def test_a_past_is_left_out(self, tmp_path: Path) -> None:
        feeds = {"x": self.X, "past": random(2, B, N, 3, D // N)}
        outputs = ["y", "present"]
        made = node("Attention", ["x", "w", "b", "", "past"], outputs, name="attend", domain=MICROSOFT, num_heads=N)
        assert not model_of(made, feeds, self.WEIGHTS, tmp_path).trace(feeds).attention


def test_quantised_attention(tmp_path: Path) -> None:
    quantised = np.random.default_rng(0).integers(0, 255, (B, T, D)).astype(np.uint8)
    weights = {
        "w": np.random.default_rng(1).integers(-127, 127, (D, 3 * D)).astype(np.int8),
        "b": random(3 * D),
        "sx": np.array(0.02, np.float32),
        "sw": np.array(0.005, np.float32),
        "zx": np.array(120, np.uint8),
        "zw": np.array(0, np.int8),
    }
    operands = ["x", "w", "b", "sx", "sw", "m", "zx", "zw"]
    made = node("QAttention", operands, ["y"], name="attend", domain=MICROSOFT, num_heads=N)
    inputs = [("x", onnx.TensorProto.UINT8, ["b", "t", D]), ("m", INT32, ["b", "t"])]
    model = opened(build([made], inputs, [("y", FLOAT, None)], weights), tmp_path)
    assert not weights_of(model.trace({"x": quantised, "m": PREFIX}))[1, :, :, 4:].any()


class TestMultiHead:
    FEEDS = {"q": random(B, T, D), "k": random(B, S, D, seed=1), "v": random(B, S, D, seed=2)}  # noqa: RUF012

    def trace(self, folder: Path, extra: Feeds, operands: list[str], **attributes: Any) -> Trace:
        feeds = self.FEEDS | dict(extra)
        made = node("MultiHeadAttention", operands, ["y"], name="attend", domain=MICROSOFT, num_heads=N, **attributes)
        return model_of(made, feeds, {"b": random(3 * D, seed=3)}, folder).trace(feeds)

    def test_plain(self, tmp_path: Path) -> None:
        trace = self.trace(tmp_path, {}, ["q", "k", "v"])
        value = self.FEEDS["v"].reshape(B, S, N, -1).swapaxes(1, 2)
        np.testing.assert_allclose(merged(weights_of(trace) @ value), trace.outputs["y"], atol=1e-5)

    @pytest.mark.parametrize("rank", [1, 2, 3])
    def test_every_rank_of_mask(self, rank: int, tmp_path: Path) -> None:
        kept = (np.arange(S) < np.array([[9], [5]])).astype(np.int32)
        mask = {1: np.array([9, 5], np.int32), 2: kept, 3: np.repeat(kept[:, None], T, axis=1)}[rank]
        weights = weights_of(self.trace(tmp_path, {"m": mask}, ["q", "k", "v", "b", "m"]))
        assert not weights[1, :, :, 5:].any()

    def test_an_additive_bias(self, tmp_path: Path) -> None:
        weights_of(self.trace(tmp_path, {"r": random(B, N, T, S)}, ["q", "k", "v", "", "", "r"]))

    def test_heads_first(self, tmp_path: Path) -> None:
        extra = {name: random(B, N, S, D // N, seed=seed) for seed, name in enumerate("kv")}
        weights_of(self.trace(tmp_path, extra, ["q", "k", "v"]))


class TestStandard:
    FEEDS = {"q": random(B, N, T, 8), "k": random(B, 2, S, 8, seed=1), "v": random(B, 2, S, 5, seed=2)}  # noqa: RUF012

    def trace(self, folder: Path, opset: int, extra: Feeds, operands: list[str], **attributes: Any) -> Trace:
        feeds = self.FEEDS | dict(extra)
        outputs = ["y", "ok", "ov"] if "pk" in operands else ["y"]
        made = node("Attention", operands, outputs, name="attend", **attributes)
        return model_of(made, feeds, {}, folder, opset).trace(feeds)

    @pytest.mark.parametrize("opset", [23, 24])
    def test_plain(self, opset: int, tmp_path: Path) -> None:
        trace = self.trace(tmp_path, opset, {}, ["q", "k", "v"])
        value = np.repeat(self.FEEDS["v"], 2, axis=1)
        np.testing.assert_allclose(weights_of(trace) @ value, trace.outputs["y"], atol=1e-5)

    @pytest.mark.parametrize("opset", [23, 24])
    def test_causal(self, opset: int, tmp_path: Path) -> None:
        assert not np.triu(weights_of(self.trace(tmp_path, opset, {}, ["q", "k", "v"], is_causal=1)), 1).any()

    @pytest.mark.parametrize("opset", [23, 24])
    def test_masks(self, opset: int, tmp_path: Path) -> None:
        kept = np.random.default_rng(3).random((B, 1, T, S)) > 0.4
        weights = weights_of(self.trace(tmp_path, opset, {"m": kept}, ["q", "k", "v", "m"]))
        assert not weights[np.broadcast_to(~kept, weights.shape)].any()
        weights_of(self.trace(tmp_path, opset, {"m": random(T, S)}, ["q", "k", "v", "m"], scale=0.3))

    def test_a_query_that_sees_nothing(self, tmp_path: Path) -> None:
        kept = np.ones((B, 1, T, S), bool)
        kept[1, 0, 2] = False
        trace = self.trace(tmp_path, 23, {"m": kept}, ["q", "k", "v", "m"])
        assert set(trace.attention) == {"attend"}
        assert np.isfinite(trace.attention["attend"]).all()

    def test_a_past(self, tmp_path: Path) -> None:
        past = {"pk": random(B, 2, 3, 8, seed=5), "pv": random(B, 2, 3, 5, seed=6)}
        assert (
            weights_of(self.trace(tmp_path, 23, past, ["q", "k", "v", "", "pk", "pv"], is_causal=1)).shape[-1] == S + 3
        )

    def test_lengths(self, tmp_path: Path) -> None:
        lengths = np.array([9, 4])
        weights = weights_of(self.trace(tmp_path, 24, {"n": lengths}, ["q", "k", "v", "", "", "", "n"]))
        assert not weights[1, :, :, 4:].any()

    def test_softcap_is_left_out(self, tmp_path: Path) -> None:
        assert not self.trace(tmp_path, 23, {}, ["q", "k", "v"], softcap=2.0).attention

    def test_half_precision(self, tmp_path: Path) -> None:
        feeds = {name: value.astype(np.float16) for name, value in self.FEEDS.items()}
        made = node("Attention", ["q", "k", "v"], ["y"], name="attend")
        trace = model_of(made, feeds, {}, tmp_path, 23).trace(feeds)
        assert set(trace.attention) == {"attend"}


@pytest.mark.parametrize("rotary", [0, 1])
@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("past", [0, 3])
def test_grouped_query_attention(rotary: int, interleaved: int, past: int, tmp_path: Path) -> None:
    width, length = 16, 1 if past else T
    feeds = {
        "q": random(B, length, N * width),
        "k": random(B, length, 2 * width, seed=1),
        "v": random(B, length, 2 * width, seed=2),
        "pk": random(B, 2, past, width, seed=3),
        "pv": random(B, 2, past, width, seed=4),
        "lengths": np.array([past + length - 1, past + length - 1] if past else [5, 3], np.int32),
        "total": np.array(past + length, np.int32),
    }
    angles = np.outer(np.arange(16), 1 / 10000 ** (np.arange(8) / 8))
    weights = {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    operands = [*feeds, *(("cos", "sin") if rotary else ())]
    settings = {"num_heads": N, "kv_num_heads": 2, "do_rotary": rotary, "rotary_interleaved": interleaved}
    made = node("GroupQueryAttention", operands, ["y", "ok", "ov"], name="attend", domain=MICROSOFT, **settings)
    model = model_of(made, feeds, weights, tmp_path)
    attention = weights_of(model.trace(feeds))
    if not past:
        assert not np.triu(attention, 1).any()
    assert ("lengths", UseKind.LENGTHS) in {(use.input, use.kind) for use in model.uses}


class TestWhatIsSaidOfThem:
    def model(self, folder: Path, mask: np.ndarray | None, **attributes: Any) -> OnnxModel:
        feeds = {"x": random(B, T, D)} | ({} if mask is None else {"m": mask})
        operands = ["x", "w", "b", *(["m"] if mask is not None else [])]
        made = node("Attention", operands, ["y"], name="attend", domain=MICROSOFT, num_heads=N, **attributes)
        return model_of(made, feeds, TestContribAttention.WEIGHTS, folder)

    @staticmethod
    def kinds(facts: tuple[StaticFact, ...]) -> set[str]:
        return {fact.kind for fact in facts}

    def test_a_mask(self, tmp_path: Path) -> None:
        model = self.model(tmp_path, PREFIX)
        use = next(use for use in model.uses if use.input == "m")
        assert (use.kind, use.value, use.operator) == (UseKind.MASK, 2, "com.microsoft.Attention")
        site = model.sites[0]
        assert site.kind is Kind.ATTENTION
        assert isinstance(site.settings, Attention)
        assert (site.settings.mask, site.settings.fill, site.settings.causal) == ("m", -10000.0, False)
        assert not self.kinds(model.info.static)

    def test_none(self, tmp_path: Path) -> None:
        model = self.model(tmp_path, None)
        told = model.sites[0].settings
        assert isinstance(told, Attention)
        assert not told.has_mask
        assert self.kinds(model.info.static) == {"attention-without-mask"}

    def test_a_vector(self, tmp_path: Path) -> None:
        assert self.kinds(self.model(tmp_path, np.array([6, 4], np.int32)).info.static) == {"mask-index"}

    def test_a_weak_fill(self, tmp_path: Path) -> None:
        assert self.kinds(self.model(tmp_path, PREFIX, mask_filter_value=-20.0).info.static) == {"weak-fill"}
