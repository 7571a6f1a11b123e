"""Steps that a model adds itself: zeros around a convolution, or behind the last block of a blocked layer.

In an unpadded run they stand where a padded run has pads, so a tensor with them differs although nothing of the padding
has reached a real step yet. What reads them together with real steps is where padding gets in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Pad
from maskcheck.probe.align import Axes

_FAR = 6
UNSEEN = int(np.iinfo(np.int64).max)
"""In place of a number of steps that no axis tells."""


def adds_steps(
    site: Site, twin: Trace, axes: Mapping[str, Axes | None], made: Mapping[str, Site], known: frozenset[str]
) -> int:
    """How many steps there are where a site laid constants beside real ones; 0 where it did not.

    Where steps were cut off before, it moves the rest. ``axes`` are those of all tensors; ``known`` are constants and
    what is computed from sizes alone.
    """
    data = [key for key in site.inputs if key not in known]
    joins = site.kind is Kind.CONCATENATE and len(data) < len(site.inputs)
    if not (joins or _lays_constants(site)) or len(data) != 1 or not site.outputs:
        return 0
    lengthened = _extents(site.outputs[0], axes)
    key, seen = data[0], 0
    while seen < _FAR:  # back to where steps may have been cut off
        if _extents(key, axes) == lengthened:
            return 0
        maker = made.get(key)
        if maker is None or maker.kind not in (Kind.INDEX, Kind.LAYOUT) or not maker.inputs:
            break
        key, seen = maker.inputs[0], seen + 1
    before, after = (twin.tensors.get(k) for k in (data[0], site.outputs[0]))
    if before is None or after is None or before.ndim != after.ndim:
        return UNSEEN
    changed = [b for a, b in zip(before.shape, after.shape, strict=True) if a != b]
    return changed[0] if len(changed) == 1 else UNSEEN


def _lays_constants(site: Site) -> bool:
    """Whether a site pads, and neither with copies of what it pads nor each row by its own length."""
    copies = isinstance(site.settings, Pad) and site.settings.copies
    return site.kind is Kind.PAD and site.operation is not Operation.UNPACK_SEQUENCE and not copies


def keeps_steps(site: Site, filled: Mapping[str, int], reference: Trace, twin: Trace, known: frozenset[str]) -> int:
    """Whether a site leaves every step by itself, so that what it makes of added ones stays beside the real ones.

    ``filled`` are the sizes of the inputs that hold added steps; the result is that of the output, or 0.
    """
    data = [key for key in site.inputs if key not in known]
    made = twin.tensors.get(site.outputs[0]) if site.outputs else None
    if not data or made is None:
        return 0
    size = max(filled.values())
    size = size if size in made.shape else UNSEEN
    if site.kind is Kind.ELEMENTWISE:
        return size
    if site.kind is Kind.LAYOUT:
        same = _sizes(data[0], reference, twin) == _sizes(site.outputs[0], reference, twin)
        return size if same else 0
    if site.kind is Kind.MATMUL:
        summed = _summed(data, twin)
        return size if summed is not None and summed not in filled.values() and UNSEEN not in filled.values() else 0
    return 0


def _summed(data: list[str], twin: Trace) -> int | None:
    """How many values a product sums: the last axis of its first operand, and of its only one beside a weight."""
    first = twin.tensors.get(data[0])
    return None if first is None or first.ndim < 2 else int(first.shape[-1])


def _extents(key: str, axes: Mapping[str, Axes | None]) -> list[tuple[int, int]]:
    """Sizes of the sequence axes of a tensor, unpadded and padded."""
    found = axes.get(key)
    return [] if found is None else sorted(found.sequence.values())


def _sizes(key: str, *traces: Trace) -> list[int] | None:
    found = [trace.tensors[key].size for trace in traces if key in trace.tensors]
    return found if len(found) == len(traces) else None
