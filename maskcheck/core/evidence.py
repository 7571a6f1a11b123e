"""What the probe measured about one origin: all that a rule may look at to say why padding leaks there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from maskcheck.core.contract import Conflict, Contract
from maskcheck.core.report import AttentionMap, TwinKind, Variant
from maskcheck.ir.graph import Site
from maskcheck.ir.static_fact import StaticFact


class Spread(StrEnum):
    """How the error at an origin is distributed over the valid positions."""

    BOUNDARY = "boundary"  # largest next to the pads, decaying away from them
    UNIFORM = "uniform"  # about as large everywhere
    START = "start"  # grows towards the beginning, as in a backward scan
    POOLED = "pooled"  # the tensor has no sequence axis
    LOCAL = "local"  # only a few positions, not those next to the pads


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """What is known about a tensor an origin reads or makes.

    ``sequence_axes`` are the axes padding lengthens, ``batch_axis`` the axis of the rows (``None``: not found or
    absent). ``shape_only`` tensors are computed from sizes alone; ``mask_reaches`` says whether a mask, a length or
    a comparison of ids with the pad value lies among the tensor's ancestors. ``zero_at_pads`` holds when every pad
    position is exactly 0. ``difference`` is how far the tensor itself differs between the twins at valid positions.
    """

    shape: tuple[int, ...]
    sequence_axes: tuple[int, ...] = ()
    batch_axis: int | None = None
    shape_only: bool = False
    constant: bool = False
    mask_reaches: bool = False
    zero_at_pads: bool = False
    difference: float = 0.0
    dtype: str = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One origin and its circumstances.

    ``at_site`` gives, for each twin in which the site is an origin, the difference there; ``at_outputs`` the largest
    difference over the model's outputs for every twin tried (0.0: clean), whatever the origin. ``twin`` is the twin
    whose traces led here. ``upstream`` and ``downstream`` are the nearest sites, breadth first, through layout
    operators. ``framework`` is where the model was written, ``format`` what was loaded: an ONNX file may come from
    PyTorch. ``dead_positions`` are real tokens that influence nothing in any sample (fractions of the valid
    length, 0 to 1).
    """

    site: Site
    twin: TwinKind
    at_site: Mapping[TwinKind, float]
    at_outputs: Mapping[TwinKind, float]
    tensors: Mapping[str, TensorFacts]
    contract: Contract
    framework: str
    format: str
    spread: Spread
    upstream: tuple[Site, ...] = ()
    downstream: tuple[Site, ...] = ()
    attention: AttentionMap | None = None
    static: tuple[StaticFact, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    dead_positions: tuple[float, ...] = ()
    domain: str | None = None
    variants: Mapping[tuple[TwinKind, Variant], float] = field(default_factory=dict)  # difference, for the finer rules
    beside: tuple[Site, ...] = ()  # layouts of what else the sites downstream read
    further: tuple[Site, ...] = ()  # sites just before the origin that only the longer run has: more rounds of a loop

    def facts(self, key: str) -> TensorFacts | None:
        return self.tensors.get(key)

    @property
    def input_facts(self) -> tuple[TensorFacts, ...]:
        """Facts of the tensors the site reads, those known, in order."""
        return tuple(f for f in (self.tensors.get(k) for k in self.site.inputs) if f is not None)

    @property
    def output_facts(self) -> TensorFacts | None:
        return next((f for f in (self.tensors.get(k) for k in self.site.outputs) if f is not None), None)

    def leaks_anywhere(self, twin: TwinKind) -> bool:
        """Whether some output leaks in ``twin``, through this origin or another."""
        return self.at_outputs.get(twin, 0.0) > 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginReport:
    """One origin (with its like in other layers) and what is known of it.

    ``share`` is the part of the leak that goes when the origin is patched, 0 to 1, ``None`` where that was not
    confirmed; ``joint`` is the share of all origins of the same twin together.
    """

    evidence: Evidence
    related: tuple[Site, ...] = ()
    interval: tuple[Site, ...] = ()
    share: float | None = None
    joint: float | None = None
    outputs: tuple[str, ...] = ()
    gating: bool = True
