"""What recordings of one model tell together."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Memory:
    """Numbers that operators were given and sizes of what they made of weights, over all recordings.

    In eager code sizes are Python numbers, which leave no trace of where they came from: those that change between
    recordings of different length come from sizes.
    """

    seen: dict[str, object] = field(default_factory=dict)
    varying: set[str] = field(default_factory=set)

    def note(self, key: str, value: object) -> bool:
        """Remember ``value`` and return whether ``key`` ever had another one."""
        if self.seen.setdefault(key, value) != value:
            self.varying.add(key)
        return key in self.varying
