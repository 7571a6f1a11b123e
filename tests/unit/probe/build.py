"""Tiny models whose contract is written by hand, and the context in which a twin is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from maskcheck.core.contract import (
    BATCH,
    Contract,
    Dimension,
    Domain,
    InputContract,
    OutputContract,
    OutputKind,
    Role,
    Side,
)
from maskcheck.core.errors import TraceError
from maskcheck.core.model import TensorSpec
from maskcheck.core.report import PassportRow, Status, Variant
from maskcheck.core.settings import DEFAULT_REQUIRE, Settings
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.layout import Row
from maskcheck.probe.noise import Floor, Noise
from maskcheck.probe.observe import Judge, Observation
from maskcheck.probe.plan import plan
from maskcheck.probe.run_twins import padded_alike
from maskcheck.probe.runner import Runner, unpadded
from maskcheck.probe.samples import Source
from maskcheck.probe.twins.context import TwinContext
from tests.fakes import FakeModel, Node
from tests.sites import use as an_input_use

Answer = Callable[..., np.ndarray]

LENGTH = 9
FLOOR = Floor(response=1e-3, rounding=1e-5)
"""A model as noisy as half precision: 0.01 sd are rounding where lengths differ, 0.00016 where they do not."""
LOOSE, EXACT = 10e-3 + 16e-5, 16e-5

TABLE = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)


def masked_mean(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Sound."""
    keep = mask[..., None].astype(np.float64)
    kept = np.where(keep > 0, x, 0.0)
    return kept.sum(1) / np.maximum(keep.sum(1), 1)


def plain_mean(x: np.ndarray, *mask: np.ndarray) -> np.ndarray:
    """Leaks however many pads there are, and whatever they hold."""
    return x.astype(np.float64).mean(1)


def summed_by_length(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Leaks by the number of pads, not by what they hold."""
    return np.where(mask[..., None] > 0, x, 0.0).sum(1) / x.shape[1]


class Untraceable(FakeModel):
    def trace(self, *given: Any, **further: Any) -> Trace:
        raise TraceError("It cannot be instrumented.")


class Recast(FakeModel):
    """``wide`` is what it is in another precision; the precisions asked for are kept."""

    wide: FakeModel | None = None

    def recast(self, precision: str) -> Any:
        assert type(precision) is str, "frameworks are handed the name; Keras takes no member of an enumeration for it"
        self.asked = (*getattr(self, "asked", ()), precision)
        return self.wide


def features(
    answer: Answer, *, mask: bool = True, kind: K = K.OTHER, cls: type[FakeModel] = FakeModel, **info: Any
) -> FakeModel:
    """Answers one batch of features; ``answer`` takes the features, and the mask where there is one."""
    inputs = [TensorSpec("x", "float32", ("batch", "seq", 3))]
    uses = []
    if mask:
        inputs.append(TensorSpec("mask", "int64", ("batch", "seq")))
        uses.append(an_input_use("mask", UseKind.OTHER, "answer", "answer"))
    nodes = [Node("answer", kind, tuple(i.name for i in inputs), answer)]
    return cls(tuple(inputs), nodes, ("answer",), uses=tuple(uses), **info)


def words(answer: Answer, *, mask: bool = True, cls: type[FakeModel] = FakeModel, **info: Any) -> FakeModel:
    """The same for ids, which pick rows of a table first."""
    inputs = [TensorSpec("ids", "int64", ("batch", "seq"))]
    read = ["embed"]
    if mask:
        inputs.append(TensorSpec("mask", "int64", ("batch", "seq")))
        read.append("mask")
    nodes = [
        Node("embed", K.EMBEDDING, ("table", "ids"), lambda table, ids: table[ids]),
        Node("answer", K.OTHER, tuple(read), answer),
    ]
    uses = (an_input_use("ids", UseKind.INDEX, "embed", "embedding", 50),)
    return cls(tuple(inputs), nodes, ("answer",), {"table": TABLE}, uses, **info)


X = InputContract("x", Role.FEATURES, "float32", (BATCH, "seq", None), (0, 0, 3), "seq", "", pad_value=0)
IDS = InputContract("ids", Role.TOKENS, "int64", (BATCH, "seq"), (0, 0), "seq", "", pad_value=0, vocabulary=50)
MASK = InputContract("mask", Role.MASK, "int64", (BATCH, "seq"), (0, 0), "seq", "", valid_when=1)
LENGTHS = InputContract("lengths", Role.LENGTHS, "int64", (BATCH,), (0,), "seq", "")
POOLED = OutputContract("answer", OutputKind.POOLED, (BATCH, None), None, "")
STEPS = OutputContract("answer", OutputKind.SEQUENCE, (BATCH, "seq", None), "seq", "")


def contract(
    *inputs: InputContract,
    output: OutputContract = POOLED,
    side: Side = Side.RIGHT,
    assumed: bool = False,
    fixed: int | None = None,
    minimum: int = 1,
    maximum: int | None = None,
    **further: Any,
) -> Contract:
    """One domain, ``seq``; features under a mask unless ``inputs`` are given."""
    domain = Domain("seq", (Dimension("seq", fixed, minimum, maximum),), side, assumed)
    return Contract((domain,), inputs or (X, MASK), (output,), **further)


def context(
    model: FakeModel,
    told: Contract | None = None,
    *,
    rows: int = 4,
    length: int = LENGTH,
    floor: Floor = FLOOR,
    require: Sequence[str] = DEFAULT_REQUIRE,
    recorded: Sequence[Row] = (),
    reacting: Iterable[str] = ("answer",),
) -> TwinContext:
    """What a twin works with, the noise given rather than measured. One real token moves the answers by 1 sd."""
    told = told or contract()
    runner = Runner(model, told)
    chosen = plan(told, told.domains[0], {"seq": length})
    source = Source(told, 0, recorded)
    drawn = source.rows(rows, chosen.valid)
    base = padded_alike(chosen, drawn) if chosen.fixed else unpadded(drawn)
    names = [spec.name for spec in told.outputs]
    judge = Judge(runner, Noise(dict.fromkeys(names, floor)), dict.fromkeys(names, 1.0), frozenset(reacting))
    return TwinContext(
        model=model,
        runner=runner,
        judge=judge,
        plan=chosen,
        source=source,
        settings=Settings(require=tuple(require)),
        base=base,
        reference=runner.valid(base),
    )


def seen(found: Iterable[Observation]) -> dict[Variant, PassportRow]:
    """The passport rows by variant, each of which there is once."""
    rows = [o.row for o in found]
    by_variant = {row.variant: row for row in rows}
    assert len(by_variant) == len(rows)
    return by_variant


def statuses(found: Iterable[Observation]) -> dict[Variant, Status]:
    return {variant: row.status for variant, row in seen(found).items()}
