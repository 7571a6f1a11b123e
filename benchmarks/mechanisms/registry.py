"""What there is to judge: mechanisms by their id, each with a leaky and a mended layer, and sound look-alikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

WIDTH, HEADS = 24, 4

STEPS, POOL, IDS = "steps", "pool", "ids"
"""What a layer makes of a sequence (batch, time, width): another one, one vector, or either of raw ids."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """``rules`` are the codes that name the mechanism; ``exports`` is false where no graph can hold it.

    A look-alike has no rules: it is sound, whatever it resembles. ``left`` says that padding in front is to be tried
    as well: there the leaky layer leaks, if it does not behind, and the mended one is sound.
    """

    id: str
    kind: str
    rules: tuple[str, ...]
    layer: type[Layer]
    exports: bool = True
    left: bool = False

    @property
    def name(self) -> str:
        return f"{self.id} {self.layer.__name__}"

    @property
    def number(self) -> int:
        """Its place among all of them."""
        return REGISTRY.index(self)

    @property
    def sound(self) -> bool:
        return not self.rules


class Layer(nn.Module):
    """Leaky or mended. ``forward(x, m)``: x (batch, time, width), m (batch, time) is 1.0 at real steps."""

    def __init__(self, leaky: bool) -> None:
        super().__init__()
        self.leaky = leaky
        self.setup()

    def setup(self) -> None:
        """Make the weights."""


REGISTRY: list[Mechanism] = []


def mechanism(
    id: str, *rules: str, kind: str = STEPS, exports: bool = True, left: bool = False
) -> Callable[[type[Layer]], type[Layer]]:
    def add(layer: type[Layer]) -> type[Layer]:
        REGISTRY.append(Mechanism(id, kind, rules, layer, exports, left))
        return layer

    return add


def looks_alike(
    id: str, kind: str = STEPS, exports: bool = True, left: bool = False
) -> Callable[[type[Layer]], type[Layer]]:
    return mechanism(id, kind=kind, exports=exports, left=left)


def split(x: Tensor) -> Tensor:
    """(batch, time, width) -> (batch, heads, time, width of a head)."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
