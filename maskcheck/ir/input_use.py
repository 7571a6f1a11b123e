"""What is said of one use of a model input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from maskcheck.ir.operation import Operation


class UseKind(StrEnum):
    """How a model input is consumed inside the graph, as far as the loader can tell without running it."""

    INDEX = "index"  # looks up rows of a table; ``value`` is the number of rows
    PADDING = "padding"  # looks up rows of a table that keeps the row ``value`` for padding
    COMPARE = "compare"  # compared with a constant; ``value`` is that constant
    LENGTHS = "lengths"  # read as the sequence lengths of a recurrent or attention operator
    MASK = "mask"  # read as the mask operand of an operator that takes one; ``value`` is its rank
    MASKING = "masking"  # enters the model there, with its padding already told apart: steps that are all ``value``
    OTHER = "other"  # any other operator reads its values


@dataclass(frozen=True, slots=True, kw_only=True)
class InputUse:
    """One use of a model input by a site, seen through casts, reshapes and other operators that keep values.

    ``operator`` is the framework's own name of ``operation``, for readers.
    """

    input: str
    kind: UseKind
    site: str
    operator: str
    operation: Operation
    value: float | int | None = None
