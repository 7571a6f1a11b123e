"""Which losses and models there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``rules`` name the mechanism ``id``; ``hosts`` are the models it is tried in."""

    id: str
    name: str
    framework: str
    hosts: tuple[str, ...]
    rules: tuple[str, ...]


def _fault(id: str, name: str, framework: str, hosts: tuple[str, ...], rules: tuple[str, ...]) -> Fault:
    return Fault(id=id, name=name, framework=framework, hosts=hosts, rules=rules)


FAULTS = (
    _fault("LOSS-01", "mean over all steps", "torch", ("tagger", "reader"), ("MC961",)),
    _fault("LOSS-01", "squares over all steps", "torch", ("tagger", "reader"), ("MC961",)),
    _fault("LOSS-02", "mask in the divisor only", "torch", ("tagger", "reader"), ("MC962",)),
    _fault("LOSS-04", "pads are a class", "torch", ("tagger", "reader"), ("MC962",)),
    _fault("MOE-02", "balance over all steps", "torch", ("tagger", "reader"), ("MC961", "MC962")),
    _fault("NORM-02", "statistics of the batch", "torch", ("tagger", "reader"), ("MC964",)),
    _fault("LOSS-01", "own mean over all steps", "keras", ("lstm", "gru"), ("MC961",)),
    _fault("LOSS-03", "mask lost before the loss", "keras", ("lstm", "gru"), ("MC961", "MC962", "MC963")),
    _fault("LOSS-03", "metric without the mask", "keras", ("lstm", "gru"), ("MC963",)),
)
