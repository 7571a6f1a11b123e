"""The idiom ``where(ids < 0, ids + rows, ids)``, by which frameworks let negative ids count from the end of a table.

What stands in it looks at ids and adds to them, and tells nothing of padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from maskcheck.ir.constants import Constants
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Wraps:
    """All places where ids may count from the end.

    ``ids`` maps the name of each selection to the key of the ids behind it; ``inner`` names the comparisons and sums
    that serve no other purpose.
    """

    ids: Mapping[str, str]
    inner: frozenset[str]


def find_wraps(graph: Graph, constants: Constants) -> Wraps:
    """Find every such selection of ``graph``."""
    ids = {site.name: key for site in graph.sites if (key := _ids_of(site, graph, constants)) is not None}
    selections = (site for site in graph.sites if site.name in ids)
    parts = (graph.maker[key] for site in selections for key in site.inputs[:2])
    inner = frozenset(part.name for part in parts if _serves_only(part, graph, ids))
    return Wraps(ids=ids, inner=inner)


def _ids_of(site: Site, graph: Graph, constants: Constants) -> str | None:
    """The ids if ``site`` is such a selection."""
    if site.operation is not Op.WHERE or len(site.inputs) < 3:
        return None
    below, moved, ids = graph.maker.get(site.inputs[0]), graph.maker.get(site.inputs[1]), site.inputs[2]
    if below is None or moved is None or not _asks_below_zero(below, ids, constants):
        return None
    return ids if moved.operation is Op.ADD and ids in moved.inputs else None


def _asks_below_zero(site: Site, ids: str, constants: Constants) -> bool:
    """Whether ``site`` is ``ids < 0`` or ``0 > ids``."""
    told = site.settings
    if isinstance(told, Compare) and told.operand is not None:
        direction = Op.GREATER if told.swapped else Op.LESS
        return site.operation is direction and told.operand == ids and told.value == 0
    plain = site.operation is Op.LESS and len(site.inputs) > 1
    return plain and site.inputs[0] == ids and constants.fill(site.inputs[1]) == 0


def _serves_only(site: Site, graph: Graph, selections: Mapping[str, str]) -> bool:
    readers = [reader for key in site.outputs for reader in graph.readers.get(key, ())]
    return bool(readers) and all(reader.name in selections for reader in readers)
