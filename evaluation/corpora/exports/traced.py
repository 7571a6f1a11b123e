"""What tracing leaves: masks dropped, lengths, times and causality baked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from evaluation.corpora.exports.graph import (
    Attention,
    Block,
    Embeddings,
    FusedAttention,
    bias_of,
    dynamo,
    frames,
    legacy,
    real_of,
    tokens,
    trained,
)
from evaluation.corpora.exports.registry import (
    additive,
    export,
    feats,
    ids,
    lengths,
    mask,
    named,
    nowhere,
    of_type,
    padmask,
    types,
)

TEXT: dict[str, Any] = {
    "input_ids": {0: "batch_size", 1: "sequence_length"},
    "attention_mask": {0: "batch_size", 1: "sequence_length"},
}


class Sentences(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = Embeddings(40, 32)
        self.layer = nn.ModuleList([Block(32, 4), Block(32, 4)])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embeddings(input_ids)
        bias = None if bool((attention_mask == 1).all()) else bias_of(attention_mask)
        for layer in self.layer:
            x = layer(x, bias)
        return x


@export(
    "EXP-01",
    "text encoder, token answers",
    named("/layer.0/attention/Softmax"),
    also=named("/layer.1/attention/Softmax"),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def encoder_traced_with_a_full_mask(mended: bool, path: Path) -> None:
    """The branch that masks is skipped where nothing is padded, and the example had no pads."""
    seen = torch.ones(2, 7, dtype=torch.long)
    if mended:
        seen[1, 5:] = 0
    example = {"input_ids": tokens(2, 7), "attention_mask": seen}
    axes = {**TEXT, "last_hidden_state": {0: "batch_size", 1: "sequence_length"}}
    legacy(trained("sentences", Sentences()), example, axes, path, 14, ("last_hidden_state",))


class Utterances(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(12, 24)
        self.blocks = nn.ModuleList([Block(24), Block(24)])
        self.classify = nn.Linear(24, 5)

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> Tensor:
        real = real_of(speech_lengths, speech.shape[1])
        bias = None
        if int(speech_lengths.min()) < speech.shape[1]:
            bias = bias_of(real)
        x = self.project(speech)
        for block in self.blocks:
            x = block(x, bias)
        weight = real.unsqueeze(-1).float()
        return self.classify((x * weight).sum(1) / weight.sum(1))


@export(
    "EXP-01",
    "speech classifier, pooled answer",
    named("/blocks.0/attention/Softmax"),
    also=named("/blocks.1/attention/Softmax"),
    speech=feats("batch", "time", 12),
    speech_lengths=lengths(dtype="int32"),
)
def utterances_traced_at_full_length(mended: bool, path: Path) -> None:
    """Attention is masked only where a row is shorter than the batch; in the example none was. Pooling is masked."""
    sizes = torch.tensor([9, 6] if mended else [9, 9], dtype=torch.int32)
    axes = {"speech": {0: "B", 1: "T"}, "speech_lengths": {0: "B"}, "logits": {0: "B"}}
    example = {"speech": frames(2, 9, 12), "speech_lengths": sizes}
    legacy(trained("utterances", Utterances()), example, axes, path, 16)


class Reranker(nn.Module):
    def __init__(self, used: bool) -> None:
        super().__init__()
        self.used = used
        self.embeddings = Embeddings(40, 32)
        self.segments = nn.Embedding(2, 32)
        self.encoder = Block(32, 4, FusedAttention)
        self.score = nn.Linear(32, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        x = self.embeddings(input_ids) + self.segments(token_type_ids)
        bias = attention_mask[:, None, None, :].bool() if self.used else None
        return self.score(self.encoder(x, bias)[:, 0])


@export(
    "EXP-01",
    "BERT-like classifier",
    of_type("Softmax"),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
    token_type_ids=types("batch", "time"),
)
def reranker_with_an_idle_mask(mended: bool, path: Path) -> None:
    """The file takes a mask, and nothing reads it."""
    example = {
        "input_ids": tokens(2, 7),
        "attention_mask": torch.tensor([[1] * 7, [1] * 4 + [0] * 3]),
        "token_type_ids": torch.zeros(2, 7, dtype=torch.long),
    }
    both = {0: torch.export.Dim("batch"), 1: torch.export.Dim("seq")}
    dynamo(trained("reranker", Reranker(mended)), example, dict.fromkeys(example, both), path, output_names=["score"])


class Translator(nn.Module):
    def __init__(self, crossed: bool) -> None:
        super().__init__()
        self.crossed = crossed
        self.source, self.target = Embeddings(40, 24), Embeddings(40, 24)
        self.encoder = Block(24)
        self.decoder = Block(24)
        self.cross, self.cross_norm = Attention(24), nn.LayerNorm(24)
        self.lm_head = nn.Linear(24, 40)

    def forward(self, src: Tensor, src_padding_mask: Tensor, tgt: Tensor) -> Tensor:
        bias = bias_of(~src_padding_mask)
        memory = self.encoder(self.source(src), bias)
        steps = torch.arange(tgt.shape[1])
        causal = (steps[:, None] < steps[None, :]).float() * -1e9
        x = self.decoder(self.target(tgt), causal)
        x = self.cross_norm(x + self.cross(x, bias if self.crossed else None, memory))
        return self.lm_head(x)


@export(
    "EXP-01",
    "encoder-decoder",
    named("/cross/Softmax"),
    src=ids("batch", "source", pad=1),
    src_padding_mask=padmask("batch", "source"),
    tgt=ids("batch", "target", pad=1),
)
def translator_without_memory_mask(mended: bool, path: Path) -> None:
    """The source is masked in the encoder; the decoder was given no mask of the memory when it was traced."""
    hidden = torch.zeros(2, 7, dtype=torch.bool)
    hidden[1, 5:] = True
    example = {"src": tokens(2, 7), "src_padding_mask": hidden, "tgt": tokens(2, 5, seed=1)}
    axes = {
        "src": {0: "batch", 1: "src_len"},
        "src_padding_mask": {0: "batch", 1: "src_len"},
        "tgt": {0: "batch", 1: "tgt_len"},
        "logits": {0: "batch", 1: "tgt_len"},
    }
    legacy(trained("translator", Translator(mended)), example, axes, path, 13)


class Continued(nn.Module):
    """A language model for rows that are padded in front, as generation wants them."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.wte, self.wpe = nn.Embedding(40, 32), nn.Embedding(64, 32)
        self.h = Block(32, 4)
        self.lm_head = nn.Linear(32, 40)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.wte(input_ids) + self.wpe((attention_mask.cumsum(1) - 1).clamp(min=0))
        steps = torch.arange(input_ids.shape[1])
        bias = (steps[:, None] < steps[None, :]).float() * -1e9
        if self.masked:
            bias = torch.minimum(bias, bias_of(attention_mask))
        return self.lm_head(self.h(x, bias))


