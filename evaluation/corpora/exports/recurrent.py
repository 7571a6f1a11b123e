"""Recurrent operators with and without their lengths, and loops as converters write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evaluation.corpora.exports.graph import Attention, Graph, bias_of, frames, legacy, real_of, tokens, trained
from evaluation.corpora.exports.registry import export, feats, ids, lengths, mask, named, nowhere, of_type, padmask


def packed(layer: Any, x: Tensor, sizes: Tensor) -> tuple[Tensor, Any]:
    """A layer over rows of these lengths."""
    held = pack_padded_sequence(x, sizes, batch_first=True, enforce_sorted=False)
    found, state = layer(held)
    return pad_packed_sequence(found, batch_first=True)[0], state


# --- without lengths


class Tagger(nn.Module):
    def __init__(self, told: bool) -> None:
        super().__init__()
        self.told = told
        self.embedding = nn.Embedding(40, 20)
        self.lstm = nn.LSTM(20, 16, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(32, 7)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embedding(input_ids) * attention_mask.unsqueeze(-1).float()
        x = packed(self.lstm, x, attention_mask.sum(1))[0] if self.told else self.lstm(x)[0]
        return self.tag(x)


@export(
    "ORT-04",
    "recurrent tagger, token answers",
    of_type("LSTM"),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def tagger_exported_without_packing(mended: bool, path: Path) -> None:
    """Both directions run over the pads, blanked as they are; mended, the rows are packed."""
    example = {"input_ids": tokens(3, 7), "attention_mask": torch.tensor([[1] * 7, [1] * 6 + [0], [1] * 4 + [0] * 3])}
    axes = {name: {0: "batch", 1: "sequence"} for name in (*example, "tags")}
    legacy(trained("tagger", Tagger(mended)), example, axes, path, 17, ("tags",))


class Stacked(nn.Module):
    """Two layers of both directions below a pooled answer."""

    def __init__(self, told: bool) -> None:
        super().__init__()
        self.told = told
        self.rnn = nn.GRU(12, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.norm, self.out = nn.LayerNorm(32), nn.Linear(32, 5)

    def forward(self, feats: Tensor, feats_lens: Tensor) -> Tensor:
        x = packed(self.rnn, feats, feats_lens)[0] if self.told else self.rnn(feats)[0]
        weight = real_of(feats_lens, feats.shape[1]).unsqueeze(-1).float()
        return self.out((self.norm(x) * weight).sum(1) / weight.sum(1))


@export(
    "ORT-04",
    "speech classifier, pooled answer",
    of_type("GRU", at=0),
    also=of_type("GRU", at=1),
    feats=feats("batch", "time", 12),
    feats_lens=lengths(),
)
def speech_stack_exported_without_packing(mended: bool, path: Path) -> None:
    """The lengths mask the mean, and never reach the layers."""
    example = {"feats": frames(3, 8, 12), "feats_lens": torch.tensor([8, 6, 5])}
    axes = {"feats": {0: "B", 1: "T"}, "feats_lens": {0: "B"}, "logits": {0: "B"}}
    legacy(trained("stacked", Stacked(mended)), example, axes, path, 14)


def cell(
    g: Graph, op: str, x: str, name: str, width: int, hidden: int, sizes: str, start: str = "", **told: Any
) -> list[str]:
    """A recurrent operator, time first: Y and Y_h."""
    gates, key = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], name.strip("/").replace("/", ".")
    ways = 2 if told.get("direction") == "bidirectional" else 1
    inputs = [
        x,
        g.weight(f"{key}.W", ways, gates * hidden, width, scale=1.0 / width**0.5),
        g.weight(f"{key}.R", ways, gates * hidden, hidden, scale=1.0 / hidden**0.5),
        g.weight(f"{key}.B", ways, 2 * gates * hidden, scale=0.2),
        sizes,
        start,
    ]
    while not inputs[-1]:
        inputs.pop()
    return list(g.node(op, inputs, f"{name}/{op}", 2, hidden_size=hidden, **told))


@export(
    "ORT-04",
    "recurrent embedder of frames, time first",
    of_type("GRU"),
    frames=feats("time", "batch", 12),
    frame_lengths=lengths(dtype="int32"),
    rows=(0,),
)
def gru_state_without_lengths(mended: bool, path: Path) -> None:
    """The last state is that after the pads: the fifth input is empty."""
    g = Graph("gru_state_without_lengths", "tf_graph", 15)
    x = g.input("frames", "float32", "time", "batch", 12)
    sizes = g.input("frame_lengths", "int32", "batch")
    x = g.norm(g.linear(x, "/prenet", 12, 20), "/prenet/norm", 20)
    last = cell(g, "GRU", x, "/encoder/rnn", 20, 24, sizes if mended else "", linear_before_reset=1)[1]
    last = g.node("Squeeze", [last, g.const("axis_0", [0])], "/encoder/Squeeze")
    g.node("Identity", [g.linear(last, "/project", 24, 8)], "/Identity", ["embedding"])
    g.output("embedding", "float32", "batch", 8)
    g.save(path, producer="keras2onnx", ir=8)


@export(
    "ORT-04",
    "recurrent encoder-decoder",
    of_type("RNN"),
    src=ids("source", "batch", dtype="int32"),
    src_len=lengths("source", dtype="int32"),
    tgt=ids("target", "batch", dtype="int32"),
    rows=(1,),
)
def encoder_state_without_lengths(mended: bool, path: Path) -> None:
    """A decoder begins with the states of an encoder that ran over the pads, in both directions."""
    g = Graph("encoder_state_without_lengths")
    words, sizes = g.input("src", "int32", "source", "batch"), g.input("src_len", "int32", "batch")
    after = g.input("tgt", "int32", "target", "batch")
    x = g.embedding(words, "/encoder/embed_tokens", 40, 16)
    told: dict[str, Any] = {"direction": "bidirectional", "activations": ["Tanh", "Tanh"]}
    states = cell(g, "RNN", x, "/encoder/rnn", 16, 20, sizes if mended else "", **told)[1]
    start = g.node("ReduceSum", [states, g.const("axis_0", [0])], "/encoder/ReduceSum", keepdims=1)
    y = g.embedding(after, "/decoder/embed_tokens", 40, 16)
    y = cell(g, "GRU", y, "/decoder/rnn", 16, 20, "", start)[0]
    y = g.node("Squeeze", [y, g.const("axis_1", [1])], "/decoder/Squeeze")
    g.node("Identity", [g.linear(y, "/lm_head", 20, 40)], "/Identity", ["logits"])
    g.output("logits", "float32", "target", "batch", 40)
    g.save(path, 17)


@export(
    "ORT-04",
    "recurrent tagger, token answers",
    nowhere,
    harmless=True,
    tokens=ids("batch", "time"),
    tokens_len=lengths(dtype="int32"),
)
def forward_tagger_without_lengths(mended: bool, path: Path) -> None:
    """One direction, and answers for every step: what comes behind a row reaches none of its steps."""
    g = Graph("forward_tagger_without_lengths", opset=14)
    words = g.input("tokens", "int64", "batch", "seq")
    sizes = g.input("tokens_len", "int32", "batch")
    x = g.norm(g.embedding(words, "/embed", 40, 20), "/embed/norm", 20)
    x = g.node("Transpose", [x], "/Transpose", perm=[1, 0, 2])
    x = cell(g, "LSTM", x, "/lstm", 20, 24, sizes if mended else "")[0]
    x = g.node("Squeeze", [x, g.const("axis_1", [1])], "/lstm/Squeeze")
    x = g.node("Transpose", [x], "/Transpose_1", perm=[1, 0, 2])
    g.node("Identity", [g.linear(x, "/tags", 24, 6)], "/Identity", ["tags"])
    g.output("tags", "float32", "batch", "seq", 6)
    g.save(path)


@export(
    "ORT-04",
    "recurrent embedder of frames",
    nowhere,
    harmless=True,
    frames=feats("batch", "time", 12),
    frames_len=lengths(dtype="int32"),
)
def forward_half_of_both_directions(mended: bool, path: Path) -> None:
    """Both directions without lengths, of which only the forward one is read, at the last real step."""
    g = Graph("forward_half_of_both_directions")
    x, sizes = g.input("frames", "float32", "batch", "time", 12), g.input("frames_len", "int32", "batch")
    x = g.node("Transpose", [g.linear(x, "/prenet", 12, 16)], "/Transpose", perm=[1, 0, 2])
    y = cell(g, "LSTM", x, "/rnn", 16, 20, sizes if mended else "", direction="bidirectional")[0]
    y = g.node(
        "Transpose", [g.node("Gather", [y, g.const("way", 0)], "/Gather", axis=1)], "/Transpose_1", perm=[1, 0, 2]
    )
    last = g.node("Sub", [g.cast(sizes, "/Cast", "int64"), g.const("one", 1)], "/Sub")
    last = g.node("Unsqueeze", [last, g.const("axis_1", [1])], "/Unsqueeze")
    y = g.node("GatherND", [y, last], "/GatherND", batch_dims=1)
    g.node("Identity", [g.linear(y, "/project", 20, 6)], "/Identity", ["embedding"])
    g.output("embedding", "float32", "batch", 6)
    g.save(path)


# --- lengths that count from the front


def to_front(x: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Rows moved so that they begin at the first step, and where each step came from."""
    steps = torch.arange(x.shape[1])
    ahead = (real.cumsum(1) == 0).sum(1, keepdim=True)
    return x.gather(1, ((steps + ahead) % x.shape[1]).unsqueeze(-1).expand_as(x)), (steps - ahead) % x.shape[1]


