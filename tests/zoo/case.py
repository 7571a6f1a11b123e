"""What a case of the zoo declares about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TWINS = frozenset({"length", "content", "mates", "side", "empty", "valid"})
"""Twins a case may declare: see ``Case``."""

RIGHT = frozenset({"length", "content", "mates"})
SIDE = frozenset({"side"})
ROUND = RIGHT | SIDE
PADS = frozenset({"length", "content", "side"})
MATES = frozenset({"mates"})

DIMENSIONS = frozenset("TSHW")
"""Letters of the axes that padding lengthens; every other letter names a fixed size, ``B`` the batch."""


@dataclass(frozen=True, slots=True)
class Input:
    """One graph input: its role and, letter by letter, its axes.

    ``axes`` spells the shape: ``B`` batch, ``T`` and ``S`` sequences, ``H`` and ``W`` image sides, ``1`` an axis of
    size one, any other letter a size out of ``sizes``. A mask holds ``valid`` at real positions and ``pad`` elsewhere,
    along the last axis of each dimension only (the key axis of a square mask). ``relative`` lengths are fractions of
    the padded length. ``reads_padding`` says that the model reads the padding off these values: pads must keep them.
    """

    name: str
    role: str
    axes: str
    dtype: str = "float32"
    sizes: Mapping[str, int] = field(default_factory=dict)
    vocabulary: int = 0
    valid: float = 1
    pad: float = 0
    dimension: str = "T"
    relative: bool = False
    offset: int = 0
    reads_padding: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One graph output. ``extent`` gives the number of valid positions out of that many valid inputs (subsampling)."""

    name: str
    axes: str
    extent: Callable[[int], int] = int


@dataclass(frozen=True, slots=True)
class Case:
    """A small model and the truth about its padding.

    ``leaky`` and ``clean`` name twins (right padding with the pad value, unless the name says otherwise):

    - ``length``: another number of pads, which hold the pad value;
    - ``content``: other values at the pads, same shape and mask (absent from both where ids carry the mask);
    - ``mates``: alone against beside a longer row, padded to the same length;
    - ``side``: pads on the left instead of the right;
    - ``empty``: beside a row without a single valid position; leaky when *other* rows answer differently;
    - ``valid``: a real token changes; leaky when the answer does *not*.

    What neither set names is not declared. ``origin`` is part of the operator or node where the padding enters.
    ``fixed`` gives the only lengths and ``batches`` the only batch sizes the graph takes, ``minimum`` the shortest
    valid length. ``least`` is the smallest difference of a leaky twin, ``noise`` the largest of a clean one, both in
    standard deviations of the output.
    """

    name: str
    build: Callable[[Path], Path]
    spec: tuple[Input, ...]
    outputs: tuple[Output, ...]
    mechanism: str | None = None
    leaky: frozenset[str] = frozenset()
    clean: frozenset[str] = frozenset()
    origin: str | None = None
    contract_note: str = ""
    fixed: Mapping[str, int] = field(default_factory=dict)
    batches: tuple[int, ...] | None = None
    minimum: int = 1
    least: float = 1e-3
    noise: float = 1e-4

    @property
    def inputs(self) -> dict[str, str]:
        """Role of every input by name."""
        return {i.name: i.role for i in self.spec}

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Letters of the padded dimensions, in the order in which the inputs name them."""
        letters = [axis for i in self.spec for axis in i.axes if axis in DIMENSIONS]
        letters += [i.dimension for i in self.spec if i.role == "lengths"]
        return tuple(dict.fromkeys(letters))


# ---------------------------------------------------------------- inputs as models commonly name them


def tokens(name: str = "input_ids", dim: str = "T", vocabulary: int = 50, **more: object) -> Input:
    """Token ids, padded with 0."""
    return Input(name, "tokens", f"B{dim}", "int64", vocabulary=vocabulary, dimension=dim, **more)  # type: ignore[arg-type]


def features(name: str = "features", axes: str = "BTD", **sizes: int) -> Input:
    """Real-valued steps, padded with 0.0."""
    return Input(name, "features", axes, sizes=sizes or {"D": 16})


def mask(name: str = "attention_mask", dim: str = "T", dtype: str = "int64", **more: object) -> Input:
    """A mask with 1 at real positions, unless ``valid`` and ``pad`` say otherwise."""
    more.setdefault("axes", f"B{dim}")
    return Input(name, "mask", dtype=dtype, dimension=dim, **more)  # type: ignore[arg-type]


def additive(name: str = "attention_mask", axes: str = "B11T", pad: float = -1e9) -> Input:
    """A mask that is added to attention scores: 0 at real positions, ``pad`` at the others."""
    return Input(name, "additive_mask", axes, valid=0.0, pad=pad)


def lengths(name: str = "lengths", dim: str = "T", dtype: str = "int64", relative: bool = False) -> Input:
    """The number of valid positions of each row, or its share of the padded length."""
    return Input(name, "lengths", "B", dtype, dimension=dim, relative=relative)


def positions(name: str = "position_ids", offset: int = 0) -> Input:
    """Position ids that count real positions from ``offset`` on."""
    return Input(name, "positions", "BT", "int64", offset=offset)


def segments(name: str = "token_type_ids") -> Input:
    """Segment ids, 0 or 1."""
    return Input(name, "segments", "BT", "int64", vocabulary=2)
