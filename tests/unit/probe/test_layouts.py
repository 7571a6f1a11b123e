"""Outputs longer than their input: image tokens behind a text, several streams in one axis, tokens before a text."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pytest

from maskcheck.auditing import audit_loaded
from maskcheck.core.contract import Layout, Side
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Operation
from maskcheck.probe.compare import Region


class Joined:
    """Embeds ids and joins four further positions to them: before, behind, or a second stream behind the first."""

    table = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
    extra = np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)

    def __init__(self, how: str, leaky: bool = False) -> None:
        self.how, self.leaky = how, leaky
        self.info = ModelInfo("joined", "fake", None, "fake")
        self.inputs = (TensorSpec("ids", "int64", ("batch", "seq")), TensorSpec("mask", "int64", ("batch", "seq")))
        self.outputs = (TensorSpec("states", "float32", None),)
        self.uses = (
            InputUse(
                input="ids",
                kind=UseKind.INDEX,
                site="gather",
                operator="Gather",
                operation=Operation.EMBEDDING,
                value=40,
            ),
        )

    def run(self, feeds: Feeds) -> dict[str, Array]:
        mask = feeds["mask"].astype(np.float32)[..., None]
        x = self.table[feeds["ids"]]
        summed = (
            x.mean(1, keepdims=True) if self.leaky else (x * mask).sum(1, keepdims=True) / mask.sum(1, keepdims=True)
        )
        x = x + summed
        extra = np.broadcast_to(self.extra, (len(x), *self.extra.shape)) + summed
        parts = {"before": (extra, x), "behind": (x, extra), "streams": (x, -x)}[self.how]
        return {"states": np.concatenate(parts, 1).astype(np.float32)}

    def trace(
        self, feeds: Feeds, patches: Mapping[str, Array] | None = None, record: Collection[str] | None = None
    ) -> Trace:
        outputs = self.run(feeds)
        return Trace((), {**{k: np.asarray(v) for k, v in feeds.items()}, **outputs}, outputs)

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        return None

    def recast(self, precision: str) -> None:
        return None

    def close(self) -> None:
        return None


@pytest.mark.parametrize(
    ("how", "layout"),
    [("before", Layout.TOGETHER), ("behind", Layout.BEHIND), ("streams", Layout.BLOCKS)],
)
def test_positions_are_found_wherever_they_stand(how: str, layout: Layout) -> None:
    report = audit_loaded(Joined(how), Settings(explain=False))
    assert report.contract is not None and report.contract.outputs[0].layout is layout
    assert report.outcome == "clean"


@pytest.mark.parametrize("how", ["before", "behind", "streams"])
def test_a_leak_is_seen_under_every_layout(how: str) -> None:
    assert audit_loaded(Joined(how, leaky=True), Settings(explain=False)).outcome == "leaky"


def test_regions() -> None:
    row = np.arange(9)[:, None]
    behind = Region((6, None), (Side.RIGHT, Side.RIGHT), (4, None), Layout.BEHIND)
    assert behind.cut(row)[:, 0].tolist() == [0, 1, 2, 3, 7, 8]
    streams = Region((4, None), (Side.RIGHT, Side.RIGHT), (2, None), Layout.BLOCKS)
    assert streams.cut(np.arange(6)[:, None])[:, 0].tolist() == [0, 1, 3, 4]
    left = Region((4, None), (Side.LEFT, Side.RIGHT), (2, None), Layout.BLOCKS)
    assert left.cut(np.arange(6)[:, None])[:, 0].tolist() == [1, 2, 4, 5]
