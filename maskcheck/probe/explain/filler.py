"""Steps that a model adds itself: zeros around a convolution, or behind the last block of a blocked layer.

In an unpadded run they stand where a padded run has pads, so a tensor with them differs although nothing of the padding
has reached a real step yet. What reads them together with real steps is where padding gets in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maskcheck.core.trace import OperationKind, Site, Trace
from maskcheck.probe.explain.align import Axes

_COPIES = ("reflect", "replic", "mirror", "symmetric", "edge", "wrap", "circular", "pack", "nested")
"""Words in the names and modes of operators that pad with something else than constants."""
_MOVES = ("roll", "flip", "reverse")
_FAR = 6


def adds_steps(site: Site, axes: Mapping[str, Axes | None], made: Mapping[str, Site], known: frozenset[str]) -> bool:
    """Whether a site lays constants beside real steps, and not where steps were cut off before: that moves the rest.

    ``axes`` are those of all tensors; ``known`` are constants and what is computed from sizes alone.
    """
    data = [key for key in site.inputs if key not in known]
    if site.kind is OperationKind.PAD:
        named = f"{site.operation} {site.attributes.get('mode', '')}".lower()
        if any(word in named for word in _COPIES):
            return False
    elif site.kind is not OperationKind.CONCATENATE or len(data) == len(site.inputs):
        return False
    if len(data) != 1 or not site.outputs:
        return False
    lengthened = _extents(site.outputs[0], axes)
    key, seen = data[0], 0
    while seen < _FAR:  # back to where steps may have been cut off
        if _extents(key, axes) == lengthened:
            return False
        maker = made.get(key)
        if maker is None or maker.kind not in (OperationKind.INDEX, OperationKind.LAYOUT) or not maker.inputs:
            break
        key, seen = maker.inputs[0], seen + 1
    return True


def keeps_steps(site: Site, reference: Trace, twin: Trace, known: frozenset[str]) -> bool:
    """Whether a site leaves every step by itself, so that what it makes of added ones stays beside the real ones."""
    data = [key for key in site.inputs if key not in known]
    if not data or not site.outputs:
        return False
    if site.kind is OperationKind.ELEMENTWISE:
        return True
    if site.kind is OperationKind.LAYOUT:
        same = _sizes(data[0], reference, twin) == _sizes(site.outputs[0], reference, twin)
        return same and not any(word in site.operation.lower() for word in _MOVES)
    if site.kind is OperationKind.MATMUL and len(data) == 1:
        given, made = _shapes(data[0], reference, twin), _shapes(site.outputs[0], reference, twin)
        return (
            given is not None and made is not None and all(a[:-1] == b[:-1] for a, b in zip(given, made, strict=True))
        )
    return False


def _extents(key: str, axes: Mapping[str, Axes | None]) -> list[tuple[int, int]]:
    """Sizes of the sequence axes of a tensor, unpadded and padded."""
    found = axes.get(key)
    return [] if found is None else sorted(found.sequence.values())


def _shapes(key: str, *traces: Trace) -> list[tuple[int, ...]] | None:
    found = [trace.tensors[key].shape for trace in traces if key in trace.tensors]
    return found if len(found) == len(traces) else None


def _sizes(key: str, *traces: Trace) -> list[int] | None:
    shapes = _shapes(key, *traces)
    return None if shapes is None else [int(np.prod(shape)) for shape in shapes]