@export(
    "EXP-01",
    "decoder language model",
    named("/h/attention/Softmax"),
    left=True,
    leaks=("left",),
    input_ids=ids("batch", "time", pad=2),
    attention_mask=mask("batch", "time"),
)
def decoder_whose_mask_makes_places_only(mended: bool, path: Path) -> None:
    """Attention is causal and was given no mask: that hides pads behind a row, and none in front of it."""
    example = {"input_ids": tokens(2, 6), "attention_mask": torch.tensor([[1] * 6, [0] * 2 + [1] * 4])}
    axes = {**TEXT, "logits": {0: "batch_size", 1: "sequence_length"}}
    legacy(trained("continued", Continued(mended)), example, axes, path, 14)


class TrimmedText(nn.Module):
    """Cuts a batch to its longest row before it pools."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.cut = cut
        self.embeddings = Embeddings(40, 32)
        self.layer = Block(32, 4)
        self.classifier = nn.Linear(32, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.layer(self.embeddings(input_ids), bias_of(attention_mask))
        if self.cut:
            longest = int(attention_mask.sum(1).max())
            return self.classifier(x[:, :longest].mean(1))
        weight = attention_mask.unsqueeze(-1).to(x.dtype)
        return self.classifier((x * weight).sum(1) / weight.sum(1))


@export(
    "EXP-02",
    "BERT-like classifier",
    of_type("ReduceMean", at=-1),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def classifier_cut_at_the_traced_count(mended: bool, path: Path) -> None:
    """The valid count of the example became a number, so that the mean takes in pads up to it."""
    example = {"input_ids": tokens(1, 9), "attention_mask": torch.tensor([[1] * 7 + [0] * 2])}
    axes = {**TEXT, "logits": {0: "batch_size"}}
    legacy(trained("trimmed", TrimmedText(not mended)), example, axes, path)


class Speakers(nn.Module):
    """One embedding per utterance, row by row."""

    def __init__(self, baked: bool) -> None:
        super().__init__()
        self.baked = baked
        self.frame = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16), nn.LayerNorm(16))
        self.embed = nn.Linear(16, 8)

    def forward(self, feats: Tensor, feats_len: Tensor) -> Tensor:
        x = self.frame(feats)
        pooled = []
        for row in range(x.shape[0]):
            if self.baked:
                pooled.append(x[row, : int(feats_len[row])].mean(0))
            else:
                weight = (torch.arange(x.shape[1]) < feats_len[row]).unsqueeze(-1).float()
                pooled.append((x[row] * weight).sum(0) / weight.sum(0))
        return self.embed(torch.stack(pooled))


@export(
    "EXP-02",
    "speech embedder, pooled answer",
    lambda model: {n.name for n in model.graph.node if n.op_type == "ReduceMean" and not n.name.startswith("/frame")},
    feats=feats("batch", "time", 12),
    feats_len=lengths(),
    held={"batch": 4},
)
def speakers_looped_over_traced_lengths(mended: bool, path: Path) -> None:
    """A Python loop over rows; ``int`` of each length is what the example had. Both files take four rows."""
    example = {"feats": frames(4, 9, 12), "feats_len": torch.tensor([9, 8, 6, 7])}
    axes = {"feats": {1: "time"}}
    legacy(trained("speakers", Speakers(not mended)), example, axes, path, 15, ("xvector",))


class Keywords(nn.Module):
    """Convolutions over frames that are blanked behind their end."""

    def __init__(self, baked: bool) -> None:
        super().__init__()
        self.baked = baked
        self.conv1, self.conv2 = nn.Conv1d(10, 24, 3, padding=1), nn.Conv1d(24, 24, 3, padding=1)
        self.out = nn.Linear(24, 6)

    def forward(self, mfcc: Tensor, length: Tensor) -> Tensor:
        steps = torch.arange(mfcc.shape[2])
        real = (steps < (int(length[0]) if self.baked else length[:, None, None])).float()
        real = real.expand(mfcc.shape[0], 1, -1)
        x = self.conv1(mfcc * real).relu() * real
        x = self.conv2(x).relu() * real
        return self.out(x.amax(2))


@export(
    "EXP-02",
    "convolutional keyword spotter, time last",
    named("/conv2/Conv"),
    also=named("/conv1/Conv"),
    mfcc=feats("batch", 10, "time"),
    length=lengths(),
)
def keywords_with_one_baked_length(mended: bool, path: Path) -> None:
    """The mask is of the length that the only row of the example had."""
    example = {"mfcc": frames(1, 10, 9), "length": torch.tensor([8])}
    axes = {"mfcc": {0: "N", 2: "frames"}, "length": {0: "N"}, "scores": {0: "N"}}
    legacy(trained("keywords", Keywords(not mended)), example, axes, path, 11, ("scores",))


class Counted(nn.Module):
    """Frames of which so many are real."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.block = nn.Linear(12, 24), Block(24, 2, FusedAttention)
        self.out = nn.Linear(24, 5)

    def forward(self, audio: Tensor, n_valid: Any) -> Tensor:
        if isinstance(n_valid, Tensor):
            real = torch.arange(audio.shape[1])[None, :] < n_valid[:, None]
        else:
            real = (torch.arange(audio.shape[1]) < n_valid).expand(audio.shape[0], -1)
        x = self.block(self.project(audio), real[:, None, None, :])
        return self.out(torch.where(real.unsqueeze(-1), x, -1e4).amax(1))


