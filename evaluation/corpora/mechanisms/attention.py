"""Attention: masks forgotten, turned, weakened, laid on the wrong axis; and attention that cannot be masked late."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.registry import (
    CROSS,
    EMPTY,
    HEADS,
    HOLLOW,
    POOL,
    WIDTH,
    Layer,
    joined,
    looks_alike,
    mechanism,
    split,
)

LOW = -1e9


class Projected(Layer):
    """Queries, keys and values of a self-attention, and what is made of the weighted values."""

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Linear(WIDTH, WIDTH)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (batch, heads, queries, keys), values, and the keys' mask to be broadcast."""
        q, k = split(self.q(x)), split(self.k(x))
        return q @ k.transpose(-1, -2) / math.sqrt(WIDTH / HEADS), split(self.v(x)), q


class Library(Layer):
    """The framework's own multi-head attention."""

    batch_first = True

    def setup(self) -> None:
        self.mha = nn.MultiheadAttention(WIDTH, HEADS, batch_first=self.batch_first)


@mechanism("ATT-01", "MC201", "MC205", "MC940", "MC943")
class NoMask(Library):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.mha(x, x, x, need_weights=False)[0]  # leak
        return self.mha(x, x, x, key_padding_mask=m == 0, need_weights=False)[0]


@mechanism("ATT-02", "MC202")
class Inverted(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        keep = (m > 0)[:, None, None, :]
        if self.leaky:
            return self.out(joined(F.scaled_dot_product_attention(q, k, v, attn_mask=~keep)))  # leak
        return self.out(joined(F.scaled_dot_product_attention(q, k, v, attn_mask=keep)))


@mechanism("ATT-03", "MC206")
class TinyFill(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        pads = m[:, None, None, :] == 0
        if self.leaky:
            weights = scores.masked_fill(pads, 1e-9).softmax(-1)  # leak
        else:
            weights = scores.masked_fill(pads, LOW).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-04", "MC206")
class MinusTen(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        bias = (1 - m)[:, None, None, :]
        if self.leaky:
            weights = (scores + bias * -10.0).softmax(-1)  # leak
        else:
            weights = (scores + bias * LOW).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-05", "MC209")
class AfterSoftmax(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        pads = m[:, None, None, :] == 0
        if self.leaky:
            weights = scores.softmax(-1).masked_fill(pads, 0.0)  # leak
        else:
            weights = scores.masked_fill(pads, LOW).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-06", "MC203")
class OverQueries(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        scores = scores.masked_fill(m[:, None, None, :] == 0, LOW)
        if self.leaky:
            weights = scores.softmax(-2)  # leak
        else:
            weights = scores.softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-06", "MC203", "MC211", "MC922")
class OverRows(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        scores = scores.masked_fill(m[:, None, None, :] == 0, LOW)
        if self.leaky:
            weights = scores.softmax(0)  # leak
        else:
            weights = scores.softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-07", "MC211")
class TimeFirst(Layer):
    def setup(self) -> None:
        self.mha = nn.MultiheadAttention(WIDTH, HEADS, batch_first=not self.leaky)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.mha(x, x, x, need_weights=False)[0]  # leak
        return self.mha(x, x, x, key_padding_mask=m == 0, need_weights=False)[0]


@mechanism("ATT-08", "MC212")
class HeadsOfOthers(Projected):
    """A mask for each head, in the order heads x rows where rows x heads is read."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        pads = (m == 0)[:, None, :].expand(-1, x.shape[1], -1)
        if self.leaky:
            per_head = pads.repeat(HEADS, 1, 1)  # cause
        else:
            per_head = pads.repeat_interleave(HEADS, 0)
        weights = scores.flatten(0, 1).masked_fill(per_head, LOW).softmax(-1)  # leak
        return self.out(joined(weights.unflatten(0, (-1, HEADS)) @ v))


@mechanism("ATT-09", "MC204")
class OnQueries(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        pads = m == 0
        if self.leaky:
            weights = scores.masked_fill(pads[:, None, :, None], LOW).softmax(-1)  # leak
        else:
            weights = scores.masked_fill(pads[:, None, None, :], LOW).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-10", "MC212", rows=HEADS, exports=False)
class RowsReadAsHeads(Projected):
    """A mask (batch, 1, keys) beside scores (batch, heads, queries, keys): its rows are laid on the heads.

    That runs for single rows, where it is right, and for as many rows as there are heads; no graph has room for both.
    """

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        pads = m == 0
        if self.leaky:
            weights = scores.masked_fill(pads[:, None, :], LOW).softmax(-1)  # leak
        else:
            weights = scores.masked_fill(pads[:, None, None, :], LOW).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-11", "MC207", "MC206")
class Added(Library):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.mha(x, x, x, key_padding_mask=(m == 0).to(x.dtype))[0]  # leak
        return self.mha(x, x, x, key_padding_mask=m == 0)[0]


@mechanism("ATT-12", "MC210")
class IntegerNot(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        whole = m.to(torch.int64)
        if self.leaky:
            pads = (~whole).bool()  # cause
        else:
            pads = ~whole.bool()
        weights = scores.masked_fill(pads[:, None, None, :], LOW).softmax(-1)  # leak
        return self.out(joined(weights @ v))


@mechanism("ATT-13", "MC208", "MC201", "MC205")
class Inert(Projected):
    """It was written for a mask of 0 and -10000 and is given 1 and 0: every key is kept."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        given = m if self.leaky else (1 - m) * -10000.0
        keep = (1.0 + given / 10000.0).int()
        weights = scores.masked_fill(keep[:, None, None, :] == 0, LOW).softmax(-1)  # leak
        return self.out(joined(weights @ v))


class Wrapper(nn.Module):
    """What adapters do: hand the call on, all but one argument."""

    def __init__(self, inner: nn.Module, forget: bool) -> None:
        super().__init__()
        self.inner, self.forget = inner, forget

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.inner(x) if self.forget else self.inner(x, mask)


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        pads = None if mask is None else mask == 0
        return self.mha(x, x, x, key_padding_mask=pads, need_weights=False)[0]  # leak


@mechanism("ATT-14", "MC201", "MC205", "MC940", "MC943")
class Swallowed(Layer):
    def setup(self) -> None:
        self.wrapped = Wrapper(Inner(), self.leaky)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.wrapped(x, mask=m)


@mechanism("ATT-15", "MC213")
class WindowInPads(Projected):
    """Pads see nothing but pads, so that their windows are empty; a second layer multiplies their NaN by zero."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        hidden = ((places[:, None] - places).abs() > 2) | (m == 0)[:, None, None, :]
        for _ in range(2):
            scores, v, _ = self.parts(x)
            low = -math.inf if self.leaky else LOW
            weights = scores.masked_fill(hidden, low).softmax(-1)  # leak
            x = self.out(joined(weights @ v))
        return x.masked_fill(m.unsqueeze(-1) == 0, 0.0)


@mechanism("ATT-15", kind=HOLLOW, expects=EMPTY)
class NothingToAttend(Projected):
    """A row without any real step is NaN, and harms no other one."""

    def setup(self) -> None:
        super().setup()
        self.asked = nn.Parameter(torch.randn(1, WIDTH))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores = self.q(self.asked) @ self.k(x).transpose(1, 2)
        low = -math.inf if self.leaky else LOW
        weights = scores.masked_fill(m[:, None, :] == 0, low).softmax(-1)  # leak
        return self.out(weights @ self.v(x)).squeeze(1)


@mechanism("ATT-17", "MC213", "MC221", "MC210", left=True)
class TwiceLowest(Projected):
    """Two masks summed make -inf, and rows of nothing else in front of left-padded text; a second layer reads them."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.attend(self.attend(x, m), m)

    def attend(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        pads = (m == 0)[:, None, None, :]
        low = torch.finfo(x.dtype).min
        if self.leaky:
            bias = later.to(x.dtype) * low + pads.to(x.dtype) * low
            weights = (scores + bias).softmax(-1)  # leak
        else:
            weights = scores.masked_fill(later | pads, low).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-19", "MC214", kind=CROSS)
class CrossUnmasked(Library):
    """The decoder's attention to the encoder, whose own attention was masked."""

    def forward(self, x: Tensor, memory: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.mha(x, memory, memory, need_weights=False)[0]  # leak
        return self.mha(x, memory, memory, key_padding_mask=m == 0, need_weights=False)[0]


@mechanism("ATT-19", "MC214", kind=CROSS)
class CrossByHand(Projected):
    def forward(self, x: Tensor, memory: Tensor, m: Tensor) -> Tensor:
        scores = split(self.q(x)) @ split(self.k(memory)).transpose(-1, -2) / math.sqrt(WIDTH / HEADS)
        if not self.leaky:
            scores = scores.masked_fill(m[:, None, None, :] == 0, LOW)
        weights = scores.softmax(-1)  # leak
        return self.out(joined(weights @ split(self.v(memory))))


@mechanism("ATT-20", "MC212")
class MaskOfFirstRow(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        if self.leaky:
            weights = scores.masked_fill(m[:1, None, None, :] == 0, LOW).softmax(-1)  # leak
        else:
            weights = scores.masked_fill(m[:, None, None, :] == 0, LOW).softmax(-1)
        return self.out(joined(weights @ v))


@mechanism("ATT-23", "MC215")
class Kernel(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        q, k, v = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1, self.v(x)
        keep = m.unsqueeze(-1)
        if self.leaky:
            v = v * keep
        else:
            k = k * keep
        total = k.sum(1)  # leak
        return self.out((q @ (k.transpose(1, 2) @ v)) / (q * total[:, None]).sum(-1, keepdim=True))


@mechanism("ATT-24", "MC216")
class LowRank(Projected):
    def setup(self) -> None:
        super().setup()
        self.mix = nn.Parameter(torch.randn(5, 512) / 4)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        if not self.leaky:
            k, v = k * m.unsqueeze(-1), v * m.unsqueeze(-1)
        mix = self.mix[:, : x.shape[1]]
        k, v = mix @ k, mix @ v  # leak
        return self.out((q @ k.transpose(1, 2) / math.sqrt(WIDTH)).softmax(-1) @ v)


@mechanism("ATT-25", "MC212", "MC922", "MC999")
class ScaledByBatch(Projected):
    """Scores are divided by the largest of the whole batch."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        pads = (m == 0)[:, None, None, :]
        sizes = scores.abs().masked_fill(pads | pads.transpose(2, 3), 0.0)
        if self.leaky:
            largest = sizes.amax((0, 1, 2, 3))  # leak
        else:
            largest = sizes.amax((1, 2, 3), keepdim=True)
        return self.out(joined((3 * scores / largest).masked_fill(pads, LOW).softmax(-1) @ v))


@mechanism("ATT-26", "MC218", "MC606")
class WrappedChunks(Projected):
    """Chunks see the chunk before them; the first one sees the last."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        short = -x.shape[1] % 4
        wide, keep = F.pad(x, (0, 0, 0, short)), F.pad(m, (0, short))
        q, k, v = (f(wide).unflatten(1, (-1, 4)) for f in (self.q, self.k, self.v))
        keep = keep.unflatten(1, (-1, 4))
        if self.leaky:
            before = [t.roll(1, 1) for t in (k, v, keep)]  # leak
        else:
            before = [F.pad(t, (0, 0) * (t.ndim - 2) + (1, 0))[:, :-1] for t in (k, v, keep)]
        k, v, keep = (torch.cat([b, t], 2) for b, t in zip(before, (k, v, keep), strict=True))
        scores = (q @ k.transpose(-1, -2)).masked_fill(keep[:, :, None, :] == 0, LOW)
        return self.out((scores.softmax(-1) @ v).flatten(1, 2)[:, : x.shape[1]])


@mechanism("ATT-27", "MC218", "MC606", "MC105")
class LastIsGlobal(Projected):
    """A window of neighbours, and the last columns of the batch for everybody."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        places = torch.arange(x.shape[1])
        near = (places[:, None] - places).abs() <= 2
        if self.leaky:
            seen = near | (places >= x.shape[1] - 2)  # cause
        else:
            seen = near | (places < 2)
        weights = scores.masked_fill(~seen | (m == 0)[:, None, None, :], LOW).softmax(-1)  # leak
        return self.out(joined(weights @ v))


@mechanism("ATT-28", "MC219", "MC606", "MC218", "MC217", left=True)
class ChunksByColumn(Projected):
    """Local attention within chunks that are counted from the first column, or from the first real step."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        if self.leaky:
            places = torch.arange(x.shape[1])[None].expand(x.shape[0], -1)
        else:
            places = (m.cumsum(1) - 1).clamp(min=0).long()
        chunk = places // 4
        apart = chunk[:, :, None] != chunk[:, None, :]
        weights = scores.masked_fill((apart | (m == 0)[:, None, :])[:, None], LOW).softmax(-1)  # leak
        return self.out(joined(weights @ v))


@mechanism("MIX-06", "MC217", "MC205", "MC201", "MC308", left=True)
class ZeroedNotMasked(Projected):
    """Pads are zeroed and causality keeps the right ones away; the left ones are attended to."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x * m.unsqueeze(-1))
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)[None, None]
        if not self.leaky:
            hidden = hidden | (m == 0)[:, None, None, :]
        weights = scores.masked_fill(hidden, LOW).softmax(-1)  # leak
        return self.out(joined(weights @ v))


@looks_alike("CL-02", left=True)
class SameSegment(Projected):
    """Pads attend to pads and words to words."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        apart = m[:, None, :, None] != m[:, None, None, :]
        return self.out(joined(scores.masked_fill(apart, LOW).softmax(-1) @ v))


@looks_alike("CL-03")
class CausalOnly(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        return self.out(joined(F.scaled_dot_product_attention(q, k, v, is_causal=True)))


@looks_alike("CL-06", left=True)
class Alibi(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        places = torch.arange(x.shape[1])
        slopes = torch.tensor([0.5**i for i in range(1, HEADS + 1)])[:, None, None]
        scores = scores - slopes * (places[:, None] - places).abs()
        return self.out(joined(scores.masked_fill(m[:, None, None, :] == 0, LOW).softmax(-1) @ v))


@looks_alike("CL-12", left=True)
class Renormalised(Projected):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        weights = scores.softmax(-1) * m[:, None, None, :]
        return self.out(joined(weights / weights.sum(-1, keepdim=True).clamp(min=1e-12) @ v))


@looks_alike("CL-26")
class WindowCropped(Projected):
    """Steps are filled up to whole windows inside, and cut off again."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        short = -x.shape[1] % 6
        wide, keep = F.pad(x, (0, 0, 0, short)), F.pad(m, (0, short))
        scores, v, _ = self.parts(wide)
        places = torch.arange(wide.shape[1])
        far = (places[:, None] - places).abs() > 3
        weights = scores.masked_fill(far | (keep == 0)[:, None, None, :], LOW).softmax(-1)
        return self.out(joined(weights @ v))[:, : x.shape[1]]


@looks_alike("CL-33")
class FilledWithInfinity(Projected):
    """Pads of NaN would pass a sound mask (0 x NaN); finite ones do not."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores, v, _ = self.parts(x)
        return self.out(joined(scores.masked_fill(m[:, None, None, :] == 0, -math.inf).softmax(-1) @ v))


@looks_alike("CL-34", kind=POOL)
class Latents(Projected):
    def setup(self) -> None:
        super().setup()
        self.latents = nn.Parameter(torch.randn(3, WIDTH))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores = self.q(self.latents) @ self.k(x).transpose(1, 2) / math.sqrt(WIDTH)
        read = scores.masked_fill(m[:, None, :] == 0, LOW).softmax(-1) @ self.v(x)
        return self.out(read).mean(1)


@looks_alike("ATT-21", exports=False)
class Nested(Layer):
    """The encoder's fast path: pads come out as zeros."""

    def setup(self) -> None:
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.encoder(x, src_key_padding_mask=m == 0)