class FrontTagger(nn.Module):
    def __init__(self, moved: bool) -> None:
        super().__init__()
        self.moved = moved
        self.embedding = nn.Embedding(40, 20)
        self.lstm = nn.LSTM(20, 16, batch_first=True, bidirectional=True)
        self.norm, self.tag = nn.LayerNorm(32), nn.Linear(32, 7)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x, back = self.embedding(tokens), torch.zeros(0)
        if self.moved:
            x, back = to_front(x, mask)
        x = packed(self.lstm, x, mask.sum(1))[0]
        if self.moved:
            x = x.gather(1, back.unsqueeze(-1).expand_as(x))
        return self.tag(self.norm(x))


@export(
    "ORT-05",
    "recurrent tagger, token answers",
    of_type("LSTM"),
    left=True,
    leaks=("left",),
    tokens=ids("batch", "time"),
    mask=mask("batch", "time"),
)
def packed_tagger_of_rows_padded_in_front(mended: bool, path: Path) -> None:
    """Packed by lengths, which take the first steps; mended, the rows are moved to the front and back."""
    example = {"tokens": tokens(3, 7), "mask": torch.tensor([[1] * 7, [0] + [1] * 6, [0] * 3 + [1] * 4])}
    axes = {name: {0: "batch", 1: "length"} for name in (*example, "tags")}
    legacy(trained("front", FrontTagger(mended)), example, axes, path, 16, ("tags",))


