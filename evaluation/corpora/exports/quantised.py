"""What quantisers leave: scales taken from all that is in a batch, and masks clipped by a calibration."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from torch import Tensor, nn

from evaluation.corpora.exports.fused import Fusible, optimised
from evaluation.corpora.exports.graph import (
    Attention,
    Block,
    Embeddings,
    bias_of,
    frames,
    legacy,
    quiet,
    real_of,
    tokens,
    trained,
)
from evaluation.corpora.exports.registry import export, feats, ids, lengths, mask, nowhere, of_type

SCALES = "DynamicQuantizeLinear"


def from_float(write: Callable[[Path], None], change: Callable[[Path, Path], None], path: Path) -> None:
    """A file of floats, and what a quantiser makes of it."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        plain = Path(folder) / "model.onnx"
        write(plain)
        change(plain, path)


def dynamic(plain: Path, path: Path, *ops: str, **told: Any) -> None:
    """Shapes of what was fused are unknown to ONNX: the quantiser is told that they are floats."""
    told = {"weight_type": QuantType.QInt8, "extra_options": {"DefaultTensorType": onnx.TensorProto.FLOAT}, **told}
    quantize_dynamic(str(plain), str(path), op_types_to_quantize=list(ops) or None, **told)


def weights_only(plain: Path, path: Path) -> None:
    """Weights in four bits, activations as they are."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    made = MatMulNBitsQuantizer(onnx.load(str(plain)), block_size=32, is_symmetric=True)
    made.process()
    made.model.save_model_to_file(str(path))


class Given(CalibrationDataReader):
    """Examples for a calibration, one after the other."""

    def __init__(self, examples: Iterator[Mapping[str, Any]]) -> None:
        self.examples = examples

    def get_next(self) -> Any:
        return next(self.examples, None)


def text_examples(padded: bool, real: str = "attention_mask") -> Iterator[dict[str, Any]]:
    for seed in range(12):
        drawn = np.random.default_rng(900 + seed)
        size, pads = 4 + seed % 6, 3 if padded else 0
        words = np.zeros((2, size + pads), np.int64)
        words[:, :size] = drawn.integers(1, 40, (2, size))
        yield {"input_ids": words, real: (words > 0).astype(np.int64)}


def speech_examples(padded: bool) -> Iterator[dict[str, Any]]:
    for seed in range(12):
        drawn = np.random.default_rng(700 + seed)
        size = 4 + seed % 6
        x = drawn.standard_normal((2, size + 3 * padded, 12)).astype(np.float32)
        yield {"speech": x, "speech_lengths": np.full(2, size, np.int64)}


def static(
    examples: Iterator[Mapping[str, Any]],
    plain: Path,
    path: Path,
    *ops: str,
    style: QuantFormat = QuantFormat.QDQ,
    spared: Callable[[Any], set[str]] = nowhere,
    **told: Any,
) -> None:
    """Calibrated by examples; nodes that are ``spared`` stay as they are."""
    quantize_static(
        str(plain),
        str(path),
        Given(examples),
        quant_format=style,
        op_types_to_quantize=list(ops) or None,
        nodes_to_exclude=sorted(spared(onnx.load(str(plain)))),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        **told,
    )


# --- the models


class Text(nn.Module):
    """Token answers."""

    def __init__(self, fill: float = -1e9) -> None:
        super().__init__()
        self.fill = fill
        self.embeddings, self.layer = Embeddings(40, 32), Block(32, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.layer(self.embeddings(input_ids), bias_of(attention_mask, self.fill))


class Classifier(Text):
    """One answer, from the first token."""

    def __init__(self, fill: float = -1e9) -> None:
        super().__init__(fill)
        self.classifier = nn.Linear(32, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(super().forward(input_ids, attention_mask)[:, 0])


class Filled(nn.Module):
    """A mask by ``masked_fill``, and a mean over the real tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings, self.inner = Embeddings(40, 32), Attention(32, 4)
        self.norm = nn.LayerNorm(32)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x, a = self.embeddings(input_ids), self.inner
        q, k, v = a.split(a.query(x)), a.split(a.key(x)), a.split(a.value(x))
        scores = (q @ k.transpose(-1, -2) / 8).masked_fill(attention_mask[:, None, None, :] == 0, -1e4)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape[0], -1, 32)
        weight = attention_mask.unsqueeze(-1).float()
        return (self.norm(x + a.out(mixed)) * weight).sum(1) / weight.sum(1)


