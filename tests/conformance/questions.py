"""What every loader has to say of the same small graphs: operations and settings in their order, uses and facts.

A graph has more sites than its question names: casts, layouts, constants and whatever an exporter makes of an operator.
What is asked must be there, in this order; uses and facts are compared as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.static_fact import FactKind

IDS, MASK, FRAMES = "ids", "mask", "x"
ROWS = 20
"""Rows of the table of every embedding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation, or any of several, and values of its settings' fields; ``axes`` count from 0."""

    does: frozenset[Op]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``sized`` names operations whose results are made from sizes alone."""

    steps: tuple[Step, ...]
    uses: frozenset[tuple[str, UseKind, float | None]]
    facts: frozenset[FactKind] = frozenset()
    sized: frozenset[Op] = frozenset()


def step(*does: Op, **settings: Any) -> Step:
    return Step(does=frozenset(does), settings=settings)


def used(name: str, kind: UseKind, value: float | None = None) -> tuple[str, UseKind, float | None]:
    return name, kind, value


LOOKED_UP = used(IDS, UseKind.INDEX, ROWS)
READ = used(FRAMES, UseKind.OTHER)
TOTAL = (Op.SUM, Op.MEAN)

QUESTIONS: dict[str, Question] = {
    "lookup": Question(
        steps=(step(Op.EMBEDDING, rows=ROWS), step(Op.MEAN, axes=(1,))),
        uses=frozenset({LOOKED_UP}),
    ),
    "ids compared with the pad id": Question(
        steps=(step(Op.NOT_EQUAL, Op.EQUAL, value=0.0), step(Op.MULTIPLY), step(Op.SUM, axes=(1,)), step(Op.DIVIDE)),
        uses=frozenset({LOOKED_UP, used(IDS, UseKind.COMPARE, 0)}),
    ),
    "masked scores": Question(
        steps=(step(Op.WHERE, fill=-1e9), step(Op.SOFTMAX, axes=(2,))),
        uses=frozenset({READ, used(MASK, UseKind.OTHER)}),
    ),
    "timidly masked scores": Question(
        steps=(step(Op.WHERE, fill=-10.0), step(Op.SOFTMAX, axes=(2,))),
        uses=frozenset({READ, used(MASK, UseKind.OTHER)}),
        facts=frozenset({FactKind.WEAK_FILL}),
    ),
    "fused attention": Question(
        steps=(step(Op.ATTENTION, has_mask=True, causal=False),),
        uses=frozenset({READ, used(MASK, UseKind.MASK)}),
    ),
    "fused attention without a mask": Question(
        steps=(step(Op.ATTENTION, has_mask=False, causal=False),),
        uses=frozenset({READ}),
        facts=frozenset({FactKind.NO_MASK}),
    ),
    "recurrence in both directions": Question(
        steps=(step(Op.LSTM, direction="bidirectional", knows_lengths=False),),
        uses=frozenset({READ}),
        facts=frozenset({FactKind.NO_LENGTHS}),
    ),
    "convolution": Question(
        steps=(step(Op.CONVOLUTION, kernel=(3,), strides=(1,)), step(Op.RELU)),
        uses=frozenset({READ}),
    ),
    "maximum over time": Question(
        steps=(step(Op.MAX, axes=(1,)),),
        uses=frozenset({READ}),
    ),
    "running sum": Question(
        steps=(step(Op.CUMULATIVE_SUM, axes=(1,)),),
        uses=frozenset({READ}),
    ),
    "layer norm": Question(
        steps=(step(Op.LAYER_NORM),),
        uses=frozenset({READ}),
    ),
    "last step": Question(
        steps=(step(Op.SELECT, Op.SLICE, Op.GATHER), step(Op.LINEAR, Op.MATMUL, Op.MATMUL_ADD)),
        uses=frozenset({READ}),
    ),
    "a mask that nothing reads": Question(
        steps=(step(Op.MEAN, axes=(1,)),),
        uses=frozenset({READ}),
        facts=frozenset({FactKind.UNUSED_INPUT}),
    ),
    "positions by column": Question(
        steps=(step(Op.EMBEDDING, rows=ROWS), step(Op.ADD), step(Op.MEAN, axes=(1,))),
        uses=frozenset({LOOKED_UP}),
        sized=frozenset({Op.RANGE}),
    ),
}
