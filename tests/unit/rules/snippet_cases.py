"""What each rule's snippets need beyond the usual names, and which twin shows its leak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

from tests.unit.rules.snippet_scenes import CLASSES, HEADS, ODD_FILLER, PAD, VOCABULARY, WIDTH, Case, Names

NO_DROPOUT = {"dropout": 0.0, "batch_first": True}


class Decoder(nn.Module):
    """Masked attention over words and positions, which are column numbers unless they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Embedding(32, WIDTH)

    def forward(self, ids: Any, attention_mask: Any, position_ids: Any = None) -> Any:
        position_ids = torch.arange(ids.shape[1]) if position_ids is None else position_ids
        x = self.words(ids) + self.places(position_ids)
        return F.scaled_dot_product_attention(x, x, x, attn_mask=attention_mask.bool()[:, None, :])


class LeftPadded(nn.Module):
    """Counts the ids that are no pads and takes them to stand at the end of the row."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)

    def forward(self, ids: Any) -> Any:
        start = ids.shape[1] - (ids != PAD).sum(dim=1, keepdim=True)
        inside = torch.arange(ids.shape[1]) >= start
        return (self.words(ids) * inside.unsqueeze(-1)).sum(dim=1)


class MaskedMean(nn.Module):
    """A mean that skips its mask when there is nothing to mask, which an exporter takes for all there is."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)

    def forward(self, ids: Any, mask: Any) -> Any:
        x = self.words(ids)
        if mask.all():
            return x.mean(dim=1)
        return (x * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)


class CausalConvolution(nn.Conv1d):
    """A short causal convolution over (batch, time, width)."""

    def __init__(self) -> None:
        super().__init__(WIDTH, WIDTH, 3, groups=WIDTH)

    def forward(self, x: Any) -> Any:
        return super().forward(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)


def scan(x: Any) -> Any:
    """Return the states of h = 0.8 h + x."""
    steps = torch.arange(x.shape[1])
    decay = torch.where(steps[:, None] >= steps, 0.8 ** (steps[:, None] - steps).clamp(min=0), 0.0)
    return decay @ x


def lstm(**options: Any) -> Any:
    return lambda names: {"lstm": nn.LSTM(WIDTH, WIDTH, batch_first=True, **options)}


def packed(names: Names) -> Names:
    lengths = names["lengths"]
    row = nn.utils.rnn.pack_padded_sequence(names["embedded"], lengths, batch_first=True, enforce_sorted=False)
    return {"packed": row, **lstm()(names)}


def read_by_rows(names: Names) -> Names:
    return {"embedding": nn.Embedding(VOCABULARY, WIDTH), "model": LeftPadded(), **lstm()(names)}


def documents(names: Names) -> Names:
    """Rows of four sentences of five words; when padded, with empty sentences behind them."""
    words = nn.Embedding(VOCABULARY, WIDTH, padding_idx=PAD)
    ids = names["ids"][:, :4, None] + torch.arange(5)
    ids = F.pad(ids, (0, 0, 0, 2)) if _padded(names) else ids
    outer = nn.LSTM(WIDTH, WIDTH, batch_first=True)
    return {"ids": ids, "encode": lambda rows: words(rows).sum(dim=1), "outer": outer}


def images(names: Names) -> Names:
    """Images of six by six pixels; when padded, in a frame of ten by ten."""
    pixels = names["hidden"][:, None, :6, :6]
    visible = torch.ones(len(pixels), 6, 6)
    if _padded(names):
        pixels, visible = F.pad(pixels, (0, 4, 0, 4), value=2.0), F.pad(visible, (0, 4, 0, 4))
    stages = [nn.Conv2d(channels, 4, 3, stride=2, padding=1) for channels in (1, 4)]
    return {"pixel_values": pixels, "pixel_mask": visible, "backbone": nn.Sequential(*stages)}


def _padded(names: Names) -> bool:
    return not names["mask"].all()


def convolutions(count: int, **options: Any) -> nn.Sequential:
    return nn.Sequential(*(nn.Conv1d(WIDTH, WIDTH, 3, **options) for _ in range(count)))


def channels_first(**modules: Any) -> Any:
    """Return names for snippets whose states are (batch, channels, time)."""
    return lambda names: {"hidden": names["features"], **{name: make() for name, make in modules.items()}}


def convolution(**options: Any) -> Any:
    return lambda: nn.Conv1d(WIDTH, WIDTH, 3, **options)


def decoding(names: Names) -> Names:
    causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
    target = torch.randn(len(names["hidden"]), 5, WIDTH)
    decoder = nn.TransformerDecoderLayer(WIDTH, HEADS, WIDTH, **NO_DROPOUT)
    return {
        "target": target,
        "memory": names["hidden"],
        "source_mask": names["mask"],
        "causal": causal,
        "decoder": decoder,
    }