class Speech(nn.Module):
    """Frames, and one answer."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.block, self.out = nn.Linear(12, 32), Block(32, 2), nn.Linear(32, 5)

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> Tensor:
        real = real_of(speech_lengths, speech.shape[1])
        x = self.block(self.project(speech), bias_of(real))
        weight = real.unsqueeze(-1).float()
        return self.out((x * weight).sum(1) / weight.sum(1))


class Spotter(nn.Module):
    """Convolutions over blanked frames, and the largest of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(10, 24, 3, padding=1), nn.Conv1d(24, 24, 3, padding=1)
        self.out = nn.Linear(24, 6)

    def forward(self, mfcc: Tensor, length: Tensor) -> Tensor:
        real = real_of(length, mfcc.shape[2]).unsqueeze(1).float()
        x = self.conv1(mfcc * real).relu()
        x = self.conv2(x * real).relu()
        return self.out((x * real).amax(2, keepdim=True).transpose(1, 2))[:, 0]


class Recurrent(nn.Module):
    """A tagger in one direction."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm, self.tag = nn.Embedding(40, 32), nn.LSTM(32, 32, batch_first=True), nn.Linear(32, 6)

    def forward(self, words: Tensor) -> Tensor:
        return self.tag(self.lstm(self.embed(words))[0])


def text(model: nn.Module, free: bool = True, opset: int = 14) -> Callable[[Path], None]:
    seen = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
    example = {"input_ids": tokens(2, 7), "attention_mask": seen}
    axes = {name: {0: "batch", 1: "sequence"} if free else {1: "sequence"} for name in example}
    if not free:
        example = {name: x[:1] for name, x in example.items()}
    answer = (
        {0: "batch"} if not isinstance(model, Text) or isinstance(model, Classifier) else {0: "batch", 1: "sequence"}
    )
    if not free:
        answer = {}
    name = type(model).__name__
    return lambda path: legacy(trained(name, model), example, {**axes, "output": answer}, path, opset, ("output",))


def speech(opset: int = 14) -> Callable[[Path], None]:
    example = {"speech": frames(2, 8, 12), "speech_lengths": torch.tensor([8, 6])}
    axes = {"speech": {0: "B", 1: "T"}, "speech_lengths": {0: "B"}, "logits": {0: "B"}}
    return lambda path: legacy(trained("speech", Speech()), example, axes, path, opset)


def mask_adds(model: Any) -> set[str]:
    """The Add of the mask to the scores, and what makes the mask."""
    return {
        node.name
        for node in model.graph.node
        if node.name.endswith("/attention/Add")
        or (node.op_type in ("Mul", "Sub", "Where") and node.name.count("/") == 1)
    }


def clipped(model: Any) -> set[str]:
    """The quantiser of the masked scores: what goes into a Softmax, two nodes further up."""
    made = {name: node for node in model.graph.node for name in node.output}
    found = set()
    for node in model.graph.node:
        if node.op_type == "Softmax" and node.input[0] in made:
            before = made[node.input[0]]
            if before.op_type == "DequantizeLinear" and before.input[0] in made:
                found.add(made[before.input[0]].name)
    return found


TEXT_INPUTS: dict[str, Any] = {"input_ids": ids("batch", "time"), "attention_mask": mask("batch", "time")}
SPEECH_INPUTS: dict[str, Any] = {"speech": feats("batch", "time", 12), "speech_lengths": lengths()}


# --- scales of the moment


@export("ORT-07", "text encoder, token answers", of_type(SCALES, at=0), also=of_type(SCALES), int8=True, **TEXT_INPUTS)
def encoder_quantised_dynamically(mended: bool, path: Path) -> None:
    """One scale for all that is in the batch, pads too; mended, only the tables are quantised."""
    from_float(text(Text()), lambda plain, to: dynamic(plain, to, *(["Gather"] if mended else [])), path)


@export(
    "ORT-07",
    "speech classifier, pooled answer",
    of_type(SCALES, at=0),
    also=of_type(SCALES),
    int8=True,
    **SPEECH_INPUTS,
)
def speech_quantised_dynamically(mended: bool, path: Path) -> None:
    """The scale of the frames is that of the loudest pad; mended, only the weights have few bits."""
    from_float(speech(), weights_only if mended else dynamic, path)


@export("QNT-01", "text encoder, token answers", of_type(SCALES, at=0), also=of_type(SCALES), int8=True, **TEXT_INPUTS)
def fused_encoder_quantised_dynamically(mended: bool, path: Path) -> None:
    """Fused first, so that attention became QAttention behind a scale of the moment; mended, weights have few bits."""

    def write(plain: Path) -> None:
        optimised(trained("fusible", Fusible()), plain, True, 14)

    def change(plain: Path, to: Path) -> None:
        if mended:
            weights_only(plain, to)
        else:
            dynamic(plain, to, "Attention", "MatMul")

    from_float(write, change, path)


@export(
    "QNT-01",
    "convolutional keyword spotter, time last",
    of_type(SCALES, at=0),
    also=of_type(SCALES),
    int8=True,
    mfcc=feats("batch", 10, "time"),
    length=lengths(),
)
def spotter_quantised_dynamically(mended: bool, path: Path) -> None:
    """Pads are blanked, but rows of a batch share one scale; mended, only weights are quantised, those of the head."""
    example = {"mfcc": frames(2, 10, 9), "length": torch.tensor([9, 7])}
    axes = {"mfcc": {0: "N", 2: "frames"}, "length": {0: "N"}, "scores": {0: "N"}}

    def write(plain: Path) -> None:
        legacy(trained("spotter", Spotter()), example, axes, plain, 13, ("scores",))

    def change(plain: Path, to: Path) -> None:
        if mended:
            weights_only(plain, to)
        else:
            quantize_dynamic(str(plain), str(to), op_types_to_quantize=["Conv"], weight_type=QuantType.QUInt8)

    from_float(write, change, path)


@export(
    "QNT-01",
    "recurrent tagger, token answers",
    of_type("DynamicQuantizeLSTM"),
    int8=True,
    words=ids("batch", "time"),
)
def tagger_quantised_dynamically(mended: bool, path: Path) -> None:
    """The quantised LSTM takes one scale for all steps and rows; forward only, so that in floats it is sound."""
    axes = {name: {0: "batch", 1: "sequence"} for name in ("words", "tags")}

    def write(plain: Path) -> None:
        legacy(trained("recurrent", Recurrent()), {"words": tokens(2, 7)}, axes, plain, 14, ("tags",))

    from_float(write, lambda plain, to: dynamic(plain, to, "Gather" if mended else "LSTM"), path)


@export("ORT-07", "sentence embedder of one row", nowhere, harmless=True, int8=True, held={"batch": 1}, **TEXT_INPUTS)
def head_quantised_dynamically_for_one_row(mended: bool, path: Path) -> None:
    """A scale of the moment behind the first token of the only row: there is nothing else that it could see."""

    def change(plain: Path, to: Path) -> None:
        names = [n.name for n in onnx.load(str(plain)).graph.node if n.name.startswith("/classifier")]
        if mended:
            dynamic(plain, to, "Gather")
        else:
            dynamic(plain, to, "MatMul", nodes_to_quantize=[f"{name}_MatMul" for name in names])

    from_float(text(Classifier(), free=False), change, path)


# --- calibrated


@export("QNT-03", "text encoder, token answers", of_type("Softmax"), cause=clipped, int8=True, **TEXT_INPUTS)
def encoder_calibrated_without_pads(mended: bool, path: Path) -> None:
    """The calibration saw no pads, so that the masked scores are clipped to the range of the others."""
    spared = mask_adds if mended else nowhere
    from_float(text(Text()), lambda a, b: static(text_examples(False), a, b, "MatMul", "Add", spared=spared), path)


@export("QNT-03", "speech classifier, pooled answer", of_type("Softmax"), cause=clipped, int8=True, **SPEECH_INPUTS)
def speech_calibrated_without_pads(mended: bool, path: Path) -> None:
    """The same in the older format, where the Add became one of integers."""
    spared = mask_adds if mended else nowhere
    how: dict[str, Any] = {"style": QuantFormat.QOperator, "spared": spared}
    from_float(speech(), lambda a, b: static(speech_examples(False), a, b, "MatMul", "Add", **how), path)


@export("QNT-03", "sentence embedder", of_type("Softmax"), cause=clipped, int8=True, **TEXT_INPUTS)
def embedder_calibrated_without_pads(mended: bool, path: Path) -> None:
    """Filled by ``Where``, and clipped where Softmax wants eight bits."""

    def spared(model: Any) -> set[str]:
        return {node.name for node in model.graph.node if node.op_type == "Softmax" and mended}

    ops = "MatMul", "Softmax"
    from_float(text(Filled()), lambda a, b: static(text_examples(False), a, b, *ops, spared=spared), path)


@export("QNT-03", "BERT-like classifier", nowhere, harmless=True, int8=True, **TEXT_INPUTS)
def classifier_calibrated_with_pads(mended: bool, path: Path) -> None:
    """The calibration saw the fill of -100: scores have coarse steps, and yet no pad is seen. Mended, Add is spared."""
    spared = mask_adds if mended else nowhere
    from_float(
        text(Classifier(-100.0)), lambda a, b: static(text_examples(True), a, b, "MatMul", "Add", spared=spared), path
    )


@export("QNT-03", "speech classifier, pooled answer", nowhere, harmless=True, int8=True, **SPEECH_INPUTS)
def speech_quantised_statically(mended: bool, path: Path) -> None:
    """Fixed scales, and a mask that was left alone: sound, by tensors or, mended, by channels."""
    how: dict[str, Any] = {"spared": mask_adds, "per_channel": mended}
    from_float(speech(), lambda a, b: static(speech_examples(True), a, b, "MatMul", "Add", **how), path)
