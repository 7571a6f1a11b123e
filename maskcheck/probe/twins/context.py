"""What every twin works with: a model, a plan of lengths, reference rows and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from maskcheck.core.contract import CONTENT, MARKS, Contract, Role, Side
from maskcheck.core.model import Model
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.core.settings import Settings
from maskcheck.probe.layout import Fill, Padding, Row
from maskcheck.probe.observe import Gap, Judge, Observation, Pair, merge, untested
from maskcheck.probe.plan import Plan
from maskcheck.probe.row_traces import RowTraces
from maskcheck.probe.runner import Answers, PaddedBatch, Runner
from maskcheck.probe.samples import Source


def valid_lengths(plan: Plan) -> list[str]:
    """Names of the plan's own dimensions."""
    return [d.name for d in plan.domain.dimensions]


@dataclass(frozen=True, slots=True)
class Dead:
    """Real positions whose change moves no answer, in a padded batch and in an unpadded one."""

    padded: frozenset[int]
    plain: frozenset[int]
    tried: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinContext:
    """``base`` is the reference call (unpadded where the length can vary) and ``reference`` its valid answers.

    ``traces`` are those of its first row, for twins that look inside; ``untraced`` says why there are none.
    """

    model: Model
    runner: Runner
    judge: Judge
    plan: Plan
    source: Source
    settings: Settings
    base: PaddedBatch
    reference: Answers
    dead: Dead | None = None
    traces: RowTraces | None = None
    untraced: str = ""

    @property
    def contract(self) -> Contract:
        return self.runner.contract

    @property
    def domain(self) -> str:
        return self.plan.domain.name

    @property
    def side(self) -> Side:
        return self.plan.domain.side

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.base.rows

    @property
    def few_rows(self) -> int:
        """How many rows the twins use that run many batches."""
        return self.runner.batch_size(min(2, len(self.rows)))

    def exactly(self, size: int) -> tuple[Row, ...]:
        """``size`` reference rows, or the first one over and over where there are fewer."""
        return self.rows[:size] if len(self.rows) >= size else self.rows[:1] * size

    @property
    def masked(self) -> bool:
        """Whether something beside the ids tells the model where the padding is."""
        return bool(self.contract.of(self.domain, *MARKS))

    @property
    def ids_carry_mask(self) -> bool:
        return any(spec.ids_carry_mask for spec in self.contract.of(self.domain, *CONTENT))

    @property
    def free_content(self) -> bool:
        """Whether pads may hold anything: the model reads no padding off their content.

        Without a mask that is still a fair question to ask of features (what if the front end pads with something else
        than zeros?), and an idle one to ask of ids, whose pad id is all that marks the padding.
        """
        unmarked_ids = not self.masked and bool(self.contract.of(self.domain, Role.TOKENS))
        return not self.ids_carry_mask and not unmarked_ids

    def padding(self, totals: Mapping[str, int], **changes: object) -> Padding:
        """Padding on the contract's side unless ``sides`` says otherwise."""
        sides = {name: self.side for name in valid_lengths(self.plan)}
        return replace(Padding(dict(totals), sides=sides), **changes)  # type: ignore[arg-type]

    def padded(
        self, rows: Sequence[Row], totals: Mapping[str, int], fill: Fill = Fill.PAD, seed: int = 0
    ) -> PaddedBatch:
        return PaddedBatch(tuple(rows), self.padding(totals, fill=fill), seed)

    def gating(self, twin: TwinKind) -> bool:
        """Whether a twin gates: when it is required, and its domain is known to be padded at all."""
        return twin.value in self.settings.require and not (self.plan.domain.assumed and twin is not TwinKind.MATES)

    def observe(
        self,
        twin: TwinKind,
        variant: Variant,
        compared: Sequence[tuple[Gap, PaddedBatch, PaddedBatch]],
        *,
        gating: bool,
        reason: str | None = None,
        pad_row: bool = False,
    ) -> Observation:
        """One passport row from several comparisons; the worst leaking one becomes the pair to explain."""
        leaking = [(g, a, b) for g, a, b in compared if g.leaks]
        row = PassportRow(
            twin=twin,
            variant=variant,
            domain=self.domain,
            status=Status.LEAKY if leaking else Status.CLEAN,
            gating=gating,
            reason=reason,
            outputs=merge([gap for gap, _, _ in compared]),
        )
        worst = max(leaking, key=lambda found: found[0].worst, default=None)
        pair = None if worst is None else self.pair(twin, variant, *worst, pad_row=pad_row)
        return Observation(row, pair, _curve(self.base, compared))

    def pair(
        self,
        twin: TwinKind,
        variant: Variant,
        gap: Gap,
        reference: PaddedBatch,
        other: PaddedBatch,
        *,
        pad_row: bool = False,
    ) -> Pair:
        """Two calls that leak, for the explanation to trace."""
        return Pair(
            twin=twin,
            variant=variant,
            domain=self.domain,
            reference=reference,
            other=other,
            row=gap.row,
            difference=gap.worst,
            pad_row=pad_row,
        )

    def told(
        self, twin: TwinKind, variant: Variant, status: Status, *, gating: bool = False, reason: str | None = None
    ) -> PassportRow:
        """A row without measured outputs."""
        return PassportRow(twin=twin, variant=variant, domain=self.domain, status=status, gating=gating, reason=reason)

    def untested(self, twin: TwinKind, variant: Variant, reason: str, *, gating: bool | None = None) -> Observation:
        return untested(twin, variant, self.domain, reason, self.gating(twin) if gating is None else gating)


def _curve(
    base: PaddedBatch, compared: Sequence[tuple[Gap, PaddedBatch, PaddedBatch]]
) -> tuple[tuple[int, float], ...]:
    """Differences by number of pads, over the twins of the reference rows that were padded along one dimension."""
    points = {}
    for gap, reference, twin in compared:
        pads = [t - twin.rows[0].lengths[n] for n, t in twin.padding.totals.items() if t != twin.rows[0].lengths[n]]
        if reference is base and len(pads) == 1:
            points[pads[0]] = gap.worst
    return tuple(sorted(points.items())) if len(points) > 1 else ()