class Events(nn.Module):
    def __init__(self, moved: bool) -> None:
        super().__init__()
        self.moved = moved
        self.inner = nn.Linear(10, 16)
        self.gru = nn.GRU(16, 20, batch_first=True)
        self.risk = nn.Sequential(nn.LayerNorm(20), nn.Linear(20, 3))

    def forward(self, visits: Tensor, missing: Tensor) -> Tensor:
        x, real = self.inner(visits).relu(), (~missing).long()
        if self.moved:
            x = to_front(x, real)[0]
        sizes = real.sum(1)
        x = packed(self.gru, x, sizes)[0]
        return self.risk(x[torch.arange(x.shape[0]), sizes - 1])


@export(
    "ORT-05",
    "recurrent classifier of visits, pooled answer",
    of_type("GRU"),
    also=named("/Gather_6"),
    left=True,
    leaks=("left",),
    visits=feats("batch", "time", 10),
    missing=padmask("batch", "time"),
)
def packed_visits_padded_in_front(mended: bool, path: Path) -> None:
    """The last state is read after so many steps from the front."""
    example = {"visits": frames(3, 6, 10), "missing": torch.zeros(3, 6, dtype=torch.bool)}
    axes: dict[str, Any] = {name: {0: "patients", 1: "visits_axis"} for name in example}
    legacy(trained("events", Events(mended)), example, {**axes, "risk": {0: "patients"}}, path, 14, ("risk",))