def normalised_model(names: Names) -> Names:
    return {"model": nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 1), nn.BatchNorm1d(WIDTH))}


def auxiliary(names: Names) -> Names:
    weight = torch.randn(WIDTH, WIDTH, requires_grad=True)
    states = names["hidden"] @ weight
    return {"weight": weight, "states": states, "masked_loss": states[names["mask"].bool()].abs().mean()}


def examples(names: Names) -> Names:
    """What a model is exported with, and the batch that its file is run on."""
    return {
        "batch": {"ids": names["ids"], "mask": names["mask"], "x": names["x"], "lengths": names["lengths"]},
        "model": MaskedMean(),
        "ids": torch.tensor([[5, 6, 7, 8], [9, 5, 0, 0]]),
        "lengths": torch.tensor([4, 2]),
        "axes": {"ids": {0: "batch", 1: "time"}, "mask": {0: "batch", 1: "time"}},
    }


def run_exported(names: Names) -> torch.Tensor:
    return run_file(Path("model.onnx"), names["batch"])


def run_class(names: Names) -> torch.Tensor:
    """Export the class that the snippet defines and run the file."""
    example = (torch.ones(2, 12, WIDTH), torch.tensor([12, 9]))
    axes = {"x": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}
    options = {"input_names": list(axes), "dynamic_axes": axes, "dynamo": False}
    torch.onnx.export(names["MaskedSum"](), example, "model.onnx", **options)
    return run_exported(names)


def run_node(names: Names) -> torch.Tensor:
    """Run the node that the snippet makes in a graph of its own."""
    tensor, number = onnx.helper.make_tensor_value_info, onnx.TensorProto
    inputs = [tensor(name, number.FLOAT, ["b", "t", WIDTH]) for name in ("query", "key", "value")]
    inputs.append(tensor("mask", number.INT32, ["b", "t"]))
    outputs = [tensor("out", number.FLOAT, ["b", "t", WIDTH])]
    domains = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("com.microsoft", 1)]
    graph = onnx.helper.make_graph([names["node"]], "attention", inputs, outputs)
    onnx.save(onnx.helper.make_model(graph, opset_imports=domains, ir_version=10), "model.onnx")
    states = names["hidden"].float()
    return run_file(Path("model.onnx"), {"query": states, "key": states, "value": states, "mask": names["mask"].int()})


def run_file(path: Path, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {i.name: batch[i.name].numpy() for i in session.get_inputs()}
    return torch.from_numpy(session.run(None, feed)[0])


def attention(names: Names) -> Names:
    return {"attention": nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)}