@export(
    "EXP-02",
    "speech classifier, pooled answer",
    of_type("Softmax"),
    also=of_type("ReduceMax"),
    audio=feats("batch", "time", 12),
    n_valid=lengths(),
)
def speech_with_a_specialised_count(mended: bool, path: Path) -> None:
    """The count of real frames was a Python number, which ``torch.export`` takes for a constant."""
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("frames")}
    example: dict[str, Any] = {"audio": frames(2, 9, 12), "n_valid": torch.tensor([9, 7]) if mended else 8}
    shapes = {"audio": axes, "n_valid": {0: axes[0]} if mended else None}
    dynamo(trained("counted", Counted()), example, shapes, path, output_names=["logits"])


class FrozenMask(nn.Module):
    """A tagger whose mask is made outside torch."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.frozen = frozen
        self.embeddings = Embeddings(40, 24)
        self.encoder = Block(24)
        self.tags = nn.Linear(24, 7)

    def forward(self, tokens: Tensor, n_tokens: Tensor) -> Tensor:
        if self.frozen:
            hidden = torch.tensor([[step >= n for step in range(13)] for n in n_tokens.tolist()])
        else:
            hidden = torch.arange(13)[None, :] >= n_tokens[:, None]
        bias = hidden[:, None, None, :].float() * -1e9
        return self.tags(self.encoder(self.embeddings(tokens), bias))


@export(
    "EXP-02",
    "tagger of a fixed size",
    named("/encoder/attention/Softmax"),
    tokens=ids("batch", "time", dtype="int32"),
    n_tokens=lengths(dtype="int32"),
    held={"batch": 2, "time": 13},
)
def tagger_with_a_frozen_mask(mended: bool, path: Path) -> None:
    """The mask was made of a Python list of the lengths, and is a constant."""
    example = {"tokens": tokens(2, 13).int(), "n_tokens": torch.tensor([13, 7], dtype=torch.int32)}
    legacy(trained("frozen", FrozenMask(not mended)), example, None, path, 14, ("tags",))


class TableMask(nn.Module):
    """A mask that is cut, and filled up, to the longest that the model knows."""

    def __init__(self, baked: bool) -> None:
        super().__init__()
        self.baked = baked
        self.embeddings = Embeddings(40, 32)
        self.layer = nn.ModuleList([Block(32, 4), Block(32, 4)])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        known = attention_mask
        if self.baked:
            longest = int(input_ids.shape[1])
            known = torch.cat([attention_mask[:, :longest], torch.ones_like(attention_mask[:, longest:])], 1)
        x, bias = self.embeddings(input_ids), bias_of(known)
        for layer in self.layer:
            x = layer(x, bias)
        return x


@export(
    "EXP-03",
    "text encoder, token answers",
    named("/layer.0/attention/Softmax"),
    also=named("/layer.1/attention/Softmax"),
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def encoder_masked_up_to_the_traced_length(mended: bool, path: Path) -> None:
    """The mask counts up to the length of the example; behind that every step is real. Shorter rows are sound."""
    seen = torch.ones(2, 9, dtype=torch.long)
    seen[1, 5:] = 0
    axes = {**TEXT, "hidden": {0: "batch_size", 1: "sequence_length"}}
    example = {"input_ids": tokens(2, 9), "attention_mask": seen}
    legacy(trained("table", TableMask(not mended)), example, axes, path, 17, ("hidden",))


class Bucketed(nn.Module):
    """Fills every batch up to one size before the encoder."""

    def __init__(self, real_beyond: bool) -> None:
        super().__init__()
        self.real_beyond = real_beyond
        self.project = nn.Linear(12, 24)
        self.block = Block(24)
        self.ctc = nn.Linear(24, 9)

    def forward(self, audio: Tensor, audio_len: Tensor) -> Tensor:
        total = audio.shape[1]
        real = real_of(audio_len, total).float()
        x = self.project(pad(audio, (0, 0, 0, 26 - total)))
        real = pad(real, (0, 26 - total), value=float(self.real_beyond))
        return self.ctc(self.block(x, bias_of(real)))[:, :total]


@export(
    "EXP-03",
    "frame model, frame answers",
    named("/block/attention/Softmax"),
    audio=feats("batch", "time", 12),
    audio_len=lengths(),
    inside={"time": 26},
)
def frames_filled_up_to_a_bucket(mended: bool, path: Path) -> None:
    """26 frames in all, whatever comes; those that the file itself adds are masked as real ones."""
    example = {"audio": frames(2, 9, 12), "audio_len": torch.tensor([9, 6])}
    axes = {"audio": {0: "batch", 1: "frames"}, "audio_len": {0: "batch"}, "log_probs": {0: "batch", 1: "frames"}}
    legacy(trained("bucketed", Bucketed(not mended)), example, axes, path, 13, ("log_probs",))


@torch.jit.script
def _scripted(x: Tensor, real: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    state = torch.zeros(x.shape[0], u.shape[0])
    for step in range(x.shape[1]):
        new = torch.tanh(x[:, step] @ w + state @ u + b)
        state = torch.where(real[:, step].unsqueeze(1), new, state)
    return state


class Unrolled(nn.Module):
    """A cell of one's own, in a loop over the steps."""

    def __init__(self, scripted: bool) -> None:
        super().__init__()
        self.scripted = scripted
        self.embed = nn.Embedding(40, 16)
        self.w, self.u = nn.Parameter(torch.zeros(16, 20)), nn.Parameter(torch.zeros(20, 20))
        self.b = nn.Parameter(torch.zeros(20))
        self.out = nn.Linear(20, 4)

    def forward(self, events: Tensor, valid: Tensor) -> Tensor:
        x = self.embed(events)
        if self.scripted:
            return self.out(_scripted(x, valid, self.w, self.u, self.b))
        state = torch.zeros(x.shape[0], 20)
        for step in range(x.shape[1]):
            new = torch.tanh(x[:, step] @ self.w + state @ self.u + self.b)
            state = torch.where(valid[:, step].unsqueeze(1), new, state)
        return self.out(state)


