"""Numbers put in the place of hidden scores that are too weak, or that half precision turns into minus infinity."""

from __future__ import annotations

from collections.abc import Iterator

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Attention, Fill
from maskcheck.ir.static_fact import FactKind, Scene, StaticFact, fact_at, short_name

STRONG = -1000.0
"""A fill up to this hides what it is put on."""

_WEAKEST = -1.0
"""Fills between these two are meant to mask and do not; a fill nearer to zero is ordinary arithmetic."""

_HALF_LOWEST = -65504.0
_FLOATS = ("float", "bfloat")


def weak_fills(site: Site, scene: Scene) -> Iterator[StaticFact]:
    """Fused attention, selections and additive masks that hide too little."""
    told = site.settings
    if isinstance(told, Attention) and told.mask is not None and told.fill is not None and told.fill > STRONG:
        yield fact_at(site, FactKind.WEAK_FILL, f"{short_name(site)} masks with {told.fill:g}")
    if _hides(site, scene) and _is_float(site, scene):
        for value in _values(site):
            if STRONG < value < _WEAKEST:
                yield fact_at(site, FactKind.WEAK_FILL, f"{short_name(site)} fills with {value:g}")


def half_fills(site: Site, scene: Scene) -> Iterator[StaticFact]:
    """Fills that half precision does not hold, whatever they are for."""
    if site.operation in (Op.WHERE, Op.MULTIPLY) and "float16" in _dtypes(site, scene):
        for value in _values(site):
            if value < _HALF_LOWEST:
                detail = f"{short_name(site)} fills a float16 tensor with {value:g}"
                yield fact_at(site, FactKind.HALF_FILL, detail)


def _values(site: Site) -> tuple[float, ...]:
    return site.settings.values if isinstance(site.settings, Fill) else ()


def _hides(site: Site, scene: Scene) -> bool:
    """Whether ``site`` puts something in the place of scores: a selection, or ``(1 - mask) * fill``."""
    if site.operation is Op.MULTIPLY:
        return any(_is_one_minus(scene.graph.maker.get(key), scene) for key in site.inputs)
    return site.operation is Op.WHERE


def _is_one_minus(site: Site | None, scene: Scene) -> bool:
    """Whether ``site`` is ``1 - x``, the way additive masks begin."""
    if site is None or site.operation is not Op.SUBTRACT:
        return False
    told = site.settings
    if isinstance(told, Fill) and told.swapped:
        return told.value == 1.0
    return scene.constants.fill(site.inputs[0]) == 1.0


def _dtypes(site: Site, scene: Scene) -> set[str]:
    """Types of what is read and made, as far as they are known; conditions are truth values."""
    found = (scene.dtype(key) for key in (*site.inputs, *site.outputs))
    return {dtype for dtype in found if dtype not in (None, "bool")}


def _is_float(site: Site, scene: Scene) -> bool:
    """Whether all types that are known are floats, and one is. A fill of ids, such as -100, hides no score."""
    found = _dtypes(site, scene)
    return bool(found) and all(dtype.startswith(_FLOATS) for dtype in found)
