"""Graphs written by hand, with the names that exporters give to nodes, and modules that go through an exporter."""

from __future__ import annotations

import contextlib
import io
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, checker, helper, numpy_helper, save
from torch import Tensor, nn

from evaluation import exporting

TYPES = {
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "float32": TensorProto.FLOAT,
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
}
Shape = Sequence[str | int]


class Graph:
    """Collects nodes and weights, and writes them as a file. Every method that adds a node returns its output."""

    def __init__(self, seed: str, name: str = "main_graph", opset: int = 17) -> None:
        self.name, self.opset = name, opset
        self.drawn = np.random.default_rng(zlib.crc32(seed.encode()))
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, name: str, dtype: str, *shape: str | int) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], list(shape)))
        return name

    def output(self, name: str, dtype: str, *shape: str | int) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[dtype], list(shape)))

    def const(self, name: str, value: Any, dtype: str = "int64") -> str:
        if name not in self.weights:
            self.weights[name] = numpy_helper.from_array(np.asarray(value, dtype=dtype), name)
        return name

    def weight(self, name: str, *shape: int, scale: float | None = None, around: float = 0.0) -> str:
        """A matrix as training leaves it, or with ``scale`` a bias, a gain, a table."""
        spread = scale if scale is not None else 1.2 / np.sqrt(shape[0])
        return self.const(name, around + self.drawn.standard_normal(shape) * spread, "float32")

    def node(
        self, op: str, inputs: Sequence[str], name: str, outputs: int | Sequence[str] = 1, domain: str = "", **told: Any
    ) -> Any:
        if isinstance(outputs, int):
            outputs = [f"{name}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), list(outputs), name=name, domain=domain, **told))
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def linear(self, x: str, name: str, width: int, out: int) -> str:
        key = name.strip("/").replace("/", ".")
        found = self.node("MatMul", [x, self.weight(f"{key}.weight", width, out)], f"{name}/MatMul")
        return str(self.node("Add", [found, self.weight(f"{key}.bias", out, scale=0.2)], f"{name}/Add"))

    def norm(self, x: str, name: str, width: int) -> str:
        key = name.strip("/").replace("/", ".")
        gain = self.weight(f"{key}.weight", width, scale=0.2, around=1.0)
        bias = self.weight(f"{key}.bias", width, scale=0.2)
        if self.opset < 17:
            return self._old_norm(x, name, gain, bias)
        return str(self.node("LayerNormalization", [x, gain, bias], f"{name}/LayerNormalization", axis=-1))

    def _old_norm(self, x: str, name: str, gain: str, bias: str) -> str:
        """As exporters wrote it before there was an operator."""
        mean = self.node("ReduceMean", [x], f"{name}/ReduceMean", axes=[-1])
        off = self.node("Sub", [x, mean], f"{name}/Sub")
        square = self.node("Pow", [off, self.const("norm_two", 2, "float32")], f"{name}/Pow")
        spread = self.node("ReduceMean", [square], f"{name}/ReduceMean_1", axes=[-1])
        more = self.node("Add", [spread, self.const("norm_eps", 1e-5, "float32")], f"{name}/Add")
        found = self.node("Div", [off, self.node("Sqrt", [more], f"{name}/Sqrt")], f"{name}/Div")
        return str(self.node("Add", [self.node("Mul", [found, gain], f"{name}/Mul"), bias], f"{name}/Add_1"))

    def feed_forward(self, x: str, name: str, width: int) -> str:
        inner = self.linear(x, f"{name}/intermediate/dense", width, 2 * width)
        active = self.node("Relu", [inner], f"{name}/intermediate/Relu")
        back = self.linear(active, f"{name}/output/dense", 2 * width, width)
        return self.norm(self.node("Add", [back, x], f"{name}/output/Add"), f"{name}/output/LayerNorm", width)

    def embedding(self, tokens: str, name: str, vocab: int, width: int) -> str:
        key = name.strip("/").replace("/", ".")
        return str(
            self.node("Gather", [self.weight(f"{key}.weight", vocab, width, scale=1.0), tokens], f"{name}/Gather")
        )

    def cast(self, x: str, name: str, dtype: str) -> str:
        return str(self.node("Cast", [x], name, to=TYPES[dtype]))

    def body(self, name: str) -> Any:
        """As the body of a Loop or a Scan."""
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, list(self.weights.values()))

    def save(self, path: Path, opset: int = 0, ms: bool = False, producer: str = "pytorch", ir: int = 9) -> None:
        """Write the file, with the operators of onnxruntime where ``ms``."""
        opsets = [helper.make_opsetid("", opset or self.opset)] + [helper.make_opsetid("com.microsoft", 1)] * ms
        model = helper.make_model(
            self.body(self.name), opset_imports=opsets, ir_version=ir, producer_name=producer, producer_version="2.1.0"
        )
        if not ms:
            checker.check_model(model)
        save(model, str(path))


