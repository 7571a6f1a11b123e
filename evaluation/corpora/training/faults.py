"""Which losses and models there are. A case is a name, so that a process imports only the framework it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """``rules`` name the mechanism ``id``; ``hosts`` are the models it is tried in."""

    id: str
    name: str
    framework: str
    hosts: tuple[str, ...]
    rules: tuple[str, ...]


FAULTS = (
    Fault("LOSS-01", "mean over all steps", "torch", ("tagger", "reader"), ("MC961",)),
    Fault("LOSS-01", "squares over all steps", "torch", ("tagger", "reader"), ("MC961",)),
    Fault("LOSS-02", "mask in the divisor only", "torch", ("tagger", "reader"), ("MC962",)),
    Fault("LOSS-04", "pads are a class", "torch", ("tagger", "reader"), ("MC962",)),
    Fault("MOE-02", "balance over all steps", "torch", ("tagger", "reader"), ("MC961", "MC962")),
    Fault("NORM-02", "statistics of the batch", "torch", ("tagger", "reader"), ("MC964",)),
    Fault("LOSS-01", "own mean over all steps", "keras", ("lstm", "gru"), ("MC961",)),
    Fault("LOSS-03", "mask lost before the loss", "keras", ("lstm", "gru"), ("MC961", "MC962", "MC963")),
    Fault("LOSS-03", "metric without the mask", "keras", ("lstm", "gru"), ("MC963",)),
)


@dataclass(frozen=True, slots=True)
class Case:
    fault: Fault
    host: str
    leaky: bool

    @property
    def name(self) -> str:
        return f"{self.fault.id} {self.fault.name}/{self.host}/{'leaky' if self.leaky else 'mended'}"

    @property
    def condition(self) -> str:
        return self.fault.framework


def cases() -> Iterator[Case]:
    for fault in FAULTS:
        for host in fault.hosts:
            yield from (Case(fault, host, leaky) for leaky in (True, False))
