"""Runs calls on a model: batches as the model takes them, answers row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck.core.contract import BATCH, Contract, OutputContract
from maskcheck.core.errors import RunError
from maskcheck.core.model import Array, Model
from maskcheck.probe.compare import Region, take_row
from maskcheck.probe.layout import Padding, Row, assemble
from maskcheck.probe.samples import generate

Answers = dict[str, list[Array]]
"""For every output, one array per row, without its batch axis."""


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """One batch to run: rows and how they are padded. ``seed`` draws the pads' filler."""

    rows: tuple[Row, ...]
    padding: Padding
    seed: int = 0

    def only(self, row: int) -> PaddedBatch:
        """The same padding around one of the rows."""
        return PaddedBatch((self.rows[row],), self.padding, self.seed)

    @property
    def lengths(self) -> list[Mapping[str, int]]:
        return [row.lengths for row in self.rows]


def unpadded(rows: Sequence[Row], seed: int = 0) -> PaddedBatch:
    """Rows of one length, without any padding."""
    return PaddedBatch(tuple(rows), Padding(dict(rows[0].lengths)), seed)


class Runner:
    """The deployed path of one model under one contract. Counts its runs."""

    def __init__(self, model: Model, contract: Contract) -> None:
        self.model = model
        self.contract = contract
        self.runs = 0
        self._extents: dict[tuple[str, str, int], int] = {}
        self._batched = any(BATCH in spec.dims for spec in contract.inputs)

    def run(self, call: PaddedBatch, *, together: bool = False) -> Answers:
        """Answers of all rows; ``together`` forbids splitting them into batches of a size known to run.

        Raises:
            RunError: the model refused the batch.
        """
        size = len(call.rows) if together else self.batch_size(len(call.rows))
        answers: Answers = {spec.name: [] for spec in self.contract.outputs}
        for start in range(0, len(call.rows), size):
            chunk = call.rows[start : start + size]
            filled = chunk + (chunk[0],) * (size - len(chunk))
            outputs = self._run_once(PaddedBatch(filled, call.padding, call.seed))
            for spec in self.contract.outputs:
                answers[spec.name] += split_rows(outputs[spec.name], spec, len(chunk))
        return answers

    def batch_size(self, rows: int) -> int:
        """How many rows go into one run: the fixed batch, one without a batch axis, else all of them."""
        if not self._batched:
            return 1
        if self.contract.batches and rows not in self.contract.batches:
            return self.contract.batches[0]
        return self.contract.fixed_batch or rows

    @property
    def mixes_rows(self) -> bool:
        """Whether several different rows can stand in one batch."""
        return self._batched and self.contract.fixed_batch != 1

    def _run_once(self, call: PaddedBatch) -> dict[str, Array]:
        self.runs += 1
        return self.model.run(assemble(self.contract, call.rows, call.padding, call.seed))

    def regions(self, lengths: Mapping[str, int], padding: Padding) -> dict[str, Region]:
        """The valid region of every output for a row of these lengths."""
        return {spec.name: self._region(spec, lengths, padding) for spec in self.contract.outputs}

    def _region(self, spec: OutputContract, lengths: Mapping[str, int], padding: Padding) -> Region:
        labels = [label for label in spec.dims if label != BATCH]
        extents = tuple(None if label is None else self._extent(spec, label, lengths) for label in labels)
        sides = tuple(padding.side(label or "") for label in labels)
        return Region(extents, sides, tuple(lengths.get(label or "") for label in labels), spec.layout)

    def _extent(self, spec: OutputContract, label: str, lengths: Mapping[str, int]) -> int:
        """How many positions of an output belong to so many valid inputs: what an unpadded run returns."""
        key = (spec.name, label, lengths[label])
        if key not in self._extents:
            self._learn_extents(lengths)
        return self._extents[key]

    def _learn_extents(self, lengths: Mapping[str, int]) -> None:
        dimensions = self.contract.dimensions
        totals = {name: dimensions[name].fixed or length for name, length in lengths.items()}
        row = generate(self.contract, 1, {name: min(n, totals[name]) for name, n in lengths.items()}, seed=0)[0]
        size = self.batch_size(1)
        outputs = self._run_once(PaddedBatch((row,) * size, Padding(totals)))
        for spec in self.contract.outputs:
            for axis, label in enumerate(spec.dims):
                if label in (BATCH, None):
                    continue
                assert label is not None
                found = outputs[spec.name].shape[axis]
                if dimensions[label].fixed:  # no unpadded run exists: assume an even stride
                    found = -(-lengths[label] * found // totals[label])
                self._extents[spec.name, label, lengths[label]] = found

    def valid_outputs(self, outputs: Mapping[str, Array], call: PaddedBatch) -> Answers:
        """The valid answers in the whole ``outputs`` of ``call``, as far as they are known."""
        split = {
            spec.name: split_rows(np.asarray(outputs[spec.name]), spec, len(call.rows))
            for spec in self.contract.outputs
            if spec.name in outputs
        }
        return self.valid_parts(split, call)

    def valid_parts(self, answers: Answers, call: PaddedBatch) -> Answers:
        """The answers of ``call``, each cut to its valid region."""
        regions = [self.regions(row.lengths, call.padding) for row in call.rows]
        return {name: [regions[i][name].cut(array) for i, array in enumerate(rows)] for name, rows in answers.items()}

    def valid(self, call: PaddedBatch, *, together: bool = False) -> Answers:
        """Run and keep the valid regions."""
        return self.valid_parts(self.run(call, together=together), call)


def split_rows(output: Array, spec: OutputContract, rows: int) -> list[Array]:
    """The rows of a batched output; an output without a batch axis is every row's.

    Raises:
        RunError: the output has fewer rows than the batch.
    """
    if BATCH not in spec.dims:
        return [output] * rows
    found = min(size for size, label in zip(output.shape, spec.dims, strict=False) if label == BATCH)
    if found < rows:
        raise RunError(f"Output {spec.name!r} has {found} rows for a batch of {rows}.")
    return [take_row(output, spec, i) for i in range(rows)]
