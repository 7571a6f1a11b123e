"""Settings of operators that may be told about padding: recurrent layers and fused attention."""

from __future__ import annotations

from dataclasses import dataclass

from maskcheck.ir.settings import Attention, Direction, Recurrence
from maskcheck.loaders.onnx.translate.node import Maker, NodeView, table

_LENGTHS = 4
"""Where every recurrent operator takes the numbers of real steps."""

_DIRECTIONS = {direction.value: direction for direction in Direction}


def recurrence(view: NodeView) -> Recurrence:
    """Given lengths, the sequence that comes out holds zeros behind them, and the state stays where it was."""
    sequence, *states = [bool(name) for name in view.node.outputs] or [False]
    lengths = view.key(_LENGTHS)
    return Recurrence(
        direction=_DIRECTIONS.get(view.attribute("direction", ""), Direction.FORWARD),
        lengths=lengths,
        zeroes_pads=lengths is not None and sequence,
        returns_sequence=None if sequence and any(states) else sequence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fused:
    """Positions of the operands that a fused attention may be given, ``None`` for those it does not know.

    ``causal`` names the attribute that hides the future, ``always`` says what holds without it. ``fill`` is the default
    of ``mask_filter_value``, ``None`` for operators without one.
    """

    mask: int | None = None
    bias: int | None = None
    lengths: int | None = None
    causal: str = ""
    always: bool = False
    fill: float | None = None

    @property
    def takes_mask(self) -> bool:
        return (self.mask, self.bias, self.lengths) != (None, None, None)


_FILL = -10000.0
_FUSED = {
    "Attention": _Fused(mask=3, lengths=6, causal="is_causal"),
    "LinearAttention": _Fused(always=True),
    "com.microsoft.Attention": _Fused(mask=3, bias=5, causal="unidirectional", fill=_FILL),
    "com.microsoft.QAttention": _Fused(mask=5, causal="unidirectional", fill=_FILL),
    "com.microsoft.QOrderedAttention": _Fused(mask=17, bias=19, causal="unidirectional"),
    "com.microsoft.MultiHeadAttention": _Fused(mask=4, bias=5, causal="unidirectional", fill=_FILL),
    "com.microsoft.DecoderAttention": _Fused(mask=5, fill=_FILL),
    "com.microsoft.DecoderMaskedMultiHeadAttention": _Fused(mask=3, bias=4, always=True, fill=_FILL),
    "com.microsoft.DecoderMaskedSelfAttention": _Fused(mask=3, bias=5, always=True, fill=_FILL),
    "com.microsoft.GroupQueryAttention": _Fused(bias=10, lengths=5, causal="causal", always=True),
    "com.microsoft.SparseAttention": _Fused(lengths=8, always=True),
    "com.microsoft.LongformerAttention": _Fused(mask=3),
    "com.microsoft.QOrderedLongformerAttention": _Fused(mask=7),
    "com.microsoft.PackedAttention": _Fused(bias=5),
    "com.microsoft.PackedMultiHeadAttention": _Fused(bias=6),
    "com.microsoft.PagedAttention": _Fused(causal="is_causal", always=True),
    "com.microsoft.LinearAttention": _Fused(always=True),
}


def attention(view: NodeView) -> Attention:
    told = _FUSED[view.node.operator]
    mask = _operand(view, told.mask)
    return Attention(
        mask=mask,
        bias=_operand(view, told.bias),
        lengths=_operand(view, told.lengths),
        takes_mask=told.takes_mask,
        mask_rank=None if mask is None or told.mask is None else view.rank(told.mask),
        causal=bool(view.attribute(told.causal, told.always)),
        fill=None if told.fill is None else view.attribute("mask_filter_value", told.fill),
        fused_by_runtime=not view.node.default,
    )


def _operand(view: NodeView, position: int | None) -> str | None:
    return None if position is None else view.key(position)


_ATTENTIONS: dict[str, Maker] = dict.fromkeys(_FUSED, attention)

MAKERS = table({recurrence: ("LSTM GRU RNN", "DynamicQuantizeLSTM AttnLSTM")}) | _ATTENTIONS