@export(
    "ORT-05",
    "recurrent embedder of frames, time first",
    of_type("RNN"),
    left=True,
    leaks=("left",),
    audio=feats("time", "batch", 12),
    audio_real=mask("time", "batch", dtype="int32"),
)
def rnn_of_frames_padded_in_front(mended: bool, path: Path) -> None:
    """``sequence_lens`` counts the mask; mended, each row is moved to the front."""
    g = Graph("rnn_of_frames_padded_in_front")
    x = g.input("audio", "float32", "T", "N", 12)
    real = g.input("audio_real", "int32", "T", "N")
    x = g.linear(x, "/prenet", 12, 16)
    sizes = g.cast(g.node("ReduceSum", [real, g.const("axis_0", [0])], "/ReduceSum", keepdims=0), "/Cast", "int32")
    if mended:
        x = _moved(g, x, real)
    last = cell(g, "RNN", x, "/rnn", 16, 24, sizes)[1]
    last = g.node("Squeeze", [last, g.const("axis_0", [0])], "/rnn/Squeeze")
    g.node("Identity", [g.linear(last, "/project", 24, 8)], "/Identity", ["embedding"])
    g.output("embedding", "float32", "N", 8)
    g.save(path, 17)


def _moved(g: Graph, x: str, real: str) -> str:
    """Each row moved to the front, time first."""
    running = g.node("CumSum", [real, g.const("time", 0)], "/front/CumSum")
    before = g.cast(g.node("Equal", [running, g.const("zero", 0, "int32")], "/front/Equal"), "/front/Cast", "int64")
    ahead = g.node("ReduceSum", [before, g.const("axis_0", [0])], "/front/ReduceSum", keepdims=1)
    total = g.node("Gather", [g.node("Shape", [x], "/front/Shape"), g.const("time", 0)], "/front/Gather")
    steps = g.node("Range", [g.const("time", 0), total, g.const("one", 1)], "/front/Range")
    steps = g.node("Unsqueeze", [steps, g.const("axis_1", [1])], "/front/Unsqueeze")
    where = g.node("Mod", [g.node("Add", [steps, ahead], "/front/Add"), total], "/front/Mod")
    where = g.node("Unsqueeze", [where, g.const("axis_2", [2])], "/front/Unsqueeze_1")
    where = g.node("Expand", [where, g.node("Shape", [x], "/front/Shape_1")], "/front/Expand")
    return str(g.node("GatherElements", [x, where], "/front/GatherElements", axis=0))


# --- loops


def _step(g: Graph, x: str, state: str, name: str, width: int, hidden: int) -> str:
    """One step of a gated cell: how much is kept, and what is new."""
    key = name.strip("/").replace("/", ".")
    parts = []
    for part in ("gate", "new"):
        own = g.node("MatMul", [x, g.weight(f"{key}.{part}.kernel", width, hidden)], f"{name}/{part}/MatMul")
        past = g.node("MatMul", [state, g.weight(f"{key}.{part}.recurrent", hidden, hidden)], f"{name}/{part}/MatMul_1")
        both = g.node("Add", [own, past], f"{name}/{part}/Add")
        parts.append(g.node("Add", [both, g.weight(f"{key}.{part}.bias", hidden, scale=0.2)], f"{name}/{part}/BiasAdd"))
    gate, new = g.node("Sigmoid", parts[:1], f"{name}/Sigmoid"), g.node("Tanh", parts[1:], f"{name}/Tanh")
    kept = g.node("Mul", [gate, state], f"{name}/mul")
    rest = g.node("Sub", [g.const("cell_one", 1, "float32"), gate], f"{name}/sub")
    return str(g.node("Add", [kept, g.node("Mul", [rest, new], f"{name}/mul_1")], f"{name}/add"))


def _body(seed: str, name: str, width: int, hidden: int, held: bool) -> Graph:
    """The body of a Scan: state, frame and whether it is real; ``held`` keeps the state where it is not."""
    b = Graph(seed)
    state = b.input("state_in", "float32", "N", hidden)
    x, real = b.input("x_in", "float32", "N", width), b.input("real_in", "bool", "N", 1)
    new = _step(b, x, state, name, width, hidden)
    if held:
        new = b.node("Where", [real, new, state], f"{name}/Select")
    else:
        b.node("Not", [real], f"{name}/LogicalNot")
    b.node("Identity", [new], f"{name}/Identity", ["state_out"])
    b.node("Identity", [new], f"{name}/Identity_1", ["y_out"])
    b.output("state_out", "float32", "N", hidden)
    b.output("y_out", "float32", "N", hidden)
    return b


