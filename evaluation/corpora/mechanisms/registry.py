"""What there is to judge: mechanisms by their id, each with a leaky and a mended layer, and sound look-alikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

WIDTH, HEADS = 24, 4

STEPS, POOL, IDS, HOLLOW = "steps", "pool", "ids", "hollow"
"""What a layer makes of a sequence (batch, time, width): another one, one vector, or either of raw ids; one vector of
what may be empty."""

CROSS, NESTED, IMAGE = "cross", "nested", "image"
"""Of two sequences; of sentences of words (batch, sentences, words, width); of a map (batch, width, height, width)."""

BAG, MARKED, CHOSEN, FRAMES, VALUED = "bag", "marked", "chosen", "frames", "valued"
"""Of ids without a mask: one vector or a sequence; of a sequence, its ids and its mask: one vector; of raw frames, with
a mask or without one: a sequence."""

FIXED = "fixed"
"""Of a sequence of one length, without a mask: another one."""

PADDING, REPEAT, VALID, EMPTY, UNFIT = "padding", "repeat", "valid", "empty", "unfit"
"""What shows a mechanism: answers that move with padding or with mates; the same input twice; a real step that counts
for nothing; a row without any real step; answers that are no numbers, padded or not, so that nothing can be said."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """``rules`` are the codes that name the mechanism; ``exports`` is false where no graph can hold it.

    ``left`` says that padding in front is to be tried as well: there the leaky layer leaks, if it does not behind, and
    the mended one is sound. ``half`` names the forms in half precision to be tried. ``rows`` is the only batch the
    layer takes beside single rows. ``expects`` is what shows the mechanism; a look-alike is sound, whatever it
    resembles.
    """

    id: str
    kind: str
    rules: tuple[str, ...]
    layer: type[Layer]
    exports: bool = True
    left: bool = False
    half: tuple[str, ...] = ()
    rows: int | None = None
    expects: str = PADDING
    sound: bool = False

    @property
    def name(self) -> str:
        return f"{self.id} {self.layer.__name__}"

    @property
    def number(self) -> int:
        """Its place among all of them."""
        return REGISTRY.index(self)


class Layer(nn.Module):
    """Leaky or mended. ``forward(x, m)``: x (batch, time, width), m (batch, time) is 1.0 at real steps.

    ``pad`` is the id that fills the padding of ids.
    """

    pad = 0

    def __init__(self, leaky: bool) -> None:
        super().__init__()
        self.leaky = leaky
        self.setup()

    def setup(self) -> None:
        """Make the weights."""


REGISTRY: list[Mechanism] = []


def mechanism(id: str, *rules: str, kind: str = STEPS, **given: Any) -> Callable[[type[Layer]], type[Layer]]:
    def add(layer: type[Layer]) -> type[Layer]:
        REGISTRY.append(Mechanism(id, kind, rules, layer, **given))
        return layer

    return add


def looks_alike(id: str, kind: str = STEPS, **given: Any) -> Callable[[type[Layer]], type[Layer]]:
    return mechanism(id, kind=kind, sound=True, **given)


def split(x: Tensor) -> Tensor:
    """(batch, time, width) -> (batch, heads, time, width of a head)."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
