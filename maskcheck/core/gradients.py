"""What a model that can be differentiated is asked for: how much its answers follow from each position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from maskcheck.core.model import Array, Feeds


@runtime_checkable
class Differentiable(Protocol):
    """A model whose answers can be differentiated."""

    def gradients(self, feeds: Feeds, tokens: tuple[str, ...], weights: Mapping[str, Array]) -> dict[str, Array]:
        """Derivatives of the sum of ``weights[name] * outputs[name]`` by what stands at each position, by input.

        For an input of ``tokens`` it is the largest absolute derivative by the embedding of each id, in the shape of
        the ids; for a floating input, the absolute derivative by its values. Inputs that nothing follows from, or
        whose embedding was not found, are left out.

        Raises:
            RunError: the model cannot be differentiated, or refused the inputs; the message is the reason.
        """
        ...
