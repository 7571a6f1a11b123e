"""The precision twin: what is near the noise floor is settled where rounding is left behind, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract
from maskcheck.core.report import OutputDifference, PassportRow, Status, TwinKind, Variant
from maskcheck.probe.noise import Floor
from maskcheck.probe.observe import Observation
from maskcheck.probe.twins.context import TwinContext
from maskcheck.probe.twins.mates import mates
from maskcheck.probe.twins.precision import precision, settled, single, widened
from tests.fakes import FakeModel
from tests.unit.probe.build import Answer, Recast, context, contract, features, masked_mean

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED
LENGTH, CONTENT, MATES, PRECISION = TwinKind.LENGTH, TwinKind.CONTENT, TwinKind.MATES, TwinKind.PRECISION
QUIET = Floor(response=1e-6, rounding=0.0)
"""A deployed model whose own tolerance, 1e-5, is far below what the limits of a wider precision come to."""


class Closed(FakeModel):
    closed = False

    def close(self) -> None:
        self.closed = True


def row(
    twin: TwinKind = LENGTH,
    moved: float = 1e-3,
    *,
    status: Status = LEAKY,
    gating: bool = True,
    domain: str = "seq",
    tolerance: float = 1e-3,
    settles: TwinKind | None = None,
    variant: Variant = Variant.RIGHT,
) -> PassportRow:
    shown = OutputDifference(name="answer", difference=moved, noise_floor=0.0, tolerance=tolerance)
    return PassportRow(
        twin=twin, variant=variant, domain=domain, status=status, gating=gating, outputs=(shown,), settles=settles
    )


def model(wide: FakeModel | None, precision: str = "float32") -> Recast:
    made = features(masked_mean, cls=Recast, precision=precision)
    assert isinstance(made, Recast)
    made.wide = wide
    return made


def drifting(by: float) -> Answer:
    """Moves by so many standard deviations wherever there are pads."""

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sound = masked_mean(x, mask)
        return sound + by * sound.std() * (mask.min(axis=1) == 0)[:, None]

    return answer


def asked(
    wide: FakeModel | None,
    rows: Sequence[PassportRow],
    precision_: str = "float32",
    told: Contract | None = None,
    floor: Floor = QUIET,
) -> list[Observation]:
    found = context(model(wide, precision_), told, floor=floor)
    return list(precision(found, [Observation(r) for r in rows]))


@pytest.mark.parametrize(
    ("moved", "worth"),
    [(1e-3 / 31, False), (1e-3 / 29, True), (1e-3, True), (0.029, True), (0.031, False), (0.0, False)],
)
def test_what_is_near_the_tolerance_on_either_side_is_worth_settling(moved: float, worth: bool) -> None:
    (found,) = asked(features(masked_mean), [row(moved=moved)])
    assert (found.row.status is CLEAN) is worth
    assert worth or found.row.reason == "every difference is far from the noise floor"


@pytest.mark.parametrize(
    "other", [row(CONTENT), row(status=UNTESTED), row(gating=False), row(domain="other")], ids=lambda r: str(r.twin)
)
def test_only_gating_rows_of_the_domain_that_were_tried_are_doubtful(other: PassportRow) -> None:
    assert [o.row.status for o in asked(features(masked_mean), [other])] == [UNTESTED]


@pytest.mark.parametrize(
    ("wider", "by", "status"),
    [
        (Variant.FLOAT64, 0.5e-5, CLEAN),
        (Variant.FLOAT64, 5e-5, LEAKY),
        (Variant.FLOAT32, 5e-5, CLEAN),
        (Variant.FLOAT32, 2e-4, LEAKY),
    ],
)
def test_float64_sees_ten_times_smaller_leaks_than_float32(wider: Variant, by: float, status: Status) -> None:
    deployed = "float32" if wider is Variant.FLOAT64 else "float16"
    (found,) = asked(features(drifting(by)), [row()], deployed)
    assert (found.row.variant, found.row.status) == (wider, status)
    assert found.row.settles is LENGTH and not found.row.gating


@pytest.mark.parametrize(("by", "status"), [(0.9e-3, CLEAN), (1.1e-3, LEAKY)])
def test_a_loud_model_may_keep_a_thousandth_of_its_tolerance(by: float, status: Status) -> None:
    loud = Floor(response=0.1, rounding=0.0)
    assert [o.row.status for o in asked(features(drifting(by)), [row()], floor=loud)] == [status]


def test_the_reason_says_how_far_apart_and_what_that_means() -> None:
    (leak,) = asked(features(drifting(0.1)), [row()])
    assert leak.row.reason is not None and leak.row.reason.endswith("sd apart in float64: a leak, not rounding")
    (clean,) = asked(features(masked_mean), [row()])
    assert clean.row.reason == "0 sd apart in float64: what is left was rounding"


def test_every_number_of_pads_of_the_usual_rows_is_run_again() -> None:
    totals: set[int] = set()

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        totals.add(x.shape[1])
        return masked_mean(x, mask)

    asked(features(answer), [row()])
    assert totals == {9, 10, 12, 23}


def test_the_pair_to_explain_is_the_row_that_moved_most() -> None:
    def third(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + (x.shape[1] == 12) * (np.arange(len(x)) == 2)[:, None]

    (found,) = asked(features(third), [row()])
    assert found.pair is not None and found.pair.row == 2
    assert found.pair.other.padding.totals == {"seq": 12}
    assert (found.pair.twin, found.pair.variant, found.pair.domain) == (LENGTH, Variant.FLOAT64, "seq")


def test_half_precision_is_always_looked_at_in_single() -> None:
    (found,) = asked(features(masked_mean), [], "bfloat16")
    assert (found.row.variant, found.row.status) == (Variant.FLOAT32, CLEAN)


def test_a_fixed_length_has_no_other_number_of_pads_to_run() -> None:
    (found,) = asked(features(masked_mean), [row()], told=contract(fixed=12))
    assert found.row.status is UNTESTED and "the length is fixed" in (found.row.reason or "")


def test_where_no_runtime_takes_the_model_that_is_said() -> None:
    (found,) = asked(None, [row()])
    assert (found.row.status, found.row.reason) == (UNTESTED, "no runtime here takes the model in float64")


def test_the_wider_model_is_closed_and_its_refusal_is_a_reason() -> None:
    def refuse(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        raise ValueError("no kernel")

    for answer, status in ((masked_mean, CLEAN), (refuse, UNTESTED)):
        wide = features(answer, cls=Closed)
        (found,) = asked(wide, [row()])
        assert isinstance(wide, Closed) and wide.closed
        assert found.row.status is status
    assert found.row.reason == "no kernel"


def mates_context(wide: FakeModel) -> tuple[TwinContext, list[Observation]]:
    """A model whose rows touch each other by little, or so it looks as deployed."""

    def touching(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + 0.003 * mask.sum(1).max()

    deployed = features(touching, cls=Recast)
    assert isinstance(deployed, Recast)
    deployed.wide = wide
    asked = context(deployed)
    return asked, [o for o in mates(asked) if o.row.variant is Variant.BESIDE_LONGER]


@pytest.mark.parametrize(("by", "status"), [(0.0, CLEAN), (0.01, LEAKY)])
def test_doubtful_mates_are_run_again_beside_the_same_rows(by: float, status: Status) -> None:
    wide = features(lambda x, mask: masked_mean(x, mask) + by * mask.sum(1).max())
    asked, found = mates_context(wide)
    assert found[0].row.status is LEAKY
    rows = [o.row for o in precision(asked, found)]
    assert [(r.settles, r.status) for r in rows] == [(LENGTH, CLEAN), (MATES, status)]


@pytest.mark.parametrize(("by", "status"), [(0.0, CLEAN), (1.0, LEAKY)])
def test_content_that_half_precision_drowns_is_asked_again_in_single(by: float, status: Status) -> None:
    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + by * np.where(mask[..., None] > 0, 0.0, x).sum(1)

    drowned = row(CONTENT, 1e-4, status=CLEAN, gating=False)
    rows = [o.row for o in asked(features(answer), [drowned], "float16")]
    assert [(r.settles, r.status) for r in rows] == [(LENGTH, CLEAN), (CONTENT, status)]


@pytest.mark.parametrize(
    ("deployed", "told"),
    [
        ("float32", row(CONTENT, 1e-4, status=CLEAN)),
        ("float16", row(CONTENT, 0.0, status=CLEAN)),
        ("float16", row(CONTENT, 1.0, status=LEAKY)),
        ("float16", row(CONTENT, 1e-4, status=CLEAN, domain="other")),
    ],
    ids=["single", "exactly nothing", "seen already", "another domain"],
)
def test_content_is_not_asked_again_where_nothing_is_drowned(deployed: str, told: PassportRow) -> None:
    assert not [o for o in asked(features(masked_mean), [told], deployed) if o.row.settles is CONTENT]


# What the wider precision decides.


def decided(status: Status, settles: TwinKind = LENGTH, domain: str = "seq") -> Observation:
    made = row(PRECISION, status=status, gating=False, settles=settles, domain=domain, variant=Variant.FLOAT64)
    return Observation(replace(made, outputs=()))


@pytest.mark.parametrize(
    ("before", "wider", "after"),
    [
        (row(status=LEAKY), decided(CLEAN), CLEAN),
        (row(status=CLEAN), decided(LEAKY), LEAKY),
        (row(status=LEAKY), decided(LEAKY), LEAKY),
        (row(status=LEAKY, moved=1.0), decided(CLEAN), LEAKY),
        (row(status=LEAKY), decided(UNTESTED), LEAKY),
        (row(status=LEAKY), decided(CLEAN, MATES), LEAKY),
        (row(status=LEAKY), decided(CLEAN, domain="other"), LEAKY),
        (row(status=LEAKY, domain="other"), decided(CLEAN), LEAKY),
        (row(MATES, status=LEAKY), decided(CLEAN, MATES), CLEAN),
        (row(MATES, status=CLEAN), decided(LEAKY, MATES), CLEAN),
        (row(CONTENT, status=CLEAN, gating=False), decided(LEAKY, CONTENT), LEAKY),
        (row(CONTENT, status=LEAKY, gating=False), decided(CLEAN, CONTENT), LEAKY),
    ],
    ids=[
        "rounding",
        "below the noise",
        "both leak",
        "far from the noise",
        "untested",
        "of another twin",
        "of another domain",
        "a row of another domain",
        "mates that leaked",
        "mates that did not are not those that were repeated",
        "drowned content",
        "content that leaks is not doubtful",
    ],
)
def test_the_wider_precision_decides_doubtful_rows(before: PassportRow, wider: Observation, after: Status) -> None:
    first = settled([Observation(before), wider], "seq")[0]
    assert first.row.status is after
    assert after is before.status or "float64" in (first.row.reason or "")


@pytest.mark.parametrize(("left", "status"), [(0.29, CLEAN), (0.31, LEAKY)])
def test_what_keeps_a_third_of_its_size_was_no_rounding(left: float, status: Status) -> None:
    (wider,) = asked(features(drifting(0.1)), [row()])
    assert wider.pair is not None
    told = decided(CLEAN)
    told = Observation(told.row, replace(wider.pair, difference=left * 1e-3))
    assert settled([Observation(row(moved=1e-3)), told], "seq")[0].row.status is status


def test_a_leak_found_in_the_wider_precision_comes_with_its_pair() -> None:
    (wider,) = asked(features(drifting(0.1)), [row()])
    found = settled([Observation(row(status=CLEAN)), wider], "seq")
    assert found[0].row.status is LEAKY and found[0].pair is wider.pair
    assert found[1] is wider


# Running a half-precision model in single.


@pytest.mark.parametrize(
    ("deployed", "wanted", "opened"), [("float16", True, True), ("float16", False, False), ("float32", True, False)]
)
def test_a_model_is_widened_where_it_is_half_precise_and_that_is_wanted(
    deployed: str, wanted: bool, opened: bool
) -> None:
    wide = features(masked_mean, cls=Closed)
    with single(model(wide, deployed), wanted=wanted) as found:
        assert (found is wide) is opened
    assert isinstance(wide, Closed) and wide.closed is opened


def test_a_widened_context_runs_the_wide_model_and_has_hardly_any_tolerance() -> None:
    wide = features(masked_mean)
    with widened(context(model(wide, "float16"))) as found:
        assert found is not None and found.model is found.runner.model is found.judge.runner.model is wide
        floor = found.judge.noise.floors["answer"]
        assert floor.tolerance == floor.exact == pytest.approx(1e-4)
    with widened(context(model(wide, "float16"), contract(fixed=12))) as found:
        assert found is None
