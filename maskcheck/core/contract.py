"""Which inputs are padded together, along which axes, and what marks their padding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

BATCH = "batch"
"""Label of the batch axis in ``dims``."""


class Role(StrEnum):
    """What an input is inside its domain."""

    TOKENS = "tokens"
    FEATURES = "features"
    MASK = "mask"
    ADDITIVE_MASK = "additive_mask"
    LENGTHS = "lengths"
    POSITIONS = "positions"
    SEGMENTS = "segments"
    OTHER = "other"

    @property
    def is_content(self) -> bool:
        """Whether it holds what the model reads: ids or features."""
        return self in (Role.TOKENS, Role.FEATURES)

    @property
    def is_mask(self) -> bool:
        """Whether it says of every position by itself whether it is real."""
        return self in (Role.MASK, Role.ADDITIVE_MASK)

    @property
    def marks_padding(self) -> bool:
        """Whether it says which positions are real."""
        return self.is_mask or self is Role.LENGTHS

    @property
    def follows_layout(self) -> bool:
        """Whether its values are made from how the rows are padded, and not drawn."""
        return self.marks_padding or self is Role.POSITIONS


CONTENT = tuple(role for role in Role if role.is_content)
MARKS = tuple(role for role in Role if role.marks_padding)


class OutputKind(StrEnum):
    """What an output is to the audit."""

    SEQUENCE = "sequence"
    POOLED = "pooled"
    ATTENTION = "attention"
    CACHE = "cache"


class Side(StrEnum):
    """Where the pads stand."""

    RIGHT = "right"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Dimension:
    """A length that padding changes.

    ``fixed`` is the only length the model accepts, if it accepts only one; ``minimum`` and ``maximum`` bound the
    valid lengths worth trying (a convolutional front end yields nothing from nine samples, a position table ends
    somewhere).
    """

    name: str
    fixed: int | None = None
    minimum: int = 1
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """Inputs that are padded together along the same dimensions (one, or height and width for images).

    ``assumed`` says that nothing tells of any padding: features of one fixed length without mask or lengths, or content
    that is not padded in the example, where others are. They may well never be padded, so their length does not gate.
    """

    name: str
    dimensions: tuple[Dimension, ...]
    side: Side = Side.RIGHT
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class InputContract:
    """What one input means.

    ``dims`` labels each axis: ``BATCH``, the name of a ``Dimension``, or ``None`` for an axis that padding leaves
    alone. ``shape`` gives the size to feed along each ``None`` axis (0 for other axes). ``pad_value`` fills the
    padding of tokens and features, ``valid_when`` is the value by which a mask marks a real position. ``vocabulary``
    bounds token ids from above. An ``OTHER`` input of rank 0 that has a domain and no ``fill`` is the padded length.
    ``ids_carry_mask`` is true when the model reads the padding off the ids themselves
    (``ids != pad``), so that ids at pads must not be changed.
    """

    name: str
    role: Role
    dtype: str
    dims: tuple[str | None, ...]
    shape: tuple[int, ...]
    domain: str | None
    inferred_from: str
    pad_value: float | int | None = None
    valid_when: int | None = None
    vocabulary: int | None = None
    ids_carry_mask: bool = False
    fill: float | int | bool | None = None  # constant content of an ``OTHER`` input, where one is known to be valid

    def axes(self, dimension: str) -> tuple[int, ...]:
        """Axes of this input that run along ``dimension``."""
        return tuple(i for i, label in enumerate(self.dims) if label == dimension)

    @property
    def axis(self) -> int | None:
        """The last padded axis: the key axis of a square mask, the only axis of most inputs."""
        padded = [i for i, label in enumerate(self.dims) if label not in (BATCH, None)]
        return padded[-1] if padded else None


class Layout(StrEnum):
    """Where the positions of an output's longer axis stand, when it is longer than the input's."""

    TOGETHER = "together"  # the pads' positions are the last ones (or the first ones, under left padding)
    BEHIND = "behind"  # further positions stand behind those of the pads: image tokens after a text
    BLOCKS = "blocks"  # several sequences one after the other, each with its own pads


@dataclass(frozen=True, slots=True)
class OutputContract:
    """What one output means. ``dims`` is labelled as for inputs; ``None`` stands for axes that padding does not
    change.
    """

    name: str
    kind: OutputKind
    dims: tuple[str | None, ...]
    domain: str | None
    inferred_from: str
    layout: Layout = Layout.TOGETHER

    @property
    def axis(self) -> int | None:
        padded = [i for i, label in enumerate(self.dims) if label not in (BATCH, None)]
        return padded[0] if padded else None


@dataclass(frozen=True, slots=True)
class Contract:
    """All domains, inputs and outputs of a model, each with the reason for what was inferred.

    ``choices`` are sentences about what could not be decided and was chosen; ``conflicts`` about names that the
    behaviour contradicts (``conflicts`` are findings, ``choices`` are not). ``fixed_batch`` is the only batch size
    the model accepts.
    """

    domains: tuple[Domain, ...]
    inputs: tuple[InputContract, ...]
    outputs: tuple[OutputContract, ...]
    fixed_batch: int | None = None
    batches: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def input(self, name: str) -> InputContract:
        return next(i for i in self.inputs if i.name == name)

    def output(self, name: str) -> OutputContract:
        return next(o for o in self.outputs if o.name == name)

    def domain(self, name: str) -> Domain:
        return next(d for d in self.domains if d.name == name)

    def of(self, domain: str, *roles: Role) -> tuple[InputContract, ...]:
        """Inputs of ``domain``, of the given roles when any are named."""
        return tuple(i for i in self.inputs if i.domain == domain and (not roles or i.role in roles))

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        return {d.name: d for domain in self.domains for d in domain.dimensions}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A name that says one thing while the model does another."""

    input: str
    kind: str  # "inverted-polarity" | "inert-mask"
    message: str
    evidence: Mapping[str, float] = field(default_factory=dict)
