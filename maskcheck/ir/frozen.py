"""Lengths and masks of the traced example that have become constants of the graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from maskcheck.ir.constants import Array
from maskcheck.ir.fills import STRONG
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Along, Attention, Fill, Recurrence
from maskcheck.ir.static_fact import FactKind, Scene, StaticFact, fact_at, short_name


def baked_lengths(site: Site, scene: Scene) -> Iterator[StaticFact]:
    """Constants where the number of real steps of every row is read."""
    key = _lengths_operand(site)
    if key is not None and scene.constants.is_constant(key):
        fixed = list(scene.constants.integers(key) or ())
        yield fact_at(site, FactKind.BAKED_LENGTH, f"{short_name(site)} reads constant lengths {fixed}")


def frozen_masks(site: Site, scene: Scene) -> Iterator[StaticFact]:
    """Constants that hide the same keys for every query: the padding of the traced example. A triangle does not."""
    for key in site.inputs if site.operation in (Op.ADD, Op.WHERE) else ():
        value = scene.constants.value(key)
        hidden = None if value is None or not value.ndim else _hidden(site, value, scene)
        if hidden is not None and _hides_columns(hidden):
            yield fact_at(site, FactKind.BAKED_LENGTH, _described(site, hidden))


def _lengths_operand(site: Site) -> str | None:
    match site.settings:
        case Recurrence(lengths=str() as told) | Attention(lengths=str() as told) | Along(lengths=str() as told):
            return told
    return site.inputs[1] if site.operation is Op.REVERSE_SEQUENCE and len(site.inputs) > 1 else None


def _hidden(site: Site, value: Array, scene: Scene) -> Array | None:
    """Where the constant ``value`` hides what it is laid on; ``None`` where it is no mask."""
    return _hidden_by_sum(value) if site.operation is Op.ADD else _hidden_by_choice(site, value, scene)


def _hidden_by_choice(site: Site, value: Array, scene: Scene) -> Array | None:
    """The condition of a selection, or its opposite, by which of the two values chosen is the fill."""
    fill = site.settings.value if isinstance(site.settings, Fill) else None
    if value.dtype != np.bool_ or fill is None or fill > STRONG:
        return None
    filled_first = len(site.inputs) > 1 and scene.constants.fill(site.inputs[1]) == fill
    return value if filled_first else ~value


def _hidden_by_sum(value: Array) -> Array | None:
    """Minus a lot here and nothing elsewhere; a bias says something elsewhere as well."""
    if value.dtype.kind != "f":
        return None
    hidden = np.asarray(value <= STRONG)
    rest = value[~hidden]
    return hidden if rest.size and not rest.any() else None


def _hides_columns(hidden: Array) -> bool:
    """Whether something is hidden, not all, and for every query the same."""
    alike = hidden.ndim < 2 or bool((hidden == hidden[..., :1, :]).all())
    return alike and 0 < int(hidden.sum()) < hidden.size


def _described(site: Site, hidden: Array) -> str:
    width = hidden.shape[-1]
    columns = int(hidden.reshape(-1, width).sum(axis=-1).max())
    return f"{short_name(site)} lays a constant mask on it, which hides up to {columns} of {width} columns"