CASES: dict[str, Case] = {
    # Pooling.
    "MC102": Case(silent=("content",)),
    "MC104": Case(
        twin="longer mate", silent=("content",), names=lambda n: packed({**n, "embedded": n["embedded"] - 4.0})
    ),
    "MC105": Case(silent=("left",)),
    "MC106": Case(twin="left", silent=("right",)),
    "MC107": Case(filler=ODD_FILLER),
    "MC108": Case(twin="left", silent=("right",)),
    "MC109": Case(names=lambda n: {"score": nn.Linear(WIDTH, 1)}),
    "MC111": Case(names=lambda n: {"project": nn.Linear(WIDTH, WIDTH)}),
    "MC113": Case(twin="empty", silent=("right",)),
    # Attention.
    "MC202": Case(names=attention),
    "MC205": Case(
        names=lambda n: {
            "encoder_layers": [nn.TransformerEncoderLayer(WIDTH, HEADS, WIDTH, **NO_DROPOUT) for _ in range(2)]
        }
    ),
    "MC211": Case(twin="mates"),
    "MC212": Case(twin="mates", silent=("right",), names=attention),
    "MC213": Case(twin="left", silent=("right",)),
    "MC214": Case(names=decoding),
    "MC216": Case(names=lambda n: {"projection": torch.randn(5, 16)}),
    "MC217": Case(twin="left", silent=("right",)),
    "MC218": Case(silent=("content",), names=lambda n: {"block_size": 3}),
    "MC222": Case(silent=("content",), names=lambda n: {"slots": 24}),
    "MC219": Case(twin="left", silent=("right",), names=lambda n: {"chunk": 2}),
    "MC220": Case(twin="poison", silent=("right", "content")),
    "MC221": Case(names=lambda n: {"scores": n["scores"].half()}, tolerance=1e-3),
    # Recurrent layers.
    "MC301": Case(names=lstm(bidirectional=True)),
    "MC302": Case(names=lstm()),
    "MC303": Case(silent=("content",), names=lstm()),
    "MC304": Case(twin="longer mate", names=read_by_rows),
    "MC305": Case(twin="longer mate", silent=("content",), names=packed),
    "MC306": Case(twin="longer mate", silent=("right",), names=lstm()),
    "MC307": Case(names=lstm()),
    "MC308": Case(twin="left", silent=("right",), names=lambda n: {"conv1d": CausalConvolution(), "scan": scan}),
    "MC309": Case(names=documents),
    "MC310": Case(names=lambda n: {"cell": nn.GRUCell(WIDTH, WIDTH), "state": torch.zeros(len(n["x"]), WIDTH)}),
    # Convolution.
    "MC401": Case(names=channels_first(conv=convolution(padding=1))),
    "MC402": Case(silent=("content",), names=channels_first(convs=lambda: convolutions(2, padding=1))),
    "MC403": Case(
        names=channels_first(
            pointwise=lambda: nn.Conv1d(WIDTH, 2 * WIDTH, 1),
            depthwise=convolution(padding=1, groups=WIDTH),
        )
    ),
    "MC404": Case(names=channels_first(conv1=convolution(stride=2, padding=1), conv2=convolution(stride=2, padding=1))),
    "MC405": Case(names=channels_first(convs=lambda: convolutions(2, stride=2)), real=13, pads=8),
    "MC407": Case(
        names=lambda n: {"conv": nn.Conv2d(HEADS, HEADS, (3, 1), padding=(1, 0), groups=HEADS)},
    ),
    "MC408": Case(twin="left", silent=("right",), names=channels_first(conv=convolution(), width=lambda: 3)),
    "MC409": Case(names=images),
    # Normalisation.
    "MC501": Case(names=channels_first()),
    "MC503": Case(names=normalised_model),
    # Positions.
    "MC601": Case(twin="left", silent=("right",), names=lambda n: {"model": Decoder()}),
    "MC602": Case(
        twin="left",
        silent=("right",),
        names=lambda n: {
            "token_embedding": nn.Embedding(VOCABULARY, WIDTH),
            "position_embedding": nn.Embedding(32, WIDTH),
        },
    ),
    "MC603": Case(silent=("content",)),
    "MC604": Case(
        twin="left",
        filler=ODD_FILLER,
        names=lambda n: {
            "token_embedding": nn.Embedding(VOCABULARY, WIDTH),
            "position_embedding": nn.Embedding(32, WIDTH),
        },
    ),
    "MC605": Case(
        silent=("content",), reads_text=False, names=lambda n: {"base": 100.0, "scale": 2.0, "original_max": 4}
    ),
    "MC606": Case(
        twin="left",
        silent=("right",),
        names=lambda n: {"block_size": 4},
        read=lambda n: n["blocks"][:, :2],
    ),
    "MC607": Case(silent=("content",), names=lambda n: {"slopes": torch.tensor([0.5, 2.0])}),
    # Embeddings.
    "MC702": Case(twin="token"),
    "MC704": Case(twin="content"),
    "MC705": Case(twin="longer mate", names=read_by_rows),
    # Quantisation and routing.
    "MC802": Case(names=lambda n: {"block_size": 4}),
    "MC901": Case(
        twin="left", silent=("right",), names=lambda n: {"router": nn.Linear(WIDTH, 3), "experts": 3, "capacity": 2}
    ),
    "MC902": Case(names=lambda n: {"relevance": n["hidden"].sum(dim=-1), "count": 3}),
    # Mixing.
    "MC920": Case(names=lambda n: {"training_length": 16}),
    "MC921": Case(twin="content", names=lambda n: {"mix": nn.Linear(n["hidden"].shape[1], n["hidden"].shape[1])}),
    "MC922": Case(twin="mates", names=lambda n: {"matrix": n["scores"][:, :, :4, :4].softmax(dim=-1)}),
    "MC923": Case(twin="left", silent=("right",)),
    "MC924": Case(names=lambda n: {"assign": nn.Linear(WIDTH, 3)}),
    # Export.
    "MC940": Case(names=examples, read=run_exported),
    "MC941": Case(names=examples, read=run_class),
    "MC942": Case(twin="left", silent=("right",)),
    "MC943": Case(read=run_node, tolerance=1e-6),
    "MC945": Case(twin="repeat", names=lambda n: {"model": nn.Sequential(nn.Linear(WIDTH, CLASSES), nn.Dropout(0.5))}),
    # Training.
    "MC961": Case(),
    "MC964": Case(names=lambda n: {"norm": nn.BatchNorm1d(WIDTH)}),
    "MC965": Case(names=auxiliary),
}
"""Rules that are not here need nothing beyond the usual names and leak under right padding."""
