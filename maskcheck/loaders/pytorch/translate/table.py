"""Which function makes the settings of which operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from maskcheck.ir.operation import COMPARISONS, REDUCTIONS, Kind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Settings
from maskcheck.loaders.pytorch.translate import axes, constants, picks, recurrences, windows
from maskcheck.loaders.pytorch.translate.attention import attention
from maskcheck.loaders.pytorch.translate.call import Call

Maker = Callable[[Call], Settings | None]


def settings_of(call: Call, operation: Op) -> Settings | None:
    """Settings of ``call``, which does ``operation``; ``None`` where the operation has none, or the call tells none."""
    make = _BY_NAME.get(call.name) or _BY_OPERATION.get(operation)
    return make(call) if make is not None and call.torchs_own else None


def _nothing(call: Call) -> None:
    return None


_REDUCING = (o for o in Op if o.kind in REDUCTIONS and o is not Op.LOSS)
_ALONG = (o for o in Op if o.kind in (Kind.CONCATENATE, Kind.SCAN, Kind.ROUTING))

_BY_OPERATION: Mapping[Op, Maker] = {
    **dict.fromkeys(_REDUCING, axes.reduction),
    **dict.fromkeys((Op.LAYER_NORM, Op.RMS_NORM), axes.last_axes),
    **dict.fromkeys((Op.GROUP_NORM, Op.INSTANCE_NORM), axes.positions),
    Op.BATCH_NORM: axes.batch_norm,
    **dict.fromkeys((Op.SQUEEZE, Op.UNSQUEEZE, Op.FOURIER_TRANSFORM), axes.named_axes),
    **dict.fromkeys((*_ALONG, Op.SPLIT, Op.ROLL, Op.GLU), axes.along),
    Op.FLIP: axes.reversal,
    **dict.fromkeys((Op.SOFTMAX, Op.LOG_SOFTMAX), axes.softmax),
    Op.SELECT: picks.select,
    Op.GATHER: picks.pick,
    Op.SLICE: picks.cut,
    **dict.fromkeys((Op.EMBEDDING, Op.EMBEDDING_BAG), picks.lookup),
    **dict.fromkeys((Op.CONVOLUTION, Op.DEPTHWISE_CONVOLUTION, Op.TRANSPOSED_CONVOLUTION), windows.convolution),
    **dict.fromkeys((Op.AVERAGE_POOL, Op.MAX_POOL, Op.UNFOLD, Op.FOLD), windows.pooling),
    Op.PAD: windows.padding,
    **dict.fromkeys((Op.LSTM, Op.GRU, Op.RNN), recurrences.recurrence),
    Op.PACK_SEQUENCE: recurrences.packing,
    Op.ATTENTION: attention,
    **dict.fromkeys((Op.ADD, Op.SUBTRACT), constants.scaled_operands),
    **dict.fromkeys((Op.MULTIPLY, Op.DIVIDE, Op.FLOOR_DIVIDE, Op.MODULO), constants.operands("self", "other")),
    **dict.fromkeys((Op.WHERE, Op.MAXIMUM, Op.MINIMUM), constants.operands("self", "other")),
    Op.MATMUL: constants.operands(),
    Op.POWER: constants.operands("self", "exponent"),
    **dict.fromkeys(COMPARISONS, constants.comparison),
    Op.CLIP: constants.clip,
    **dict.fromkeys((Op.DYNAMIC_QUANTIZE, Op.DYNAMIC_LINEAR, Op.QUANTIZE), constants.quantiser),
    Op.EINSUM: constants.equation,
}

_BY_NAME: Mapping[str, Maker] = {
    **dict.fromkeys((f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)), axes.adaptive_pooling),
    "topk": axes.largest,
    "rsub": constants.subtracted_from,
    "masked_fill": constants.operands("value"),  # self is what is filled
    "unfold": windows.unfolding,
    "unfold_copy": windows.unfolding,
    "conv_depthwise2d": windows.depthwise,
    "conv_depthwise3d": windows.depthwise,
    "nested_to_padded_tensor": windows.unnesting,
    "mkldnn_rnn_layer": recurrences.mkldnn_recurrence,
    **dict.fromkeys(("diagonal", "narrow", "rot90", "hstack", "vstack", "block_diag", "pad"), _nothing),
}
"""Operators that give what their operation needs by other arguments than its others do."""
