"""What optimisers fuse: attention as one node, with its mask in another form or without one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.corpora.exports.graph import Block, Graph, bias_of, legacy, tokens, trained
from evaluation.corpora.exports.registry import export, feats, ids, mask, named, nowhere, of_type, total

LOWEST = -3.4028234663852886e38


def counted(g: Graph, real: str, name: str = "/encoder/ReduceSum", dtype: str = "int32") -> str:
    """A mask as lengths."""
    found = g.node("ReduceSum", [real, g.const("axis_1", [1])], name, keepdims=0)
    return found if dtype == "int64" else g.cast(found, f"{name}_Cast", dtype)


def places(g: Graph, real: str, name: str, dtype: str = "int64") -> str:
    """0, 1, 2, ... at the real positions, wherever they are."""
    running = g.node("CumSum", [real, g.const("one_axis", 1)], f"{name}/CumSum")
    less = g.node("Sub", [running, g.const(f"one_{dtype}", 1, dtype)], f"{name}/Sub")
    return str(g.node("Max", [less, g.const(f"zero_{dtype}", 0, dtype)], f"{name}/Max"))


def placed(g: Graph, words: str, real: str, name: str, width: int, dtype: str = "int64") -> str:
    """Words and places, with a norm."""
    x = g.embedding(words, f"{name}/word_embeddings", 40, width)
    where = g.embedding(places(g, real, f"{name}/position_ids", dtype), f"{name}/position_embeddings", 64, width)
    return g.norm(g.node("Add", [x, where], f"{name}/Add"), f"{name}/LayerNorm", width)


def attention(g: Graph, x: str, name: str, width: int, heads: int, hidden: str = "", **told: Any) -> str:
    """The operator of onnxruntime, with the projection behind it, the residual and the norm."""
    key = name.strip("/").replace("/", ".")
    inputs = [x, g.weight(f"{key}.qkv_weight", width, 3 * width), g.weight(f"{key}.qkv_bias", 3 * width, scale=0.2)]
    mixed = g.node(
        "Attention",
        inputs + [hidden] * bool(hidden),
        f"{name}/Attention",
        domain="com.microsoft",
        num_heads=heads,
        **told,
    )
    return skipped(g, g.linear(mixed, f"{name}/output/dense", width, width), x, name, width)


def skipped(g: Graph, x: str, skip: str, name: str, width: int) -> str:
    """Residual and norm as one operator."""
    key = name.strip("/").replace("/", ".")
    gain = g.weight(f"{key}.norm.weight", width, scale=0.2, around=1.0)
    bias = g.weight(f"{key}.norm.bias", width, scale=0.2)
    inputs = [x, skip, gain, bias]
    return str(g.node("SkipLayerNormalization", inputs, f"{name}/SkipLayerNorm", domain="com.microsoft"))


def multihead(g: Graph, x: str, memory: str, name: str, width: int, heads: int, hidden: str = "", **told: Any) -> str:
    """The operator with three projections in front."""
    q, k, v = (
        g.node("MatMul", [y, g.weight(f"{name[1:]}.{part}.weight", width, width)], f"{name}/{part}/MatMul")
        for part, y in (("q_proj", x), ("k_proj", memory), ("v_proj", memory))
    )
    bias = g.weight(f"{name[1:]}.qkv.bias", 3 * width, scale=0.2)
    inputs = [q, k, v, bias] + [hidden] * bool(hidden)
    mixed = g.node(
        "MultiHeadAttention", inputs, f"{name}/MultiHeadAttention", domain="com.microsoft", num_heads=heads, **told
    )
    return skipped(g, g.linear(mixed, f"{name}/out_proj", width, width), x, name, width)


def pooled(g: Graph, x: str, real: str, name: str) -> str:
    """The mean over the real steps; the mask is of floats."""
    wide = g.node("Unsqueeze", [real, g.const("last_axis", [2])], f"{name}/Unsqueeze")
    held = g.node("Mul", [x, wide], f"{name}/Mul")
    whole = g.node("ReduceSum", [held, g.const("axis_1", [1])], f"{name}/ReduceSum", keepdims=0)
    count = g.node("ReduceSum", [wide, g.const("axis_1", [1])], f"{name}/ReduceSum_1", keepdims=0)
    return str(g.node("Div", [whole, count], f"{name}/Div"))


# --- masks as lengths ---------------------------------------------------------------------------------------------


@export(
    "ORT-01",
    "text encoder, token answers",
    of_type("Attention", at=0),
    also=of_type("Attention", at=1),
    left=True,
    leaks=("left",),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def encoder_fused_with_lengths(mended: bool, path: Path) -> None:
    """The fusion counted the mask: with pads in front, the first steps are taken for the real ones."""
    g = Graph("encoder_fused_with_lengths")
    words = g.input("input_ids", "int64", "batch_size", "sequence_length")
    real = g.input("attention_mask", "int64", "batch_size", "sequence_length")
    hidden = g.cast(real, "/encoder/Cast", "int32") if mended else counted(g, real)
    x = placed(g, words, real, "/embeddings", 32)
    for layer in range(2):
        x = attention(g, x, f"/encoder/layer.{layer}/attention", 32, 4, hidden)
        x = g.feed_forward(x, f"/encoder/layer.{layer}", 32)
    g.node("Identity", [x], "/Identity", ["last_hidden_state"])
    g.output("last_hidden_state", "float32", "batch_size", "sequence_length", 32)
    g.save(path, 17, ms=True, producer="onnxruntime.transformers")


@export(
    "ORT-01",
    "speech classifier, pooled answer",
    of_type("Attention"),
    left=True,
    leaks=("left",),
    features=feats("batch", "time", 16),
    frame_mask=mask("batch", "time", dtype="int32"),
)
def speech_fused_with_ends_only(mended: bool, path: Path) -> None:
    """Ends without starts; mended, the index holds the ends and then the starts of the rows."""
    g = Graph("speech_fused_with_ends_only")
    x = g.input("features", "float32", "batch", "frames", 16)
    real = g.input("frame_mask", "int32", "batch", "frames")
    x = g.norm(g.linear(x, "/frontend", 16, 24), "/frontend/norm", 24)
    hidden = counted(g, real)
    if mended:
        hidden = _ends_and_starts(g, real)
    x = g.feed_forward(attention(g, x, "/encoder/self_attn", 24, 2, hidden), "/encoder", 24)
    whole = pooled(g, x, g.cast(real, "/pool/Cast", "float32"), "/pool")
    g.node("Identity", [g.linear(whole, "/classifier", 24, 5)], "/Identity", ["logits"])
    g.output("logits", "float32", "batch", 5)
    g.save(path, 16 if mended else 17, ms=True)


def _ends_and_starts(g: Graph, real: str) -> str:
    """(2B,): where the real steps end, and where they begin."""
    steps = g.node(
        "CumSum",
        [g.node("Mul", [real, g.const("zero", 0, "int32")], "/index/Mul"), g.const("one_axis", 1)],
        "/index/CumSum",
    )
    ones = g.node("Add", [steps, g.const("one", 1, "int32")], "/index/Add")
    counts = g.node("CumSum", [ones, g.const("one_axis", 1)], "/index/CumSum_1")
    ends = g.node(
        "ReduceMax", [g.node("Mul", [counts, real], "/index/Mul_1")], "/index/ReduceMax", axes=[1], keepdims=0
    )
    sizes = g.node("ReduceSum", [real, g.const("axis_1", [1])], "/index/ReduceSum", keepdims=0)
    starts = g.node("Sub", [ends, sizes], "/index/Sub")
    return str(g.node("Concat", [ends, starts], "/index/Concat", axis=0))


@export(
    "ORT-01",
    "encoder-decoder",
    of_type("MultiHeadAttention"),
    left=True,
    leaks=("left",),
    src_ids=ids("batch", "source"),
    src_mask=mask("batch", "source"),
    query_states=feats("batch", 6, 24),
)
def queries_fused_with_memory_lengths(mended: bool, path: Path) -> None:
    """Six queries read a memory whose mask became its lengths."""
    g = Graph("queries_fused_with_memory_lengths")
    words = g.input("src_ids", "int64", "batch", "encoder_sequence_length")
    real = g.input("src_mask", "int64", "batch", "encoder_sequence_length")
    x = g.input("query_states", "float32", "batch", 6, 24)
    memory = placed(g, words, real, "/encoder/embeddings", 24)
    hidden = g.cast(real, "/decoder/Cast", "int32") if mended else counted(g, real, "/decoder/ReduceSum")
    x = multihead(g, x, memory, "/decoder/encoder_attn", 24, 2, hidden)
    g.node("Identity", [g.feed_forward(x, "/decoder", 24)], "/Identity", ["hidden_states"])
    g.output("hidden_states", "float32", "batch", 6, 24)
    g.save(path, 17, ms=True)


@export(
    "ORT-01",
    "BERT-like classifier",
    of_type("Attention"),
    left=True,
    leaks=("left",),
    input_ids=ids("batch", "time", dtype="int32"),
    segment_ids=mask("batch", "time", dtype="int32"),
    input_mask=mask("batch", "time", dtype="int32"),
)
def bert_with_the_mask_index_of_its_embeddings(mended: bool, path: Path) -> None:
    """EmbedLayerNormalization counts the mask, and Attention takes the count."""
    g = Graph("bert_with_the_mask_index")
    words, kinds, real = (g.input(n, "int32", "batch", "seq") for n in ("input_ids", "segment_ids", "input_mask"))
    tables = [
        g.weight("bert.embeddings.word_embeddings.weight", 40, 32, scale=1.0),
        g.weight("bert.embeddings.position_embeddings.weight", 64, 32, scale=0.5),
        g.weight("bert.embeddings.token_type_embeddings.weight", 2, 32, scale=0.5),
        g.weight("bert.embeddings.LayerNorm.weight", 32, scale=0.2, around=1.0),
        g.weight("bert.embeddings.LayerNorm.bias", 32, scale=0.2),
    ]
    inputs = [words, kinds, *tables, real, places(g, real, "/bert/position_ids", "int32")]
    told: dict[str, Any] = {"domain": "com.microsoft", "mask_index_type": 1}
    x, index = g.node("EmbedLayerNormalization", inputs, "EmbedLayerNormalization_0", ["emb_out", "mask_idx"], **told)
    x = attention(g, x, "/bert/encoder/layer.0/attention", 32, 4, real if mended else index)
    x = g.feed_forward(x, "/bert/encoder/layer.0", 32)
    whole = pooled(g, x, g.cast(real, "/pool/Cast", "float32"), "/pool")
    g.node("Identity", [g.linear(whole, "/classifier", 32, 3)], "/Identity", ["logits"])
    g.output("logits", "float32", "batch", 3)
    g.save(path, 14 if mended else 15, ms=True, producer="bert.keras")


@export(
    "ORT-01",
    "decoder language model",
    of_type("GroupQueryAttention"),
    left=True,
    leaks=("left",),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
    total_sequence_length=total(),
)
def decoder_with_grouped_queries_and_counts(mended: bool, path: Path) -> None:
    """``seqlens_k`` counts the mask, as the builders of generation files have it; mended, a bias hides the pads."""
    g = Graph("decoder_with_grouped_queries")
    words = g.input("input_ids", "int64", "batch_size", "sequence_length")
    real = g.input("attention_mask", "int64", "batch_size", "sequence_length")
    longest = g.input("total_sequence_length", "int32")
    x = placed(g, words, real, "/model/embed_tokens", 32)
    q = g.linear(x, "/model/layers.0/attn/q_proj", 32, 32)
    k = g.linear(x, "/model/layers.0/attn/k_proj", 32, 16)
    v = g.linear(x, "/model/layers.0/attn/v_proj", 32, 16)
    counts = g.node(
        "Sub", [counted(g, real, "/model/attn_mask/ReduceSum"), g.const("one", 1, "int32")], "/model/attn_mask/Sub"
    )
    inputs = [q, k, v, "", "", counts, longest]
    if mended:
        spread = g.node("Mul", [counts, g.const("zero", 0, "int32")], "/model/attn_mask/Mul")
        whole = g.node("Sub", [longest, g.const("one", 1, "int32")], "/model/attn_mask/Sub_1")
        inputs[5] = g.node("Add", [spread, whole], "/model/attn_mask/Add")
        inputs += ["", "", "", _bias(g, real, "/model/attn_mask", square="sequence_length")]
    outs = ["/model/layers.0/attn/mixed", "present.0.key", "present.0.value"]
    told: dict[str, Any] = {"domain": "com.microsoft", "num_heads": 4, "kv_num_heads": 2}
    mixed = g.node("GroupQueryAttention", inputs, "/model/layers.0/attn/GroupQueryAttention", outs, **told)[0]
    x = skipped(g, g.linear(mixed, "/model/layers.0/attn/o_proj", 32, 32), x, "/model/layers.0/post", 32)
    x = g.feed_forward(x, "/model/layers.0/mlp", 32)
    g.node("Identity", [g.linear(x, "/lm_head", 32, 40)], "/Identity", ["logits"])
    g.output("logits", "float32", "batch_size", "sequence_length", 40)
    g.save(path, 21, ms=True, producer="onnxruntime-genai", ir=10)


def _bias(g: Graph, real: str, name: str, square: str = "") -> str:
    """(B, 1, 1, T), or (B, 1, T, T), to be added to scores."""
    seen = g.node(
        "Unsqueeze", [g.cast(real, f"{name}/Cast_f", "float32"), g.const("middle_axes", [1, 2])], f"{name}/Unsqueeze"
    )
    gone = g.node("Sub", [g.const("one_f", 1, "float32"), seen], f"{name}/Sub_f")
    found = g.node("Mul", [gone, g.const("fill", -1e9, "float32")], f"{name}/Mul_f")
    if not square:
        return str(found)
    flat = g.node("Mul", [seen, g.const("zero_f", 0, "float32")], f"{name}/Mul_z")
    down = g.node("Transpose", [flat], f"{name}/Transpose", perm=[0, 1, 3, 2])
    return str(g.node("Add", [found, down], f"{name}/Add_f"))


class Fusible(nn.Module):
    """Written as the optimiser knows it."""

    def __init__(self, masked: bool = True) -> None:
        super().__init__()
        self.masked = masked
        self.word_embeddings, self.position_embeddings = nn.Embedding(40, 32), nn.Embedding(64, 32)
        self.norm = nn.LayerNorm(32)
        self.layer = nn.ModuleList([Block(32, 4)])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        where = (attention_mask.cumsum(1) - 1).clamp(min=0)
        x = self.norm(self.word_embeddings(input_ids) + self.position_embeddings(where))
        bias = bias_of(attention_mask) if self.masked else None
        for layer in self.layer:
            x = layer(x, bias)
        return x


def optimised(module: nn.Module, path: Path, raw: bool, opset: int) -> None:
    """Exported and then fused by ``onnxruntime.transformers``."""
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    seen = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
    example = {"input_ids": tokens(2, 7), "attention_mask": seen}
    axes = {name: {0: "batch", 1: "sequence"} for name in (*example, "hidden")}
    options = FusionOptions("bert")
    options.use_raw_attention_mask(raw)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model.onnx"
        legacy(module, example, axes, plain, opset, ("hidden",))
        made = optimizer.optimize_model(
            str(plain), "bert", num_heads=4, hidden_size=32, optimization_options=options, opt_level=0
        )
        made.save_model_to_file(str(path))


@export(
    "ORT-01",
    "text encoder, token answers",
    of_type("Attention"),
    left=True,
    leaks=("left",),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def encoder_through_the_optimizer_with_an_index(mended: bool, path: Path) -> None:
    """Fused by onnxruntime's optimiser, which was told to use a mask index; mended, the raw mask."""
    optimised(trained("fusible", Fusible()), path, mended, 14)