@export(
    "EXP-03",
    "recurrent classifier of events",
    lambda model: {n.name for n in model.graph.node if n.op_type == "Gather" and "/embed/" in n.input[0]},
    also=lambda model: {n.name for n in model.graph.node if n.op_type == "Gather" and n.input[0] == "valid"},
    left=True,
    leaks=("left",),
    shortest=6,
    events=ids("batch", "time"),
    valid=mask("batch", "time", dtype="bool"),
)
def events_unrolled_to_the_traced_length(mended: bool, path: Path) -> None:
    """The loop over steps is six steps long, as the example was: in front of a row, pads push its end out."""
    example = {"events": tokens(2, 6), "valid": torch.tensor([[True] * 6, [True] * 4 + [False] * 2])}
    axes = {"events": {0: "batch", 1: "steps"}, "valid": {0: "batch", 1: "steps"}, "logits": {0: "batch"}}
    legacy(trained("unrolled", Unrolled(mended)), example, axes, path, 17)


class FixedText(nn.Module):
    """A classifier for a device that knows one size."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = Embeddings(40, 32)
        self.layer = Block(32, 4)
        self.pooler, self.classifier = nn.Linear(32, 32), nn.Linear(32, 3)

    def forward(self, input_ids: Tensor, input_mask: Tensor) -> Tensor:
        full = bool(input_mask.bool().all())
        x = self.layer(self.embeddings(input_ids), None if full else bias_of(input_mask))
        return self.classifier(self.pooler(x[:, 0]).tanh())


@export(
    "EXP-03",
    "BERT-like classifier of a fixed size",
    named("/layer/attention/Softmax"),
    input_ids=ids("batch", "time", dtype="int32"),
    input_mask=mask("batch", "time", dtype="int32"),
    held={"batch": 1, "time": 19},
)
def device_classifier_of_one_size(mended: bool, path: Path) -> None:
    """One row of 19 tokens, traced full: what stands at the pads is read."""
    seen = torch.ones(1, 19, dtype=torch.int32)
    if mended:
        seen[:, 11:] = 0
    example = {"input_ids": tokens(1, 19).int(), "input_mask": seen}
    legacy(trained("device", FixedText()), example, None, path, 12)


class FixedFrames(nn.Module):
    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.pooled = pooled
        self.project = nn.Linear(12, 24)
        self.block = Block(24, 2, FusedAttention)
        self.out = nn.Linear(24, 5)

    def forward(self, fbank: Tensor, fbank_len: Tensor) -> Tensor:
        real = torch.arange(fbank.shape[1])[None, :] < fbank_len[:, None]
        x = self.block(self.project(fbank), real[:, None, None, :])
        if not self.pooled:
            return self.out(x.mean(1))
        weight = real.unsqueeze(-1).to(x.dtype)
        return self.out((x * weight).sum(1) / weight.sum(1))


@export(
    "EXP-03",
    "speech classifier of a fixed size",
    of_type("ReduceMean", at=-1),
    fbank=feats("batch", "time", 12),
    fbank_len=lengths(),
    held={"batch": 2, "time": 23},
)
def speech_of_one_size(mended: bool, path: Path) -> None:
    """Exported without dynamic shapes; the mean is over all 23 frames, pads and all."""
    example = {"fbank": frames(2, 23, 12), "fbank_len": torch.tensor([23, 15])}
    dynamo(trained("speech", FixedFrames(mended)), example, None, path)


class MeanByTrace(nn.Module):
    def __init__(self, counted: bool) -> None:
        super().__init__()
        self.counted = counted
        self.embeddings = Embeddings(40, 32)
        self.layer = Block(32, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        weight = attention_mask.unsqueeze(-1).float()
        x = self.layer(self.embeddings(input_ids), bias_of(attention_mask)) * weight
        return x.sum(1) / (weight.sum(1) if self.counted else int(x.shape[1]))


@export(
    "EXP-03",
    "sentence embedder",
    nowhere,
    harmless=True,
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def mean_divided_by_the_traced_length(mended: bool, path: Path) -> None:
    """A masked sum over a number that tracing left: wrong for other lengths, and yet padding moves nothing."""
    example = {"input_ids": tokens(2, 7), "attention_mask": torch.tensor([[1] * 7, [1] * 5 + [0] * 2])}
    legacy(trained("mean", MeanByTrace(mended)), example, {**TEXT, "emb": {0: "batch_size"}}, path, 14, ("emb",))


@export(
    "EXP-03",
    "frame model, frame answers",
    nowhere,
    harmless=True,
    audio=feats("batch", "time", 12),
    audio_len=lengths(),
    inside={"time": 26},
)
def bucket_of_masked_rows(mended: bool, path: Path) -> None:
    """The file adds rows of its own, and its mask covers them: up to 26 or, mended, none."""

    class Own(Bucketed):
        def forward(self, audio: Tensor, audio_len: Tensor) -> Tensor:
            real = real_of(audio_len, audio.shape[1])
            return self.ctc(self.block(self.project(audio), bias_of(real)))

    example = {"audio": frames(2, 9, 12), "audio_len": torch.tensor([9, 6])}
    axes = {"audio": {0: "batch", 1: "frames"}, "audio_len": {0: "batch"}, "log_probs": {0: "batch", 1: "frames"}}
    model = Own(False) if mended else Bucketed(False)
    legacy(trained("bucketed", model), example, axes, path, 13, ("log_probs",))


class Decoder(nn.Module):
    def __init__(self, vocab: int = 40) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, 32), nn.Embedding(64, 32)
        self.h = nn.ModuleList([Block(32, 4, FusedAttention), Block(32, 4, FusedAttention)])
        self.lm_head = nn.Linear(32, vocab)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.wte(input_ids) + self.wpe(torch.arange(input_ids.shape[1]))
        causal = bool(input_ids.shape[1] > 1)
        for block in self.h:
            x = block(x, causal=causal)
        return self.lm_head(x)


@export(
    "EXP-04",
    "decoder language model",
    named("/h.0/attention/Softmax"),
    also=named("/h.1/attention/Softmax"),
    input_ids=ids("batch", "time"),
)
def decoder_exported_at_one_step(mended: bool, path: Path) -> None:
    """``is_causal = q_len > 1`` was false for the one step of the example."""
    axes = {"input_ids": {0: "batch", 1: "sequence"}, "logits": {0: "batch", 1: "sequence"}}
    legacy(trained("decoder", Decoder()), {"input_ids": tokens(2, 5 if mended else 1)}, axes, path, 14)


@export(
    "EXP-04",
    "decoder language model",
    of_type("Softmax", at=0),
    also=of_type("Softmax"),
    tokens=ids("batch", "time", vocab=40),
)
def decoder_by_the_newer_exporter_at_one_step(mended: bool, path: Path) -> None:
    """The same through ``torch.export``: with ``Dim.AUTO`` both sizes are free, and the answer for one step remains."""

    class Named(Decoder):
        def forward(self, tokens: Tensor) -> Tensor:
            return super().forward(tokens)

    sizes = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    example = {"tokens": tokens(2, 5 if mended else 1)}
    dynamo(trained("newer", Named()), example, {"tokens": sizes}, path, output_names=["logits"])


class MaskedDecoder(nn.Module):
    """A language model for batches that are padded on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(40, 32), nn.Embedding(64, 32)
        self.h = nn.ModuleList([Block(32, 4)])
        self.lm_head = nn.Linear(32, 40)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        places = (attention_mask.cumsum(1) - 1).clamp(min=0)
        x = self.wte(input_ids) + self.wpe(places)
        seen = attention_mask[:, None, None, :].bool()
        if input_ids.shape[1] > 1:
            steps = torch.arange(input_ids.shape[1])
            seen = seen & (steps[:, None] >= steps[None, :])
        bias = (~seen).float() * -1e9
        for block in self.h:
            x = block(x, bias)
        return self.lm_head(x)