def _zeros(g: Graph, x: str, hidden: int, axis: int) -> str:
    """A first state for every row."""
    wide = g.node("Shape", [x], "/zeros/Shape")
    rows = g.node("Gather", [wide, g.const("rows_axis", [axis])], "/zeros/Gather")
    size = g.node("Concat", [rows, g.const("hidden", [hidden])], "/zeros/Concat", axis=0)
    return str(g.node("ConstantOfShape", [size], "/zeros/Fill", value=helper.make_tensor("v", 1, [1], [0.0])))


@export(
    "ORT-08",
    "recurrent embedder of frames, time first",
    of_type("Scan"),
    features=feats("time", "batch", 12),
    real=mask("time", "batch", 1, dtype="bool"),
)
def scan_without_select(mended: bool, path: Path) -> None:
    """The body of the Scan does not look at the mask that it is given."""
    g = Graph("scan_without_select", opset=16)
    x, real = g.input("features", "float32", "T", "N", 12), g.input("real", "bool", "T", "N", 1)
    x = g.norm(g.linear(x, "/prenet", 12, 16), "/prenet/norm", 16)
    body = _body("scan_body", "/cell", 16, 20, mended).body("scan_body")
    last, _ = g.node("Scan", [_zeros(g, x, 20, 1), x, real], "/rnn/Scan", 2, body=body, num_scan_inputs=2)
    g.node("Identity", [g.linear(last, "/project", 20, 6)], "/Identity", ["embedding"])
    g.output("embedding", "float32", "N", 6)
    g.save(path)


@export(
    "ORT-08",
    "recurrent tagger, token answers",
    of_type("Scan", at=-1),
    words=ids("batch", "time"),
    words_real=mask("batch", "time", dtype="bool"),
)
def backward_scan_without_select(mended: bool, path: Path) -> None:
    """Two Scans: the one that runs forward is sound either way, the one that runs backward begins in the pads."""
    g = Graph("backward_scan_without_select")
    words, real = g.input("words", "int64", "batch", "seq"), g.input("words_real", "bool", "batch", "seq")
    x = g.node("Transpose", [g.embedding(words, "/embed", 40, 16)], "/Transpose", perm=[1, 0, 2])
    seen = g.node("Unsqueeze", [real, g.const("axis_2", [2])], "/Unsqueeze")
    seen = g.node("Transpose", [seen], "/Transpose_1", perm=[1, 0, 2])
    start = _zeros(g, words, 20, 0)
    ways = []
    for way, back in (("fw", 0), ("bw", 1)):
        body = _body(f"scan_{way}", f"/{way}/cell", 16, 20, mended).body(f"scan_{way}")
        told: dict[str, Any] = {"scan_input_directions": [back, back], "scan_output_directions": [back]}
        ways.append(g.node("Scan", [start, x, seen], f"/{way}/Scan", 2, body=body, num_scan_inputs=2, **told)[1])
    y = g.node("Concat", ways, "/Concat", axis=-1)
    y = g.node("Transpose", [g.linear(y, "/tags", 40, 6)], "/Transpose_2", perm=[1, 0, 2])
    g.node("Identity", [y], "/Identity", ["tags"])
    g.output("tags", "float32", "batch", "seq", 6)
    g.save(path, 17)


def _while(seed: str, name: str, steps_of: str, sizes: str, width: int, hidden: int, held: bool, axis: int) -> Graph:
    """The body of a Loop as tf2onnx writes it: it reads frames from outside by the number of the step."""
    b = Graph(seed)
    step, go = b.input("iteration_num", "int64"), b.input("cond_in", "bool")
    state = b.input("state_in", "float32", "N", hidden)
    x = b.node("Gather", [steps_of, step], f"{name}/TensorArrayReadV3", axis=axis)
    new = _step(b, x, state, name, width, hidden)
    if held:
        real = b.node("Greater", [sizes, b.cast(step, f"{name}/Cast", "int32")], f"{name}/GreaterEqual")
        real = b.node("Unsqueeze", [real, b.const(f"{name}_axis", [1])], f"{name}/ExpandDims")
        new = b.node("Where", [real, new, state], f"{name}/Select")
    b.node("Identity", [go], f"{name}/cond", ["cond_out"])
    b.node("Identity", [new], f"{name}/Identity", ["state_out"])
    b.output("cond_out", "bool")
    b.output("state_out", "float32", "N", hidden)
    return b