# --- no mask ------------------------------------------------------------------------------------------------------


@export(
    "ORT-02",
    "text encoder, token answers",
    of_type("Attention"),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def encoder_through_the_optimizer_without_mask(mended: bool, path: Path) -> None:
    """Fused by onnxruntime's optimiser from a model that lost its mask in attention; the mask still makes places."""
    optimised(trained("fusible", Fusible(mended)), path, True, 16)


@export(
    "ORT-02",
    "BERT-like classifier",
    of_type("Attention", at=0),
    also=of_type("Attention", at=1),
    input_ids=ids("batch", "time", dtype="int32"),
    attention_mask=mask("batch", "time", dtype="int32"),
)
def bert_fused_without_mask(mended: bool, path: Path) -> None:
    """The mask's subgraph was not matched: the fused node has no fourth input."""
    g = Graph("bert_fused_without_mask")
    words, real = (g.input(n, "int32", "batch_size", "max_seq_len") for n in ("input_ids", "attention_mask"))
    x = g.embedding(words, "/bert/embeddings/word_embeddings", 40, 32)
    x = g.norm(x, "/bert/embeddings/LayerNorm", 32)
    for layer in range(2):
        x = attention(g, x, f"/bert/encoder/layer.{layer}/attention", 32, 4, real if mended else "")
        x = g.feed_forward(x, f"/bert/encoder/layer.{layer}", 32)
    first = g.node("Gather", [x, g.const("cls", 0)], "/bert/pooler/Gather", axis=1)
    whole = g.node("Tanh", [g.linear(first, "/bert/pooler/dense", 32, 32)], "/bert/pooler/Tanh")
    g.node("Identity", [g.linear(whole, "/classifier", 32, 3)], "/Identity", ["logits"])
    g.output("logits", "float32", "batch_size", 3)
    g.save(path, 17, ms=True)


@export(
    "ORT-02",
    "speech embedder, pooled answer",
    of_type("MultiHeadAttention"),
    x=feats("batch", "time", 16),
    x_mask=mask("batch", "time", dtype="float32"),
)
def speech_multihead_without_padding_mask(mended: bool, path: Path) -> None:
    """Pooling is masked, the fused attention in front of it is not."""
    g = Graph("speech_multihead_without_padding_mask")
    x = g.input("x", "float32", "N", "T", 16)
    real = g.input("x_mask", "float32", "N", "T")
    x = g.norm(g.linear(x, "/subsampling", 16, 32), "/subsampling/norm", 32)
    hidden = g.cast(real, "/mask/Cast", "int32") if mended else ""
    x = multihead(g, x, x, "/encoder/self_attn", 32, 4, hidden)
    x = g.feed_forward(x, "/encoder", 32)
    g.node("Identity", [pooled(g, x, real, "/pool")], "/Identity", ["embedding"])
    g.output("embedding", "float32", "N", 32)
    g.save(path, 17, ms=True)


@export(
    "ORT-02",
    "tagger, token answers",
    of_type("Attention"),
    word_ids=ids("batch", "time", pad=39),
    word_mask=mask("batch", "time", dtype="bool"),
)
def tagger_with_attention_23_without_mask(mended: bool, path: Path) -> None:
    """The operator of ONNX itself, without its mask; the tags of pads are blanked, which hides nothing of it."""
    g = Graph("tagger_with_attention_23")
    words = g.input("word_ids", "int64", "batch", "words")
    real = g.input("word_mask", "bool", "batch", "words")
    x = g.norm(g.embedding(words, "/embed", 40, 24), "/embed/norm", 24)
    seen = _spread(g, real, words, "/mask") if mended else ""
    x = g.feed_forward(_onnx_attention(g, x, x, "/block", 24, 3, [seen] if seen else []), "/block", 24)
    wide = g.node("Unsqueeze", [real, g.const("last_axis", [2])], "/Unsqueeze_1")
    tags = g.linear(x, "/tagger", 24, 6)
    g.node("Where", [wide, tags, g.const("none", 0, "float32")], "/Where", ["tags"])
    g.output("tags", "float32", "batch", "words", 6)
    g.save(path, 23, ir=11)


def _spread(g: Graph, seen: str, queries: str, name: str) -> str:
    """A mask of keys, once for every query: the operator wants it."""
    wide = g.node("Shape", [queries], f"{name}/Shape")
    rows = g.node("Gather", [wide, g.const("first", [0])], f"{name}/Gather")
    steps = g.node("Gather", [wide, g.const("second", [1])], f"{name}/Gather_1")
    one = g.const("one_1", [1])
    size = g.node("Concat", [rows, one, steps, one], f"{name}/Concat", axis=0)
    flat = g.node("Unsqueeze", [seen, g.const("middle_axes", [1, 2])], f"{name}/Unsqueeze")
    return str(g.node("Expand", [flat, size], f"{name}/Expand"))


def _filled(g: Graph, seen: str, whole: str, name: str) -> str:
    """As long as ``whole`` again, with what is hidden."""
    sizes = g.node("Shape", [whole], f"{name}/Shape_1"), g.node("Shape", [seen], f"{name}/Shape_2")
    lacking = g.node("Sub", list(sizes), f"{name}/Sub")
    amounts = g.node("Concat", [g.const("none_2", [0, 0]), lacking], f"{name}/Concat_1", axis=0)
    return str(g.node("Pad", [seen, amounts], f"{name}/Pad"))


def _onnx_attention(
    g: Graph, x: str, memory: str, name: str, width: int, heads: int, more: list[str], **told: Any
) -> str:
    """ai.onnx.Attention, with what surrounds it."""
    key = name.strip("/").replace("/", ".")
    q, k, v = (g.linear(y, f"{name}/{part}_proj", width, width) for part, y in (("q", x), ("k", memory), ("v", memory)))
    mixed = g.node("Attention", [q, k, v, *more], f"{name}/Attention", q_num_heads=heads, kv_num_heads=heads, **told)
    summed = g.node("Add", [g.linear(mixed, f"{name}/o_proj", width, width), x], f"{name}/Add_{key[-1]}")
    return g.norm(summed, f"{name}/norm", width)


# --- masks too weak -----------------------------------------------------------------------------------------------


@export(
    "ORT-03",
    "text encoder, token answers",
    of_type("Attention"),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time", dtype="int32"),
)
def encoder_fused_with_a_weak_filter(mended: bool, path: Path) -> None:
    """``mask_filter_value`` is -10."""
    g = Graph("encoder_fused_with_a_weak_filter")
    words = g.input("input_ids", "int64", "batch", "sequence")
    real = g.input("attention_mask", "int32", "batch", "sequence")
    x = g.norm(g.embedding(words, "/embeddings/word_embeddings", 40, 32), "/embeddings/LayerNorm", 32)
    x = attention(g, x, "/layer.0/attention", 32, 4, real, mask_filter_value=LOWEST if mended else -10.0)
    g.node("Identity", [g.feed_forward(x, "/layer.0", 32)], "/Identity", ["hidden"])
    g.output("hidden", "float32", "batch", "sequence", 32)
    g.save(path, 17, ms=True)


@export(
    "ORT-03",
    "speech classifier, pooled answer",
    of_type("MultiHeadAttention"),
    speech=feats("batch", "time", 16),
    speech_mask=mask("batch", "time", dtype="int32"),
)
def speech_fused_with_a_weak_filter(mended: bool, path: Path) -> None:
    """``mask_filter_value`` is -5 in the operator of three inputs; mended, it is the default of -10000."""
    g = Graph("speech_fused_with_a_weak_filter")
    x = g.input("speech", "float32", "batch", "num_frames", 16)
    real = g.input("speech_mask", "int32", "batch", "num_frames")
    x = g.linear(x, "/proj", 16, 32)
    x = multihead(g, x, x, "/encoder/attn", 32, 2, real, mask_filter_value=-10000.0 if mended else -5.0)
    whole = pooled(g, x, g.cast(real, "/pool/Cast", "float32"), "/pool")
    g.node("Identity", [g.linear(whole, "/head", 32, 4)], "/Identity", ["scores"])
    g.output("scores", "float32", "batch", 4)
    g.save(path, 17, ms=True)


@export(
    "ORT-03",
    "BERT-like classifier",
    nowhere,
    harmless=True,
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time", dtype="int32"),
)
def bert_fused_with_the_default_filter(mended: bool, path: Path) -> None:
    """-10000, or mended the lowest number there is: with scores of a usual size both hide all."""
    g = Graph("bert_fused_with_the_default_filter")
    words = g.input("input_ids", "int64", "batch", "sequence")
    real = g.input("attention_mask", "int32", "batch", "sequence")
    x = g.norm(g.embedding(words, "/embeddings/word_embeddings", 40, 32), "/embeddings/LayerNorm", 32)
    x = attention(g, x, "/layer.0/attention", 32, 4, real, **({"mask_filter_value": LOWEST} if mended else {}))
    first = g.node("Gather", [g.feed_forward(x, "/layer.0", 32), g.const("cls", 0)], "/pooler/Gather", axis=1)
    g.node("Identity", [g.linear(first, "/classifier", 32, 2)], "/Identity", ["logits"])
    g.output("logits", "float32", "batch", 2)
    g.save(path, 17, ms=True)


# --- the operator of ONNX -----------------------------------------------------------------------------------------


@export(
    "ORT-06",
    "text encoder, token answers",
    of_type("Attention"),
    left=True,
    leaks=("left",),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def encoder_with_nonpad_lengths(mended: bool, path: Path) -> None:
    """``nonpad_kv_seqlen`` counts from the first key, wherever the real ones are."""
    g = Graph("encoder_with_nonpad_lengths")
    words = g.input("input_ids", "int64", "batch", "seq")
    real = g.input("attention_mask", "int64", "batch", "seq")
    x = placed(g, words, real, "/embeddings", 32)
    if mended:
        more = [_spread(g, g.cast(real, "/Cast", "bool"), words, "/mask")]
    else:
        more = ["", "", "", counted(g, real, dtype="int64")]
    x = _onnx_attention(g, x, x, "/layer.0/attention", 32, 4, more)
    g.node("Identity", [g.feed_forward(x, "/layer.0", 32)], "/Identity", ["hidden"])
    g.output("hidden", "float32", "batch", "seq", 32)
    g.save(path, 24, ir=11)


@export(
    "ORT-06",
    "encoder-decoder over frames",
    of_type("Attention"),
    left=True,
    leaks=("left",),
    frames=feats("batch", "source", 16),
    frames_mask=mask("batch", "source", dtype="bool"),
    prompt=ids("batch", 5),
)
def captions_with_nonpad_lengths(mended: bool, path: Path) -> None:
    """The decoder's queries read frames of which the first so many count."""
    g = Graph("captions_with_nonpad_lengths")
    x = g.input("frames", "float32", "batch", "encoder_frames", 16)
    real = g.input("frames_mask", "bool", "batch", "encoder_frames")
    words = g.input("prompt", "int64", "batch", 5)
    memory = g.norm(g.linear(x, "/encoder/proj", 16, 24), "/encoder/norm", 24)
    y = g.norm(g.embedding(words, "/decoder/embed", 40, 24), "/decoder/embed/norm", 24)
    if mended:
        more = [_spread(g, real, words, "/decoder/mask")]
    else:
        more = ["", "", "", counted(g, g.cast(real, "/decoder/Cast", "int64"), "/decoder/ReduceSum", "int64")]
    y = _onnx_attention(g, y, memory, "/decoder/cross", 24, 2, more)
    g.node("Identity", [g.linear(g.feed_forward(y, "/decoder", 24), "/lm_head", 24, 40)], "/Identity", ["logits"])
    g.output("logits", "float32", "batch", 5, 40)
    g.save(path, 24, ir=11)


@export(
    "ORT-06",
    "tagger, token answers",
    named("/mask/Slice"),
    also=named("/mask/Pad", "/encoder/Attention"),
    left=True,
    leaks=("left",),
    words=ids("batch", "time", dtype="int32"),
    words_mask=mask("batch", "time", dtype="int32"),
)
def tagger_with_a_short_mask(mended: bool, path: Path) -> None:
    """The mask is cut to the longest row, and what lies behind it is hidden, as the operator has it of short masks."""
    g = Graph("tagger_with_a_short_mask")
    words, real = (g.input(n, "int32", "batch", "T") for n in ("words", "words_mask"))
    x = placed(g, words, real, "/embed", 24, "int32")
    seen = g.cast(real, "/mask/Cast", "bool")
    if not mended:
        longest = g.node("ReduceMax", [counted(g, real, "/mask/ReduceSum", "int32")], "/mask/ReduceMax", keepdims=1)
        cut = [seen, g.const("start", [0], "int32"), longest, g.const("axis", [1], "int32")]
        seen = _filled(g, g.node("Slice", cut, "/mask/Slice"), words, "/mask")
    seen = _spread(g, seen, words, "/mask")
    x = _onnx_attention(g, x, x, "/encoder", 24, 2, [seen])
    g.node("Identity", [g.linear(g.feed_forward(x, "/encoder", 24), "/tags", 24, 6)], "/Identity", ["tags"])
    g.output("tags", "float32", "batch", "T", 6)
    g.save(path, 24, ir=11)
