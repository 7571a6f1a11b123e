"""Every tensor of one recording: the key it goes by, what it depends on, and its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from maskcheck.core.model import Array
from maskcheck.ir.dependence import Level
from maskcheck.loaders.pytorch.identity import Identities, Known
from maskcheck.loaders.pytorch.learned import Learned
from maskcheck.loaders.pytorch.memory import Memory
from maskcheck.loaders.pytorch.values import Values


@dataclass(slots=True, kw_only=True)
class TensorTable:
    """``memory`` is that of all recordings of the model; ``learned`` is ``None`` where nobody asks for it."""

    memory: Memory
    values: Values
    learned: Learned | None = None
    identities: Identities = field(default_factory=Identities)
    levels: dict[str, Level] = field(default_factory=dict)

    def enter_input(self, name: str, tensor: Any) -> Any:
        """Enter an input of the model and return what the model is to read."""
        self.values.keep_copy(name, tensor)
        self.levels[name] = Level.DATA
        self._learn(name, tensor, Level.DATA)
        seen = self.values.patch(name, tensor)
        self.identities.register(seen, name, Level.DATA)
        return seen

    def enter_output(self, name: str, known: Known, tensor: Any) -> Array:
        """Enter ``known`` under an output's name and return its values."""
        self.levels.setdefault(name, known.level)
        return self.values.keep_copy(name, tensor)

    def enter(self, key: str, tensor: Any, level: Level, *, in_place: bool = False) -> Any:
        """Enter what was computed as ``key`` and return what its readers are to see."""
        self.levels[key] = level
        self._learn(key, tensor, level)
        if level is not Level.CONSTANT:
            self.values.keep(key, tensor)
        if in_place:
            self.values.patch_in_place(key, tensor)
            self.identities.note_write(tensor, key, level)
            return tensor
        seen = self.values.patch(key, tensor)
        self.identities.register(seen, key, level)
        return seen

    def enter_weight(self, name: str, tensor: Any) -> Known:
        self.levels.setdefault(name, Level.CONSTANT)
        if self.learned is not None:
            self.learned.learn_weight(name, tensor)
        self.identities.register(tensor, name, Level.CONSTANT)
        return self.identities.current(tensor) or Known(name, Level.CONSTANT, 0)

    def enter_number(self, key: str, number: Array) -> Level:
        """Enter a number that the program has in the place of a tensor, and return what it depends on."""
        self.levels[key] = Level.CONSTANT
        if self.learned is not None:
            self.learned.fills[key] = float(number)
        self.values.keep_number(key, number)
        return Level.SHAPE if self.memory.note(key, number.item()) else Level.CONSTANT

    def learn_fill(self, key: str, tensor: Any) -> None:
        """Learn the number that ``key`` holds everywhere, where it does not depend on content."""
        if self.learned is not None and self.levels[key] is not Level.DATA:
            self.learned.learn_fill(key, tensor)

    @property
    def shape_only(self) -> frozenset[str]:
        """Keys of what is computed from sizes alone, as far as that has shown up to now."""
        return frozenset(key for key, level in self.levels.items() if level is Level.SHAPE) | self._varying

    @property
    def constants(self) -> frozenset[str]:
        return frozenset(key for key, level in self.levels.items() if level is Level.CONSTANT) - self._varying

    @property
    def _varying(self) -> frozenset[str]:
        return frozenset(key for key in self.memory.varying if key in self.levels)

    def _learn(self, key: str, tensor: Any, level: Level) -> None:
        if self.learned is not None:
            self.learned.learn(key, tensor, level)
