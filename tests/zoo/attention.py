"""Self-attention whose mask is right, wrong, weak, late, on another axis, or missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .case import Output, mask, tokens

HIDDEN = (Output("last_hidden_state", "BTD"),)
IDS_MASK = (tokens(), mask())


class SelfAttention(nn.Module):
    """Multi-head attention with an integer padding mask (1 = real); subclasses get ``weights`` wrong."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        for layer in (self.query, self.key):
            nn.init.normal_(layer.weight, std=0.3)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def scores(self, x: Tensor) -> Tensor:
        query, key = self.split(self.query(x)), self.split(self.key(x))
        return query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5

    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill((mask == 0)[:, None, None, :], torch.finfo(scores.dtype).min)

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return self.masked(scores, mask).softmax(-1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        context = self.weights(self.scores(x), mask) @ self.split(self.value(x))
        return self.out(context.transpose(1, 2).flatten(-2))


class Unmasked(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.softmax(-1)


class Inverted(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill((mask != 0)[:, None, None, :], -1e9).softmax(-1)


class ZeroOneAdded(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return (scores + mask[:, None, None, :].float()).softmax(-1)


class QueryAxis(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill((mask == 0)[:, None, :, None], -1e9).softmax(-1)


class Filled(SelfAttention):
    """Fills masked scores with a chosen value."""

    def __init__(self, fill: float) -> None:
        super().__init__()
        self.fill = fill

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill((mask == 0)[:, None, None, :], self.fill).softmax(-1)


class MaskedScoresMultiplied(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return (scores * mask[:, None, None, :]).softmax(-1)


class MaskedAfterSoftmax(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.softmax(-1) * mask[:, None, None, :]


class Renormalised(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        weights = scores.softmax(-1) * mask[:, None, None, :]
        return weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)


class SoftmaxOverQueries(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return self.masked(scores, mask).softmax(2)


class SoftmaxOverBatch(SelfAttention):
    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return self.masked(scores, mask).softmax(0)


class IntegerNot(SelfAttention):
    """``~`` on integers is -2 or -1, both of which are true."""

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        pads = (~mask)[:, None, None, :].bool()
        return scores.masked_fill(pads, torch.finfo(scores.dtype).min).softmax(-1)


class InertMask(SelfAttention):
    """The conversion to an integer maps both mask values to 1."""

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        allowed = (1.0 + mask / 10000.0).int()
        return scores.masked_fill((allowed == 0)[:, None, None, :], -1e9).softmax(-1)


class BatchReadAsHeads(SelfAttention):
    """Broadcasts without an error when the batch is 1 or as large as the number of heads."""

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill((mask == 0)[:, None, :], -1e9).softmax(-1)


class Causal(SelfAttention):
    """Position i sees 0..i; the padding mask is used as well if ``padding``."""

    def __init__(self, padding: bool, fill: float = -1e9) -> None:
        super().__init__()
        self.padding = padding
        self.fill = fill

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        order = torch.arange(mask.shape[1])
        plane = (order[None, :] > order[:, None]).float() * self.fill
        if self.padding:
            plane = plane + (1.0 - mask[:, None, None, :].float()) * self.fill
        return (scores + plane).softmax(-1)


class SameSequence(SelfAttention):
    """Positions see positions with the same mark, so pads see pads."""

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        other = mask[:, None, :, None] != mask[:, None, None, :]
        return scores.masked_fill(other, -1e9).softmax(-1)


class HeadMasked(SelfAttention):
    """One mask for each (sample, head) pair, flattened; ``interleave`` puts the heads of a sample side by side."""

    def __init__(self, interleave: bool, fill: float = -1e9) -> None:
        super().__init__()
        self.interleave = interleave
        self.fill = fill

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        if self.interleave:
            rows = mask[:, None, :].expand(-1, self.heads, -1).reshape(-1, 1, mask.shape[1])
        else:
            rows = mask[:, None, :].repeat(self.heads, 1, 1)
        flat = scores.flatten(0, 1).masked_fill(rows == 0, self.fill)
        return flat.softmax(-1).unflatten(0, (-1, self.heads))


class Linear(SelfAttention):
    """Attention through a feature map, linear in the length."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query = nn.functional.elu(self.split(self.query(x))) + 1
        key = nn.functional.elu(self.split(self.key(x))) + 1
        value = self.split(self.value(x))
        if self.masked:
            key = key * mask[:, None, :, None]
        total = key.sum(2, keepdim=True).transpose(-2, -1)
        context = (query @ (key.transpose(-2, -1) @ value)) / (query @ total)
        return self.out(context.transpose(1, 2).flatten(-2))


class AcrossBatch(nn.Module):
    """Reads (batch, time, width) as (time, batch, width), the default order of ``nn.MultiheadAttention``."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class FloatKeyPadding(nn.Module):
    """A float ``key_padding_mask`` is added to the scores, not filled."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.attention(x, x, x, key_padding_mask=1.0 - mask.float(), need_weights=False)[0]


class Fused(SelfAttention):
    """``scaled_dot_product_attention`` with a boolean mask."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        allowed = (mask != 0)[:, None, None, :]
        context = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return self.out(context.transpose(1, 2).flatten(-2))


class Chunked(SelfAttention):
    """Attention inside blocks of four positions; the length is padded to a multiple of four and cropped again."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        length, extra = x.shape[1], -x.shape[1] % 4
        x = nn.functional.pad(x, (0, 0, 0, extra))
        keep = nn.functional.pad(mask, (0, extra))
        blocks = x.reshape(-1, 4, x.shape[2])
        context = super().forward(blocks, keep.reshape(-1, 4))
        return context.reshape(x.shape[0], -1, x.shape[2])[:, :length]


class Block(nn.Module):
    """Residual attention and feed-forward with layer norms after each."""

    def __init__(self, attention: nn.Module, width: int = 32) -> None:
        super().__init__()
        self.attention = attention
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))
        self.output_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.output_norm(x + self.feed_forward(x))


class TextEncoder(nn.Module):
    """Token embeddings and blocks, without positions, so that only the attention tells the sides apart."""

    def __init__(self, *attentions: nn.Module, pad_scale: float = 1.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 32)
        with torch.no_grad():
            self.embedding.weight[0] *= pad_scale
        self.blocks = nn.ModuleList(Block(a) for a in attentions)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embedding(input_ids)
        for block in self.blocks:
            x = block(x, attention_mask)
        return x


class FeatureEncoder(nn.Module):
    """The same over features; ``convert`` turns the mask input into ones and zeros."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.project = nn.Linear(16, 32)
        self.block = Block(attention)

    def forward(self, features: Tensor, attention_mask: Tensor) -> Tensor:
        return self.block(self.project(features), attention_mask)


class WithWeights(TextEncoder):
    """Also returns the attention weights of its only block."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        x = self.embedding(input_ids)
        attention = self.blocks[0].attention
        return self.blocks[0](x, attention_mask), attention.weights(attention.scores(x), attention_mask)


class UnmaskedText(TextEncoder):
    """Takes no mask at all."""

    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(input_ids, torch.ones_like(input_ids))


class MaskFromIds(TextEncoder):
    """Takes no mask: it reads the padding off the ids."""

    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(input_ids, (input_ids != 0).long())


class AdditiveAttention(SelfAttention):
    """The mask comes ready to be added to the scores."""

    def __init__(self, heads_axis: bool = True) -> None:
        super().__init__()
        self.heads_axis = heads_axis

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        return (scores + (mask if self.heads_axis else mask.unsqueeze(1))).softmax(-1)


class Perceiver(nn.Module):
    """A few learned latents read the masked sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 32)
        self.latents = nn.Parameter(torch.randn(6, 32))
        self.key = nn.Linear(32, 32)
        self.value = nn.Linear(32, 32)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embedding(input_ids)
        scores = self.latents @ self.key(x).transpose(1, 2)
        return scores.masked_fill((attention_mask == 0)[:, None, :], -1e9).softmax(-1) @ self.value(x)


class Stock(nn.Module):
    """``nn.TransformerEncoder``, either layout; its padding mask is true at pads."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 48, dropout=0.0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, src: Tensor, src_key_padding_mask: Tensor) -> Tensor:
        return self.encoder(src, src_key_padding_mask=src_key_padding_mask)