@export(
    "EXP-04",
    "decoder language model",
    nowhere,
    harmless=True,
    left=True,
    input_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def masked_decoder_exported_at_one_step(mended: bool, path: Path) -> None:
    """No causality, as the example was one step long; but pads are masked, so that padding moves nothing."""
    steps = 5 if mended else 1
    example = {"input_ids": tokens(2, steps), "attention_mask": torch.ones(2, steps, dtype=torch.long)}
    axes = {name: {0: "batch", 1: "sequence"} for name in ("input_ids", "attention_mask", "logits")}
    legacy(trained("masked", MaskedDecoder()), example, axes, path, 14)


class Items(nn.Module):
    """The next item, after all items before."""

    def __init__(self, counted: bool) -> None:
        super().__init__()
        self.counted = counted
        self.item, self.place = nn.Embedding(40, 24), nn.Embedding(64, 24)
        self.attention, self.norm = Attention(24), nn.LayerNorm(24)

    def forward(self, history: Tensor) -> Tensor:
        steps = torch.arange(history.shape[1])
        x = self.item(history) + self.place(steps)
        if self.counted:
            future = steps[:, None] < steps[None, :]
        else:
            future = ~torch.ones(int(history.shape[1]), int(history.shape[1]), dtype=torch.bool).tril()
        x = self.norm(x + self.attention(x, future.float() * -1e9))
        return x @ self.item.weight.T


@export("EXP-04", "recommender", named("/attention/Softmax"), history=ids("batch", "time"))
def recommender_with_a_one_step_triangle(mended: bool, path: Path) -> None:
    """The triangle is one step by one, as the example was, and is spread over all steps."""
    axes = {"history": {0: "users", 1: "clicks"}, "scores": {0: "users", 1: "clicks"}}
    legacy(trained("items", Items(mended)), {"history": tokens(3, 1)}, axes, path, 15, ("scores",))


class Captioner(nn.Module):
    """Text after frames."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.encoder = nn.Linear(12, 24), Block(24)
        self.words, self.decoder = Embeddings(40, 24), Block(24, 2, FusedAttention)
        self.cross, self.cross_norm = Attention(24), nn.LayerNorm(24)
        self.out = nn.Linear(24, 40)

    def forward(self, frames: Tensor, frames_mask: Tensor, decoder_ids: Tensor) -> Tensor:
        memory = self.encoder(self.project(frames), frames_mask[:, None, None, :])
        x = self.decoder(self.words(decoder_ids), causal=bool(decoder_ids.shape[1] > 1))
        return self.out(self.cross_norm(x + self.cross(x, frames_mask[:, None, None, :], memory)))


@export(
    "EXP-04",
    "encoder-decoder over frames",
    named("/decoder/attention/Softmax"),
    frames=feats("batch", "source", 12),
    frames_mask=additive("batch", "source"),
    decoder_ids=ids("batch", "target"),
)
def captions_exported_at_one_step(mended: bool, path: Path) -> None:
    """Exported for one step of generation, and asked for whole captions."""
    steps = 4 if mended else 1
    example = {"frames": frames(2, 8, 12), "frames_mask": torch.zeros(2, 8), "decoder_ids": tokens(2, steps)}
    axes: dict[str, Any] = {name: {0: "batch", 1: "encoder_sequence"} for name in ("frames", "frames_mask")}
    axes |= {name: {0: "batch", 1: "decoder_sequence"} for name in ("decoder_ids", "logits")}
    legacy(trained("captioner", Captioner()), example, axes, path, 14)