def _looped(g: Graph, x: str, sizes: str, trips: str, name: str, width: int, held: bool) -> str:
    body = _while(f"{name}_body", f"{name}/while", x, sizes, width, 20, held, 1).body("while_body")
    inputs = [trips, "", _zeros(g, x, 20, 0)]
    return str(g.node("Loop", inputs, f"{name}/while", body=body))


@export(
    "ORT-08",
    "recurrent classifier of text",
    of_type("Loop"),
    input_1=ids("batch", "time", dtype="int32"),
    lengths=lengths(dtype="int32"),
)
def loop_to_the_padded_length(mended: bool, path: Path) -> None:
    """As many trips as there are steps, and no step asks whether the row is over."""
    g = Graph("loop_to_the_padded_length", "tf2onnx")
    words, sizes = g.input("input_1", "int32", "unk__7", "unk__8"), g.input("lengths", "int32", "unk__7")
    x = g.embedding(words, "sequential/embedding/embedding_lookup", 40, 16)
    trips = g.node(
        "Gather", [g.node("Shape", [x], "sequential/rnn/Shape"), g.const("one", 1)], "sequential/rnn/strided_slice"
    )
    last = _looped(g, x, sizes, trips, "sequential/rnn", 16, mended)
    g.node("Identity", [g.linear(last, "sequential/dense", 20, 4)], "Identity", ["dense"])
    g.output("dense", "float32", "unk__7", 4)
    g.save(path, 15, producer="tf2onnx", ir=8)


@export(
    "ORT-08",
    "recurrent embedder of frames",
    of_type("Loop"),
    frames=feats("batch", "time", 12),
    n_frames=lengths(dtype="int32"),
)
def loop_to_the_longest_row(mended: bool, path: Path) -> None:
    """As many trips as the longest row has steps: a row alone is sound, one beside longer ones is not."""
    g = Graph("loop_to_the_longest_row", "tf2onnx")
    x, sizes = g.input("frames", "float32", "unk__3", "unk__4", 12), g.input("n_frames", "int32", "unk__3")
    x = g.norm(g.linear(x, "encoder/prenet", 12, 16), "encoder/LayerNorm", 16)
    longest = g.node("ReduceMax", [sizes], "encoder/rnn/Max", keepdims=0)
    last = _looped(g, x, sizes, g.cast(longest, "encoder/rnn/Cast", "int64"), "encoder/rnn", 16, mended)
    g.node("Identity", [g.linear(last, "encoder/dense", 20, 6)], "Identity", ["embedding"])
    g.output("embedding", "float32", "unk__3", 6)
    g.save(path, 17, producer="tf2onnx", ir=8)


class Reader(nn.Module):
    """A scripted loop over steps, with attention behind it."""

    def __init__(self, held: bool) -> None:
        super().__init__()
        self.held = held
        self.embed = nn.Embedding(40, 16)
        self.w, self.u = nn.Parameter(torch.zeros(16, 16)), nn.Parameter(torch.zeros(16, 16))
        self.attention, self.norm = Attention(16), nn.LayerNorm(16)
        self.out = nn.Linear(16, 5)

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        x = self.embed(ids)
        states = _backward(x, valid if self.held else torch.ones_like(valid), self.w, self.u)
        return self.out(self.norm(x + self.attention(states, bias_of(valid))))


@torch.jit.script
def _backward(x: Tensor, valid: Tensor, w: Tensor, u: Tensor) -> Tensor:
    state = torch.zeros(x.shape[0], u.shape[0])
    found = torch.zeros(x.shape[0], 0, u.shape[0])
    for step in range(x.shape[1]):
        at = x.shape[1] - 1 - step
        new = torch.tanh(x[:, at] @ w + state @ u)
        state = torch.where(valid[:, at].unsqueeze(1), new, state)
        found = torch.cat([state.unsqueeze(1), found], 1)
    return found


@export(
    "ORT-08",
    "text encoder, token answers",
    of_type("Loop"),
    ids=ids("batch", "time"),
    valid=mask("batch", "time", dtype="bool"),
)
def scripted_loop_from_the_end(mended: bool, path: Path) -> None:
    """A loop from the last step to the first: its select is there, with a mask of ones."""
    example = {"ids": tokens(2, 6), "valid": torch.tensor([[True] * 6, [True] * 4 + [False] * 2])}
    axes = {name: {0: "batch", 1: "steps"} for name in (*example, "logits")}
    legacy(trained("reader", Reader(mended)), example, axes, path, 17)
