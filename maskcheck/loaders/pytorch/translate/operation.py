"""Operations of which the operator's name alone does not tell: it takes the arguments as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from maskcheck.ir.dependence import Level
from maskcheck.ir.operation import Operation as Op
from maskcheck.loaders.pytorch.operations import operation_of
from maskcheck.loaders.pytorch.translate.call import Call

_MKLDNN_RECURRENCES = {2: Op.LSTM, 3: Op.GRU}
"""Numbers by which torch tells the cells of oneDNN apart."""


def called_operation(call: Call) -> Op:
    """What ``call`` does."""
    refine = _REFINED.get(call.name) if call.torchs_own else None
    return (refine(call) if refine else None) or operation_of(call.name)


def single_index(call: Call) -> tuple[int | None, Any]:
    """Axis and tensor of an index by one tensor; ``None`` where an axis is not told, or where there are several."""
    if "indices" not in call.given:
        return call.given.get("dim"), call.tensor("index")
    found = [(axis, index) for axis, index in enumerate(call.given["indices"]) if index is not None]
    return found[0] if len(found) == 1 else (None, None)


def marks(index: Any) -> bool:
    """Whether an index marks positions by truth values, rather than to number them."""
    return str(index.dtype) in ("torch.bool", "torch.uint8")


def _indexing(call: Call) -> Op | None:
    axis, index = single_index(call)
    if index is None:
        return None
    if marks(index):
        return Op.MASKED_SELECT
    return Op.EMBEDDING if axis == 0 and _picks_weights(call, index) else None


def _picks_weights(call: Call, index: Any) -> bool:
    """Whether data picks rows of a weight: an embedding, however the rows are picked."""
    table = call.given["self"]
    weights = table.ndim == 2 and call.level_of(table) is Level.CONSTANT
    return weights and call.level_of(index) is Level.DATA


def _convolution(call: Call) -> Op | None:
    if call.given.get("transposed"):
        return Op.TRANSPOSED_CONVOLUTION
    return Op.DEPTHWISE_CONVOLUTION if _by_channel(call) else None


def _by_channel(call: Call) -> bool:
    """Whether every channel has kernels of its own. A weight is (channels, channels of one group, kernel ...)."""
    groups, weight = call.given.get("groups", 1), call.shape("weight")
    return isinstance(groups, int) and groups > 1 and len(weight) > 1 and weight[1] == 1


def _largest(call: Call) -> Op | None:
    return Op.MAXIMUM if call.tensor("other") is not None else None


def _smallest(call: Call) -> Op | None:
    return Op.MINIMUM if call.tensor("other") is not None else None


def _filling(call: Call) -> Op | None:
    """What is filled in may be a tensor of one number, which is then stretched."""
    return Op.EXPAND if call.tensor("value") is not None else None


def _mkldnn_recurrence(call: Call) -> Op | None:
    return _MKLDNN_RECURRENCES.get(call.given["mode"])


_REFINED: Mapping[str, Callable[[Call], Op | None]] = {
    "index": _indexing,
    "index_select": _indexing,
    "fill": _filling,
    "max": _largest,
    "min": _smallest,
    "mkldnn_rnn_layer": _mkldnn_recurrence,
    **dict.fromkeys(("convolution", "convolution_overrideable", "mkldnn_convolution"), _convolution),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
}
