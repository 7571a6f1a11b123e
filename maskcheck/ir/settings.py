"""Settings of operations, typed per family: which axes, which operands, which constants.

Tensors are named by their keys, so that a reader need not know at which place an operator takes its mask. ``None``
means that the loader could not tell; an absent operand is ``None`` as well where the field says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from maskcheck.ir.operation import COMPARISONS, REDUCTIONS, Kind
from maskcheck.ir.operation import Operation as Op

Axes = tuple[int, ...]
"""Axes of a tensor as the operator was given them: negative ones count from the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduce:
    """A reduction, or a normalisation over whole axes. ``axes``: ``()`` for none, ``None`` where not known.

    ``spatial`` says that all axes behind the second are reduced, however many there are. ``mask`` is the key of the
    mask that a layer was given, by hand or beside its input.
    """

    axes: Axes | None = None
    keeps_axes: bool = False
    spatial: bool = False
    mask: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """What works along one axis: concatenation, gathering, splitting, cumulative sums, sorting, flipping.

    ``reverse``: from the last position to the first. ``count``: how many positions are kept, of ``TOP_K``. ``lengths``
    is the key of the numbers of real steps, of ``REVERSE_SEQUENCE``. ``sizes``: how long each part is, of ``SPLIT``.
    """

    axis: int | None = None
    reverse: bool = False
    count: int | None = None
    lengths: str | None = None
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """``flattens``: everything from ``axis`` on is normalised together, as ONNX did before opset 13.

    ``mask`` is the key of the mask that a layer was given, by hand or beside its input.
    """

    axis: int | None = -1
    flattens: bool = False
    mask: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Positions picked from an axis. ``indices`` are known where they are constants; a single number drops the axis."""

    axis: int | None = 0
    indices: int | tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One entry per axis that is cut; ends beyond the size stand for the end. ``None``: not constants, or not known."""

    axes: Axes | None = None
    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None
    steps: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Rows of a table. ``rows``: how many it has; ``padding``: the row kept for padding, where the operator says so.

    ``ids`` is the key of the tensor whose values pick the rows. ``others`` are further tables of the same operator (of
    segments, of positions), and ``mask`` is the key of a mask beside the ids.
    """

    rows: int | None = None
    padding: int | None = None
    ids: str | None = None
    others: tuple[Lookup, ...] = ()
    mask: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A convolution or a pooling. All but ``groups`` have one entry per axis of positions, in the operator's order.

    ``before`` and ``after`` are zeros laid at the ends of each axis; ``same`` says that as many are laid as keep the
    length (divided by the stride). ``channels_last`` says where the features are.
    """

    kernel: tuple[int, ...] | None = None
    strides: tuple[int, ...] | None = None
    dilations: tuple[int, ...] | None = None
    before: tuple[int, ...] | None = None
    after: tuple[int, ...] | None = None
    same: bool = False
    causal: bool = False
    groups: int = 1
    channels_last: bool = False


