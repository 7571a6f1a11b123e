"""Recurrent layers and the packing of their input."""

from __future__ import annotations

from maskcheck.ir.settings import Direction, Recurrence
from maskcheck.loaders.pytorch.translate.call import Call


def recurrence(call: Call) -> Recurrence:
    """A layer of (batch, time, features), of time before batch, or of a packed sequence with its ``batch_sizes``."""
    packed = call.tensor("batch_sizes") is not None
    return Recurrence(
        direction=Direction.BIDIRECTIONAL if call.given.get("bidirectional") else Direction.FORWARD,
        packed=packed,
        time_first_rows=None if packed else _time_first_rows(call),
    )


def mkldnn_recurrence(call: Call) -> Recurrence:
    """One direction of a layer of oneDNN, whose input was turned round where its layer takes batch before time."""
    return Recurrence(
        direction=Direction.REVERSE if call.given.get("reverse") else Direction.FORWARD,
        packed=bool(call.given.get("batch_sizes")),
        time_first_rows=_time_first_rows(call),
    )


def packing(call: Call) -> Recurrence:
    return Recurrence(lengths=call.key("lengths"), time_first_rows=_time_first_rows(call))


def _time_first_rows(call: Call) -> int | None:
    shape = call.shape("input")
    return shape[1] if len(shape) >= 3 and not call.given.get("batch_first") else None