FILL = -1e9


class Attention(nn.Module):
    """Plain attention; ``bias`` is added to the scores."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], -1, self.heads, self.size).transpose(1, 2)

    def forward(self, x: Tensor, bias: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        memory = x if memory is None else memory
        q, k, v = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        scores = q @ k.transpose(-1, -2) / self.size**0.5
        if bias is not None:
            scores = scores + bias
        mixed = (scores.softmax(-1) @ v).transpose(1, 2)
        return self.out(mixed.reshape(x.shape[0], -1, self.heads * self.size))


class FusedAttention(Attention):
    """The same by torch's own function, as newer models have it."""

    def forward(
        self, x: Tensor, bias: Tensor | None = None, memory: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        memory = x if memory is None else memory
        q, k, v = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal)
        return self.out(mixed.transpose(1, 2).reshape(x.shape[0], -1, self.heads * self.size))


class Block(nn.Module):
    def __init__(self, width: int, heads: int = 2, kind: type[Attention] = Attention) -> None:
        super().__init__()
        self.attention = kind(width, heads)
        self.norm, self.final_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ffn = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, bias: Tensor | None = None, **told: Any) -> Tensor:
        x = self.norm(x + self.attention(x, bias, **told))
        return self.final_norm(x + self.ffn(x))


class Embeddings(nn.Module):
    """Words and places."""

    def __init__(self, vocab: int, width: int, longest: int = 64) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab, width)
        self.position_embeddings = nn.Embedding(longest, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.word_embeddings(ids) + self.position_embeddings(places))


def trained(name: str, module: nn.Module) -> nn.Module:
    """With weights that do not depend on what was built before, and norms and biases as training leaves them."""
    seeded = torch.Generator().manual_seed(zlib.crc32(name.encode()) % 100_000)
    tables = {id(found.weight) for found in module.modules() if isinstance(found, nn.Embedding)}
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = torch.randn(parameter.shape, generator=seeded)
            if parameter.ndim == 1:
                parameter.copy_(drawn * 0.2 + bool((parameter == 1).all()))
            else:
                wide = 1.0 if id(parameter) in tables else 1.2 / (parameter.numel() / parameter.shape[0]) ** 0.5
                parameter.copy_(drawn * wide)
        for key, buffer in module.named_buffers():
            if key.endswith("running_mean"):
                buffer += torch.randn(buffer.shape, generator=seeded) * 0.3
            elif key.endswith("running_var"):
                buffer += torch.rand(buffer.shape, generator=seeded)
    return module.eval()


def bias_of(real: Tensor, fill: float = FILL) -> Tensor:
    """What hides the keys that are not real."""
    return (1.0 - real[:, None, None, :].float()) * fill


def real_of(lengths: Tensor, total: Any) -> Tensor:
    return torch.arange(total)[None, :] < lengths[:, None]


def legacy(
    module: nn.Module,
    example: Mapping[str, Tensor],
    axes: Mapping[str, Any] | None,
    path: Path,
    opset: int = 17,
    outputs: Sequence[str] = ("logits",),
    **told: Any,
) -> None:
    """By the exporter that traces."""
    with quiet():
        torch.onnx.export(
            module,
            tuple(example.values()),
            str(path),
            dynamo=False,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_axes=None if axes is None else dict(axes),
            opset_version=opset,
            **told,
        )


def dynamo(
    module: nn.Module, example: Mapping[str, Tensor], shapes: Mapping[str, Any] | None, path: Path, **told: Any
) -> None:
    """By the exporter of newer torch."""
    with quiet():
        exporting.export(module, example, shapes, path, **{"output_names": None, "external_data": False, **told})


class quiet(contextlib.ExitStack):
    def __enter__(self) -> quiet:
        super().__enter__()
        self.enter_context(contextlib.redirect_stdout(io.StringIO()))
        self.enter_context(contextlib.redirect_stderr(io.StringIO()))
        self.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        return self


def tokens(*shape: int, seed: int = 0, vocab: int = 40) -> Tensor:
    return torch.randint(1, vocab, shape, generator=torch.Generator().manual_seed(seed))


def frames(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