class Direction(StrEnum):
    FORWARD = "forward"
    REVERSE = "reverse"
    BIDIRECTIONAL = "bidirectional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A recurrent layer. ``lengths`` is the key of the numbers of real steps, ``mask`` that of a mask beside the input.

    ``takes_lengths`` says whether the operator could be given either; ``packed`` that its input is packed.
    ``zeroes_pads``: answers at pads are 0 rather than the last state. ``returns_sequence`` is ``None`` where the
    operator returns both the sequence and the last state. ``time_first_rows``: the size of the batch, where the
    operator reads time before batch.
    """

    direction: Direction = Direction.FORWARD
    lengths: str | None = None
    mask: str | None = None
    takes_lengths: bool = True
    packed: bool = False
    zeroes_pads: bool = False
    returns_sequence: bool | None = None
    time_first_rows: int | None = None

    @property
    def knows_lengths(self) -> bool:
        return self.packed or self.lengths is not None or self.mask is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Constants among the operands of a selection (but not its condition), an addition, a product, a power.

    ``values`` are the numbers that constant operands hold everywhere, in the order of the operands. ``swapped`` says
    that the only constant stands on the left (``1 - mask``).
    """

    values: tuple[float, ...] = ()
    swapped: bool = False

    @property
    def value(self) -> float | None:
        """The only constant, ``None`` where there are none or several."""
        return self.values[0] if len(self.values) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Bounds of a clip; ``None`` for an absent bound, or one that is no constant."""

    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """A comparison with a constant: ``operand`` is the key of the tensor compared, ``swapped`` says that the constant
    stands on the left (``0 <= ids``).
    """

    value: float | None = None
    operand: str | None = None
    swapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """Positions laid at the ends. ``before`` and ``after``: one entry per axis of the tensor, where constants.

    ``copies`` says that values of the tensor itself are laid there (reflection, edge), else ``fill`` is.
    """

    before: tuple[int, ...] | None = None
    after: tuple[int, ...] | None = None
    fill: float | None = 0.0
    copies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """A fused attention. ``mask``, ``bias`` and ``lengths`` are the keys of operands that were given, else ``None``.

    ``takes_mask`` says whether the operator could be given any of them. ``mask_rank`` is the rank of the mask where
    known; a mask of rank 1 is one length, or one position, per row. ``fill`` is what the operator puts in the place of
    hidden scores, ``None`` for minus infinity or where not known. ``fused_by_runtime`` says that the operator is of a
    runtime's own set: no framework writes it, an optimiser put it in the place of others.
    """

    mask: str | None = None
    bias: str | None = None
    lengths: str | None = None
    takes_mask: bool = True
    mask_rank: int | None = None
    causal: bool = False
    fill: float | None = None
    fused_by_runtime: bool = False

    @property
    def has_mask(self) -> bool:
        return self.mask is not None or self.bias is not None or self.lengths is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiser:
    """``scale`` and ``lowest`` are constants of the operator; ``lowest`` is the smallest number it can express.

    ``block``: how many values share one measured scale, ``None`` for all of the tensor.
    """

    scale: float | None = None
    lowest: float | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepwiseLayer:
    """A layer applied to every step by itself (``TimeDistributed``). ``recurrent``: it has a sequence of its own."""

    recurrent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskValue:
    """A layer that takes steps which are all ``value`` for padding."""

    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """The equation of an ``EINSUM``, as the field writes it."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is known of operators inside a loop, a branch or a call, which are not shown one by one.

    ``sized_by_data``: content decides how large the result is. ``random``: random numbers are drawn inside.
    """

    sized_by_data: bool = False
    random: bool = False


Settings = (
    Reduce
    | Along
    | Softmax
    | Pick
    | Slice
    | Lookup
    | Window
    | Recurrence
    | Fill
    | Clip
    | Compare
    | Pad
    | Attention
    | Quantiser
    | StepwiseLayer
    | MaskValue
    | Equation
    | Body
)
"""What a site may hold beside its operation; ``FAMILIES`` says which family goes with which operation."""

_ARITHMETIC = (Op.ADD, Op.SUBTRACT, Op.MULTIPLY, Op.DIVIDE, Op.FLOOR_DIVIDE, Op.MODULO, Op.POWER)

FAMILIES: Mapping[type, frozenset[Op]] = {
    Reduce: frozenset(o for o in Op if o.kind in REDUCTIONS or o.kind is Kind.NORMALIZATION)
    | {Op.SQUEEZE, Op.UNSQUEEZE, Op.FOURIER_TRANSFORM},
    Along: frozenset(o for o in Op if o.kind in (Kind.CONCATENATE, Kind.SCAN, Kind.ROUTING))
    | {Op.SPLIT, Op.FLIP, Op.ROLL, Op.REVERSE_SEQUENCE, Op.GLU, Op.ONE_HOT, Op.FLATTEN, Op.ARGMAX, Op.ARGMIN},
    Softmax: frozenset(o for o in Op if o.kind is Kind.SOFTMAX),
    Pick: frozenset({Op.GATHER, Op.SELECT, Op.EMBEDDING}),
    Slice: frozenset({Op.SLICE}),
    Lookup: frozenset(o for o in Op if o.kind is Kind.EMBEDDING) | {Op.GATHER, Op.ONE_HOT},
    Window: frozenset(o for o in Op if o.kind in (Kind.CONVOLUTION, Kind.WINDOW)),
    Recurrence: frozenset(o for o in Op if o.kind is Kind.RECURRENT) | {Op.DYNAMIC_LSTM, Op.PACK_SEQUENCE},
    Fill: frozenset({*_ARITHMETIC, Op.WHERE, Op.MAXIMUM, Op.MINIMUM}),
    Clip: frozenset({Op.CLIP}),
    Compare: COMPARISONS,
    Pad: frozenset({Op.PAD}),
    Attention: frozenset(o for o in Op if o.kind is Kind.ATTENTION) | {Op.EMBEDDING_NORM},
    Quantiser: frozenset(o for o in Op if o.kind in (Kind.QUANTIZE, Kind.STATIC_QUANTIZE))
    | {Op.ADD, Op.MULTIPLY, Op.WHERE, Op.MATMUL},
    StepwiseLayer: frozenset(Op),
    MaskValue: frozenset({Op.MASKING}),
    Equation: frozenset({Op.EINSUM}),
    Body: frozenset({Op.LOOP, Op.SUBGRAPH}),
}


def axes_of(settings: Settings | None, rank: int) -> Axes | None:
    """Axes an operation works along, counted from 0, of a tensor of ``rank`` axes; ``None`` where they are not told."""
    match settings:
        case Reduce(spatial=True):
            return tuple(range(2, rank))
        case Reduce(axes=tuple() as axes) | Slice(axes=tuple() as axes) if rank:
            return tuple(axis % rank for axis in axes)
        case Along(axis=int() as axis) | Softmax(axis=int() as axis) | Pick(axis=int() as axis) if rank:
            return (axis % rank,)
        case _:
            return None
