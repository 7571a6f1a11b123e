"""Two sequences in one model: an encoder and a decoder that reads it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .attention import Block, Causal, SelfAttention
from .case import MATES, PADS, RIGHT, ROUND, SIDE, Case, Input, Output, features, lengths, mask, tokens
from .export import torch_case


class CrossAttention(SelfAttention):
    """Queries from the decoder, keys and values from the encoder."""

    def read(self, x: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        weights = scores.softmax(-1) if mask is None else self.weights(scores, mask)
        return self.out((weights @ value).transpose(1, 2).flatten(-2))


class Translator(nn.Module):
    """The encoder masks its pads; the decoder is causal, and reads the memory with a mask or without."""

    def __init__(self, cross_masked: bool) -> None:
        super().__init__()
        self.cross_masked = cross_masked
        self.source = nn.Embedding(50, 32)
        self.target = nn.Embedding(40, 32)
        self.encoder = Block(SelfAttention())
        self.decoder = Block(Causal(padding=False))
        self.cross = CrossAttention()
        self.head = nn.Linear(32, 40)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        memory = self.encoder(self.source(input_ids), attention_mask)
        x = self.decoder(self.target(decoder_input_ids), decoder_input_ids)
        x = x + self.cross.read(x, memory, attention_mask if self.cross_masked else None)
        return self.head(x)


class MaskedTranslator(Translator):
    """Also takes a mask of the target, so that left pads there are harmless."""

    def __init__(self) -> None:
        super().__init__(cross_masked=True)
        self.decoder = Block(Causal(padding=True))

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor, decoder_attention_mask: Tensor
    ) -> Tensor:
        memory = self.encoder(self.source(input_ids), attention_mask)
        x = self.decoder(self.target(decoder_input_ids), decoder_attention_mask)
        return self.head(x + self.cross.read(x, memory, attention_mask))


class Synthesiser(nn.Module):
    """Text and reference frames, each with a number of valid steps; the frames are averaged with or without theirs."""

    def __init__(self, frames_masked: bool) -> None:
        super().__init__()
        self.frames_masked = frames_masked
        self.text = nn.Embedding(50, 32)
        self.encoder = Block(SelfAttention())
        self.frames = nn.Linear(16, 32)
        self.head = nn.Linear(32, 12)

    def forward(self, text: Tensor, text_lengths: Tensor, mels: Tensor, mel_lengths: Tensor) -> Tensor:
        x = self.encoder(self.text(text), (torch.arange(text.shape[1])[None, :] < text_lengths[:, None]).long())
        style = torch.tanh(self.frames(mels))
        keep = (torch.arange(mels.shape[1])[None, :] < mel_lengths[:, None]).unsqueeze(-1).float()
        total = (style * keep).sum(1) if self.frames_masked else style.sum(1)
        return self.head(x + (total / keep.sum(1).clamp(min=1.0)).unsqueeze(1))


def translator(name: str, module: Callable[[], nn.Module], *more_inputs: Input, **more: object) -> Case:
    spec = (tokens(dim="S"), mask(dim="S"), tokens("decoder_input_ids", vocabulary=40), *more_inputs)
    return torch_case(name, module, spec, (Output("logits", "BTV"),), **more)  # type: ignore[arg-type]


SPEECH = (tokens("text"), lengths("text_lengths"), features("mels", "BSD"), lengths("mel_lengths", "S"))

CASES: tuple[Case, ...] = (
    translator(
        "seq2seq_masked",
        lambda: Translator(cross_masked=True),
        clean=RIGHT,
        leaky=SIDE,
        contract_note="left pads of the source are harmless, those of the target are not",
    ),
    translator(
        "seq2seq_cross_unmasked",
        lambda: Translator(cross_masked=False),
        mechanism="ATT-19",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
    ),
    translator("seq2seq_target_masked", MaskedTranslator, mask("decoder_attention_mask"), clean=ROUND),
    torch_case(
        "synthesis_two_lengths",
        lambda: Synthesiser(True),
        SPEECH,
        (Output("output", "BTC"),),
        clean=RIGHT,
        leaky=SIDE,
    ),
    torch_case(
        "synthesis_frames_unmasked",
        lambda: Synthesiser(False),
        SPEECH,
        (Output("output", "BTC"),),
        mechanism="POOL-01",
        leaky=PADS,
        clean=MATES,
        origin="ReduceSum",
    ),
)
