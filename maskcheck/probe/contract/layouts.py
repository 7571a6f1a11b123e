"""Where the pads' positions stand in outputs that are longer than their input: image tokens behind a text, n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from maskcheck.core.contract import BATCH, Contract, Layout, OutputContract, OutputKind, Side
from maskcheck.core.errors import RunError
from maskcheck.core.model import Model
from maskcheck.probe.compare import Region, difference
from maskcheck.probe.contract.behaviour import Working
from maskcheck.probe.layout import Padding
from maskcheck.probe.runner import Answers, PaddedBatch, Runner
from maskcheck.probe.samples import generate

_PADS = 3


def settle(model: Model, contract: Contract, working: Working) -> Contract:
    """Settle the layout of every output that is longer than its input by trying the readings that make sense.

    The right one lays a padded row over the same row unpadded with the smallest difference: a wrong one compares pads
    with real positions, and so can never hide a leak.
    """
    odd = [spec for spec in contract.outputs if _is_longer(contract, spec, working)]
    if not odd:
        return contract
    chosen = {spec.name: _best(model, contract, spec, working.lengths) for spec in odd}
    return replace(
        contract, outputs=tuple(replace(o, layout=chosen.get(o.name, Layout.TOGETHER)) for o in contract.outputs)
    )


def _is_longer(contract: Contract, spec: OutputContract, working: Working) -> bool:
    label = _label(contract, spec)
    return label is not None and working.outputs[spec.name].shape[spec.dims.index(label)] > working.lengths[label]


def _label(contract: Contract, spec: OutputContract) -> str | None:
    """The one dimension that lengthens the output, where it may vary."""
    labels = [label for label in spec.dims if label not in (BATCH, None)]
    if spec.kind is not OutputKind.SEQUENCE or len(labels) != 1 or labels[0] is None:
        return None
    return None if contract.dimensions[labels[0]].fixed else labels[0]


def _answers(model: Model, contract: Contract, label: str, lengths: Mapping[str, int]) -> tuple[Answers, Answers]:
    """One row unpadded, and with a few pads on the right."""
    row = generate(contract, 1, dict(lengths), seed=3)[0]
    runner = Runner(model, contract)
    rows = (row,) * runner.batch_size(1)
    longer = {**lengths, label: lengths[label] + _PADS}
    plain = runner.run(PaddedBatch(rows, Padding(dict(lengths))))
    return plain, runner.run(PaddedBatch(rows, Padding(longer)))


def _best(model: Model, contract: Contract, spec: OutputContract, lengths: Mapping[str, int]) -> Layout:
    label = _label(contract, spec)
    assert label is not None
    try:
        plain, padded = _answers(model, contract, label, lengths)
    except RunError:
        return Layout.TOGETHER
    before, after = plain[spec.name][0], padded[spec.name][0]
    labels = [x for x in spec.dims if x != BATCH]
    extents = tuple(None if x is None else before.shape[i] for i, x in enumerate(labels))
    sides = (Side.RIGHT,) * len(labels)
    valid = tuple(lengths.get(x or "") for x in labels)
    gaps = {
        layout: difference([before], [Region(extents, sides, valid, layout).cut(after)])
        for layout in Layout
        if after.ndim == before.ndim
    }
    return min(gaps, key=lambda layout: gaps[layout], default=Layout.TOGETHER)
