"""The kinds of static facts, and what is looked at to find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from maskcheck.ir.constants import Constants
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.input_use import InputUse


class FactKind(StrEnum):
    """Something that a graph shows without being run. ``label`` says it in words."""

    label: str

    def __new__(cls, value: str, label: str = "") -> FactKind:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    UNUSED_INPUT = "unused-input", "an input whose values nothing reads"
    NO_LENGTHS = "no-sequence-lens", "a recurrent layer that is not told where sequences end"
    NO_MASK = "attention-without-mask", "a fused attention without a mask"
    WEAK_FILL = "weak-fill", "a fill that hides scores, but not enough"
    HALF_FILL = "half-fill", "a fill that does not fit into half precision"
    BAKED_LENGTH = "baked-length", "lengths or a mask of the traced example"
    MASK_INDEX = "mask-index", "one position per row instead of a mask"
    KEY_LENGTHS = "kv-lengths", "the number of real keys per row instead of a mask"
    DYNAMIC_QUANTIZATION = "dynamic-quantization", "a scale measured on the run's own data"
    MASK_DROPPED = "mask-dropped", "a layer that loses the mask beside its input"
    MASK_IGNORED = "mask-ignored", "a layer that passes the mask on and mixes positions without it"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFact:
    """Something suspicious that the graph shows without being run. Never a finding by itself.

    ``site`` names the place, ``None`` for the model as a whole.
    """

    kind: FactKind
    site: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A graph and all that is known of it. ``dtypes`` are numpy's names by key, where known."""

    graph: Graph
    uses: tuple[InputUse, ...]
    constants: Constants
    dtypes: Mapping[str, str]

    def dtype(self, key: str) -> str | None:
        """numpy's name of the type of ``key``, ``None`` where nothing tells it."""
        value = self.constants.value(key) if key not in self.dtypes else None
        return self.dtypes.get(key) if value is None else value.dtype.name


def fact_at(site: Site, kind: FactKind, detail: str) -> StaticFact:
    return StaticFact(kind=kind, site=site.name, detail=detail)


def short_name(site: Site) -> str:
    """The operator without the domain or library before it."""
    return site.operator.rpartition(".")[2]
