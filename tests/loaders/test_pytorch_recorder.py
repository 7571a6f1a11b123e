"""The recorder: sites and keys, views and writes in place, patches, sizes, fused calls, packed sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from maskcheck.core.errors import RunError
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import Attention, Direction, Recurrence, Softmax
from maskcheck.loaders.pytorch.model import TorchModel


def site(trace: Trace, part: str) -> Site:
    return next(s for s in trace.sites if part in s.name)


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def model(function: Callable[..., Any], *examples: Tensor) -> TorchModel:
    return TorchModel(function, examples)


def frames(length: int = 5) -> Tensor:
    return torch.from_numpy(array(2, length, 4))


def test_sites_know_module_class_and_line() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.project(x).softmax(-1)  # the line

    opened = TorchModel(nn.Sequential(nn.Tanh(), Head()), (frames(),))
    trace = opened.trace({"input": array(2, 5, 4)})
    linear, softmax = site(trace, "linear"), site(trace, "softmax")
    assert (linear.module, linear.module_class, linear.kind) == ("1.project", "Linear", Kind.MATMUL)
    assert (softmax.module, softmax.module_class, softmax.settings) == ("1", "Head", Softmax(axis=-1))
    assert softmax.source is not None
    assert softmax.source.file == __file__
    assert softmax.source.text == "return self.project(x).softmax(-1)  # the line"
    assert "1.project.weight" in linear.inputs
    assert "1.project.weight" in trace.constants


def test_keys_align_when_control_flow_differs() -> None:
    def steps(x: Tensor) -> Tensor:
        state = x[:, 0]
        if x.shape[1] > 5:
            state = state + 1.0
        for t in range(x.shape[1]):
            state = torch.tanh(state + x[:, t])
        return state

    opened = model(steps, frames())
    short, long = (opened.trace({"x": array(2, n, 4)}) for n in (5, 7))
    shared = set(short.tensors) & set(long.tensors)
    tanh = [s for s in short.sites if s.operator == "aten.tanh"]
    assert len(tanh) == 5
    assert {s.name for s in tanh} <= shared
    # The addition before the loop exists in one run only and does not shift those inside it.
    inside = {s.name for s in short.sites if s.operator == "aten.add"}
    assert inside <= {s.name for s in long.sites}
    assert len([s for s in long.sites if s.operator == "aten.add"]) == 8


def test_a_write_through_a_view_reaches_the_whole() -> None:
    def write(x: Tensor) -> Tensor:
        whole = torch.zeros_like(x)
        whole[:, 0] = x[:, 1]
        return whole * 2

    trace = model(write, frames()).trace({"x": array(2, 5, 4)})
    makers = {key: s for s in trace.sites for key in s.outputs}
    product = site(trace, "mul")
    assembled = makers[product.inputs[0]]
    assert assembled.kind is Kind.CONCATENATE
    assert assembled.outputs[0] not in trace.shape_only
    assert np.array_equal(trace.tensors[assembled.outputs[0]][:, 0], array(2, 5, 4)[:, 1])
    assert not trace.tensors[site(trace, "zeros_like").outputs[0]].any(), "what stood there before the write is kept"


def test_in_place_operators_make_new_versions() -> None:
    def change(x: Tensor) -> Tensor:
        y = x * 2
        z = y + 1
        y.add_(10)
        return y + z

    x = array(2, 5, 4)
    trace = model(change, frames()).trace({"x": x})
    added = [s for s in trace.sites if s.operator == "aten.add"]
    product = site(trace, "mul").outputs[0]
    assert [s.inputs[0] for s in added] == [product, product, added[1].outputs[0]]
    assert np.allclose(trace.tensors[site(trace, "mul").outputs[0]], x * 2)
    assert np.allclose(trace.outputs["output"], x * 4 + 11)


def test_feeds_are_never_changed() -> None:
    def change(x: Tensor) -> Tensor:
        return x.add_(1)

    x = array(2, 5, 4)
    opened = model(change, frames())
    opened.run({"x": x})
    opened.trace({"x": x})
    assert np.array_equal(x, array(2, 5, 4))


@pytest.mark.parametrize("in_place", [False, True])
def test_patches_are_read_and_what_was_computed_is_recorded(in_place: bool) -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 1.0
        y = y.relu_() if in_place else y.relu()
        return y.unsqueeze(1) + y.view(2, 1, 5, 4)

    x = array(2, 5, 4)
    opened = model(function, frames())
    plain = opened.trace({"x": x})
    key = site(plain, "relu").outputs[0]
    patched = opened.trace({"x": x}, patches={key: np.full((2, 5, 4), 3.0, np.float32)})
    assert np.array_equal(patched.tensors[key], plain.tensors[key])
    assert np.all(patched.outputs["output"] == 6.0)


def test_patches_of_views_and_inputs() -> None:
    def function(x: Tensor) -> Tensor:
        return x.transpose(1, 2).sum(1) + x.mean(2)

    x = array(2, 5, 4)
    opened = model(function, frames())
    key = site(opened.trace({"x": x}), "transpose").outputs[0]
    moved = opened.trace({"x": x}, patches={key: np.zeros((2, 4, 5), np.float32)}, record=())
    assert np.allclose(moved.outputs["output"], x.mean(2), atol=1e-6)
    assert set(moved.tensors) == {"x", "output"}
    inputs = opened.trace({"x": x}, patches={"x": np.zeros((2, 5, 4), np.float32)})
    assert not inputs.outputs["output"].any()
    assert np.array_equal(inputs.tensors["x"], x)


def test_sizes_are_told_from_content() -> None:
    def function(x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1])
        return (x + positions.float()[None, :, None]).sum(1) / x.shape[1] * 0.5

    opened = model(function, frames())
    for length in (5, 7):
        trace = opened.trace({"x": array(2, length, 4)})
    divided, halved = site(trace, "div"), site(trace, "mul")
    assert site(trace, "arange").outputs[0] in trace.shape_only
    assert divided.inputs[1] in trace.shape_only
    assert halved.inputs[1] in trace.constants
    assert divided.outputs[0] not in trace.shape_only


def test_position_tables_sliced_by_the_length_are_sizes() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("ids", torch.arange(40))
            self.table = nn.Embedding(40, 4)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.table(self.ids[: x.shape[1]])

    opened = TorchModel(Positions(), (frames(),))
    for length in (5, 7):
        trace = opened.trace({"x": array(2, length, 4)})
    assert site(trace, "embedding").outputs[0] in trace.shape_only


@pytest.mark.parametrize("causal", [False, True])
def test_fused_attention_keeps_its_weights(causal: bool) -> None:
    def attend(x: Tensor, mask: Tensor) -> Tensor:
        heads = x.unsqueeze(1)
        allowed = None if causal else (mask != 0)[:, None, None, :]
        return nn.functional.scaled_dot_product_attention(heads, heads, heads, attn_mask=allowed, is_causal=causal)

    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    opened = model(attend, frames(), torch.ones(2, 5, dtype=torch.int64))
    trace = opened.trace({"x": array(2, 5, 4), "mask": mask})
    fused = site(trace, "scaled_dot")
    weights = trace.attention[fused.name]
    assert fused.kind is Kind.ATTENTION
    assert isinstance(fused.settings, Attention) and fused.settings.has_mask is not causal
    assert weights.shape == (2, 1, 5, 5)
    assert np.allclose(weights @ array(2, 5, 4)[:, None], trace.outputs["output"], atol=1e-5)
    if not causal:
        assert not weights[1, :, :, 3:].any()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("packed", [False, True])
def test_recurrent_networks_are_one_site(kind: type[nn.RNNBase], packed: bool) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kind(4, 3, batch_first=True, bidirectional=True)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            if not packed:
                return self.rnn(x)[0] * lengths[:, None, None]
            rows = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return nn.utils.rnn.pad_packed_sequence(self.rnn(rows)[0], batch_first=True)[0]

    opened = TorchModel(Network(), (frames(), torch.tensor([5, 3])))
    trace = opened.trace({"x": array(2, 5, 4), "lengths": np.array([3, 5])})
    found = [s for s in trace.sites if s.kind is Kind.RECURRENT]
    assert len(found) == 1
    told = found[0].settings
    assert isinstance(told, Recurrence) and told.direction is Direction.BIDIRECTIONAL
    assert told.knows_lengths is packed
    assert any(u.input == "lengths" and u.kind == "lengths" for u in opened.uses) is packed
    assert any(f.kind == "no-sequence-lens" for f in opened.info.static) is not packed


def test_repeated_calls_of_one_module_are_told_apart() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                x = self.layer(x)
            return x

    trace = TorchModel(Shared(), (frames(),)).trace({"x": array(2, 5, 4)})
    names = [s.name for s in trace.sites if s.operator == "aten.linear"]
    assert len(set(names)) == 3
    assert {s.module for s in trace.sites if s.operator == "aten.linear"} == {"layer"}


def test_nothing_stays_behind() -> None:
    from torch.nn.modules import module as hooks

    before = torch.backends.mha.get_fastpath_enabled()
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 4)).train()
    opened = TorchModel(network, (frames(),))
    opened.trace({"input": array(2, 5, 4)})
    with pytest.raises(RunError):
        opened.trace({"input": array(2, 5, 3)})
    opened.close()
    assert network.training
    assert network[0].training
    assert not hooks._global_forward_hooks
    assert not hooks._global_forward_pre_hooks
    assert torch.backends.mha.get_fastpath_enabled() is before


def test_half_precision_and_complex_values_travel() -> None:
    def mix(x: Tensor) -> Tensor:
        return torch.fft.fft(x, dim=1).real.bfloat16() * 2

    opened = model(mix, frames())
    trace = opened.trace({"x": array(2, 5, 4)})
    key = site(trace, "fft").outputs[0]
    assert trace.tensors[key].shape[-1] == 2
    assert trace.outputs["output"].dtype == np.float32
    again = opened.trace({"x": array(2, 5, 4)}, patches={key: np.zeros_like(trace.tensors[key])})
    assert not again.outputs["output"].any()
