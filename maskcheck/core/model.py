"""The one interface every loader returns, whatever framework the model came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np

from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse
from maskcheck.ir.static_fact import StaticFact

Array = np.ndarray[Any, np.dtype[Any]]
Feeds = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, numpy dtype name and declared shape of a model input or output.

    Each axis of ``shape`` is an ``int`` (fixed), a ``str`` (a symbolic name such as ``"batch"``) or ``None`` (unknown).
    ``shape`` itself is ``None`` when not even the rank is declared.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None
    optional: bool = False


class MaskFate(StrEnum):
    """What one layer call did with the mask that travels beside its input."""

    NONE = "no mask"  # none arrived, none was made
    MADE = "made"  # none arrived, the layer attached one to its result
    PASSED = "passed on"  # not needed by the layer, kept for the next
    USED = "used and passed on"
    CONSUMED = "used up"  # the result has no sequence any more, or none that is masked
    DROPPED = "dropped"  # neither used nor passed on
    IGNORED = "ignored"  # passed on, though the layer lets positions reach each other without it


@dataclass(frozen=True, slots=True)
class MaskStep:
    """One layer call on the way of an implicit mask through a Keras model.

    ``warned`` says whether the framework itself warns of a mask that is lost here. ``partly`` holds when some inputs of
    the call carried a mask and others did not. ``shape`` is that of the first result in the recorded run.
    """

    site: str
    layer: str
    operator: str
    fate: MaskFate
    arrived: bool = False
    partly: bool = False
    warned: bool = False
    detail: str = ""
    shape: tuple[int, ...] = ()
    depth: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Where a model came from and what ran it.

    ``hints`` holds facts found beside the file (``pad_token_id``, ``max_length``, ``padding_side``) or in the example
    inputs (``unpadded``: those in which no row is padded, though rows of others are), and ``static``
    holds what the graph alone shows (an LSTM without lengths, a mask input nobody reads) for rules to join to
    behaviour. ``journey`` tells, for frameworks with implicit masks, what every layer call did with the mask.
    """

    path: str
    format: str
    sha256: str | None
    framework: str
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "float32"
    hints: Mapping[str, Any] = field(default_factory=dict)
    static: tuple[StaticFact, ...] = ()
    size_bytes: int = 0
    journey: tuple[MaskStep, ...] = ()


@runtime_checkable
class Model(Protocol):
    """A loaded model: ``run`` is the deployed path, ``trace`` the instrumented one."""

    @property
    def info(self) -> ModelInfo: ...
    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def uses(self) -> tuple[InputUse, ...]: ...

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Run the model exactly as deployed and return its outputs by name.

        Raises:
            RunError: the model refused these inputs; the message is the runtime's own reason, shortened.
        """
        ...

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run the instrumented copy and return what every site computed.

        Args:
            feeds: as for ``run``.
            patches: values by tensor key. Consumers of a patched tensor read the given value; the trace still records
                what the site itself computed, so that a caller can see whether it would have been clean.
            record: keys of the tensors wanted; ``None`` records every tensor that depends on the feeds. Model
            outputs are
                always recorded.

        Raises:
            RunError: the model refused these inputs.
            TraceError: the model cannot be instrumented.
        """
        ...

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> Model | None:
        """Return the same model with the given fixed input axes made variable, or ``None`` where that is not sound."""
        ...

    def recast(self, precision: str) -> Model | None:
        """Return the same model computing in ``"float32"`` or ``"float64"``, or ``None`` where that cannot be had.

        Only ``run`` of the result is used.
        """
        ...

    def close(self) -> None:
        """Free the runtime's memory. Further calls to ``run`` or ``trace`` are errors."""
        ...
