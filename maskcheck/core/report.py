"""What an audit found, as plain data. Reporters turn it into text; nothing here prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from maskcheck.core.contract import Contract, Role
from maskcheck.ir.graph import Site

GROWTH = 10.0
"""How many times its known size a leak may reach before it counts as new; sizes differ between machines and formats."""


class TwinKind(StrEnum):
    """The ways in which two paddings of one content can differ."""

    REPEAT = "repeat"
    CONTENT = "content"
    LENGTH = "length"
    SIDE = "side"
    MATES = "mates"
    EMPTY = "empty"
    VALID = "valid"
    MASK = "mask"
    POKE = "poke"
    POISON = "poison"
    PRECISION = "precision"
    TRAINING = "training"


class Variant(StrEnum):
    """Which form of a twin a passport row is about. The value is the label that readers see."""

    REPEATED = "same input twice"
    # length
    RIGHT = "right"
    LEFT = "left"
    ALONE = "alone"
    LONG = "long"
    RARE = "rare"
    FIXED = "fixed"
    FILLER = "filler"
    UNFUSED = "unfused"
    # content and poison
    PADS = "pads"
    PAD_ROW = "pad row"
    NAN = "nan"
    INFINITY = "inf"
    HUGE = "huge"
    NEAR_MISS = "near miss"
    # mates and empty rows
    BESIDE_LONGER = "beside longer"
    REORDERED = "reordered"
    ALL_PAD_MATE = "all-pad mate"
    # side, where positions are an input
    RIGHT_POSITIONS_GIVEN = "right, positions given"
    LEFT_POSITIONS_GIVEN = "left, positions given"
    RIGHT_BY_COLUMN = "right, positions by column"
    LEFT_BY_COLUMN = "left, positions by column"
    # valid and mask
    ONE_TOKEN = "one token"
    PAD_ID_IN_USE = "pad id in use"
    PAD_VALUE_IN_USE = "pad value in use"
    TOGGLED = "toggled"
    # inside
    HIDDEN_STATES = "hidden states"
    GRADIENT = "gradient"
    # precision
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    # training
    LOSS = "loss"
    METRIC = "metric"
    ANY = "-"  # whatever the twin would have tried

    @property
    def by_column(self) -> bool:
        """Whether positions count columns, pads included, as a caller who forgets them would have it."""
        return self in (Variant.RIGHT_BY_COLUMN, Variant.LEFT_BY_COLUMN)


class Status(StrEnum):
    """What a twin showed. ``untested`` is never ``clean``."""

    CLEAN = "clean"
    LEAKY = "leaky"
    UNTESTED = "untested"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Outcome(StrEnum):
    CLEAN = "clean"
    LEAKY = "leaky"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """How far one output moved.

    ``difference`` and ``noise_floor`` are max|a - b| over the valid region, in standard deviations of the reference
    there. ``tolerance`` is the largest difference that still counts as rounding. ``influence`` is ``difference``
    divided by what changing one real token does. ``decisions_changed`` reads "3/16" where the output's largest
    entry, sign or nearest neighbour means something, and is ``None`` elsewhere.
    """

    name: str
    difference: float
    noise_floor: float
    tolerance: float
    influence: float | None = None
    decisions_changed: str | None = None
    cosine_change: float | None = None

    @property
    def moved(self) -> bool:
        """Whether the difference is more than rounding; one that is not a number is."""
        return not self.difference <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class PassportRow:
    """One twin, tried or not.

    ``detail`` names what the variant is about where there may be several (a metric). ``settles`` is the twin whose
    doubtful rows a row of another precision decides.
    """

    twin: TwinKind
    variant: Variant
    domain: str | None
    status: Status
    gating: bool
    reason: str | None = None
    outputs: tuple[OutputDifference, ...] = ()
    detail: str = ""
    settles: TwinKind | None = None

    @property
    def difference(self) -> float:
        """Largest difference over the outputs; 0.0 when none was measured."""
        return max((o.difference for o in self.outputs), default=0.0)

    @property
    def label(self) -> str:
        """The variant as readers see it."""
        if self.detail:
            return f"{self.variant.value} {self.detail}"
        if self.settles in (None, TwinKind.LENGTH):
            return self.variant.value
        return f"{self.variant.value}, {self.settles.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenForPadding:
    """Real steps of an input of ``role`` that are taken for padding by ``site``, which tells padding by its value.

    ``row`` is the passport row that says so. ``happens``: such steps are known to occur, since a mask marks them
    real or the user's own inputs hold some.
    """

    row: PassportRow
    role: Role
    site: Site | None
    happens: bool


@dataclass(frozen=True, slots=True)
class RootCause:
    """Where the information was lost that made an origin leak."""

    site: Site | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One leak (or hazard): where, why, how much, how to mend it."""

    rule: str
    name: str
    severity: Severity
    site: Site | None
    root_cause: RootCause | None
    twins: tuple[TwinKind, ...]
    domain: str | None
    outputs: tuple[str, ...]
    difference: float
    noise_floor: float
    influence: float | None
    share: float | None
    message: str
    fix: str
    fingerprint: str
    related: tuple[Site, ...] = ()  # further sites of the same kind, one per layer for instance
    interval: tuple[Site, ...] = ()  # opaque sites between the last clean one and ``site``


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that somebody looked at and let pass; it does not gate. ``source`` is the file that says so."""

    finding: Finding
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class AttentionSample:
    """The weights of one head for one padded sequence, as a picture of what ``AttentionMap`` counts.

    ``weights`` is (queries, keys), each from 0 to 1; ``pads`` are the keys, and ``pad_queries`` the queries, that are
    padding.
    """

    head: int
    weights: tuple[tuple[float, ...], ...]
    pads: tuple[int, ...]
    pad_queries: tuple[int, ...] = ()


class MaskAxis(StrEnum):
    """The axis of attention weights on which a mask was seen."""

    KEYS = "keys"
    QUERIES = "queries"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionMap:
    """How much attention valid queries pay to pads at one site.

    ``pad_mass`` is (heads,): the mean over valid queries of the weight put on pads. ``axis`` says on which
    axis of the weights a mask was seen. ``sample`` shows the head that looks at pads most.
    """

    site: Site
    heads: int
    pad_mass: tuple[float, ...]
    axis: MaskAxis
    sample: AttentionSample | None = None

    @property
    def pad_mass_max(self) -> float:
        return max(self.pad_mass, default=0.0)

    @property
    def pad_mass_mean(self) -> float:
        return sum(self.pad_mass) / len(self.pad_mass) if self.pad_mass else 0.0


class Reach(StrEnum):
    """Whether padding reaches a place: not, from before, first of all here, or the tensors there cannot be aligned."""

    CLEAN = "clean"
    DIRTY = "dirty"
    ORIGIN = "origin"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class LayerState:
    """One stretch of the model on the leak map.

    ``positions`` says how far each valid position differs there between two paddings, from the first position to the
    last, in standard deviations; it is empty where that was not measured.
    """

    name: str
    state: Reach
    positions: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """All that is known about one model after its audit.

    ``findings`` gate, ``accepted`` ones do not, and ``suppressed`` counts the latter; ``outcome`` is what the model
    does, accepted or not. ``stale`` are sentences about acceptances that fit nothing any more. ``curve`` pairs numbers
    of pads with the largest difference they make to an output, in standard deviations.
    """

    path: str
    sha256: str | None
    format: str
    outcome: Outcome
    reason: str | None = None
    contract: Contract | None = None
    passport: tuple[PassportRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    attention: tuple[AttentionMap, ...] = ()
    layers: tuple[LayerState, ...] = ()
    notes: tuple[str, ...] = ()
    suppressed: int = 0
    duration_s: float = 0.0
    usage_error: bool = False
    accepted: tuple[Accepted, ...] = ()
    stale: tuple[str, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()

    @property
    def excused(self) -> bool:
        """Whether the model leaks and every leak of it that would gate was accepted."""
        gating = self.count(Severity.ERROR) > 0
        return self.outcome is Outcome.LEAKY and not gating and bool(self.accepted)

    def count(self, severity: Severity) -> int:
        return sum(f.severity is severity for f in self.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """One run of ``maskcheck audit`` over one or several models.

    ``flags`` are the flags of the command that change what is measured, for whoever wants to run it again.
    """

    models: tuple[ModelReport, ...]
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def outcomes(self, outcome: Outcome) -> int:
        return sum(m.outcome is outcome for m in self.models)

    def findings(self, severity: Severity) -> int:
        return sum(m.count(severity) for m in self.models)
