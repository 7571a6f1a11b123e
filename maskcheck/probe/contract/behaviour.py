"""What running the model shows: lengths and batches it accepts, and which output axes grow with which input axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from maskcheck.core.contract import BATCH, Contract, Dimension, OutputContract, OutputKind, Role
from maskcheck.core.errors import RunError
from maskcheck.core.model import Array, Model
from maskcheck.probe.contract import names
from maskcheck.probe.layout import Padding, assemble
from maskcheck.probe.samples import generate

FIRST_LENGTH = 9
_LADDER = (FIRST_LENGTH, 16, 37, 131, 521, 2053, 8209)
"""Lengths tried in turn until the model accepts one and its outputs have frames enough to compare."""

_FIXED = (8, 10, 12, 20, 24, 32, 48, 50, 64, 100, 128, 256, 384, 512)
"""Common lengths of models whose declared shape says "any" though only one length works."""

_ENOUGH_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Working:
    """A batch size and lengths the model is known to accept, with the outputs they gave."""

    batch: int
    lengths: dict[str, int]
    outputs: dict[str, Array]


def attempt(model: Model, contract: Contract, batch: int, lengths: Mapping[str, int]) -> dict[str, Array]:
    """Run unpadded generated rows.

    Raises:
        RunError: the model refused them.
    """
    rows = generate(contract, batch, lengths, seed=1)
    return model.run(assemble(contract, rows, Padding(dict(lengths))))


def find_working(model: Model, contract: Contract) -> Working:
    """The first batch and lengths that run.

    Raises:
        RunError: nothing that was tried runs; the message carries the model's reason for the most usual try.
    """
    first: RunError | None = None
    for batch, lengths in _tries(contract):
        try:
            return Working(batch, lengths, attempt(model, contract, batch, lengths))
        except RunError as error:
            first = first or error
    assert first is not None
    raise first


def _tries(contract: Contract) -> Iterable[tuple[int, dict[str, int]]]:
    batches = [contract.fixed_batch] if contract.fixed_batch else [2, 1]
    for candidates in (_LADDER[:3], _FIXED, _LADDER[3:]):
        for batch in batches:
            for base in candidates:
                yield batch, _lengths(contract, base)
                if base > _LADDER[2] and (short := _short_texts(contract)):
                    yield batch, {**_lengths(contract, base), **short}
        if all(d.fixed for d in contract.dimensions.values()):
            return


def _lengths(contract: Contract, base: int) -> dict[str, int]:
    """Different lengths for different dimensions, so that no two of them can be mistaken for one another."""
    found = {}
    for i, dimension in enumerate(contract.dimensions.values()):
        wanted = max(base, dimension.minimum) + 2 * i
        found[dimension.name] = dimension.fixed or min(wanted, dimension.maximum or wanted)
    return found


def _short_texts(contract: Contract) -> dict[str, int]:
    """Usual lengths for what counts in tokens, where something else counts in samples or frames and may need many."""
    texts = {d.name for d in contract.domains if contract.of(d.name, Role.TOKENS)}
    if len(texts) in (0, len(contract.domains)):
        return {}
    own = [x.name for d in contract.domains if d.name in texts for x in d.dimensions]
    return {name: length for name, length in _lengths(contract, FIRST_LENGTH).items() if name in own}


def accepts(model: Model, contract: Contract, batch: int, lengths: Mapping[str, int]) -> bool:
    try:
        attempt(model, contract, batch, lengths)
    except RunError:
        return False
    return True


def settle_batch(model: Model, contract: Contract, working: Working) -> tuple[Contract, Working]:
    """Find out whether batches of other sizes run; a batch baked in at export is fixed, whatever the shape says."""
    if contract.fixed_batch or not any(BATCH in spec.dims for spec in contract.inputs):
        return contract, working
    if all(accepts(model, contract, b, working.lengths) for b in (1, 2, 3) if b != working.batch):
        return contract, working
    # A batch read as heads or as positions passes at exactly those sizes, so those are tried before calling it fixed.
    longest = max(working.lengths.values(), default=1)
    running = tuple(b for b in (1, 2, 3, 4, 8, longest) if accepts(model, contract, b, working.lengths))
    if len(running) > 1:
        note = f"only batches of {', '.join(map(str, running))} were accepted, though the declared shape allows others"
        return replace(contract, batches=running, choices=(*contract.choices, note)), working
    note = f"only a batch of {working.batch} runs, though the declared shape allows others"
    return replace(contract, fixed_batch=working.batch, choices=(*contract.choices, note)), working


def settle_lengths(model: Model, contract: Contract, working: Working) -> tuple[Contract, Working]:
    """Find out, dimension by dimension, whether other lengths run, and from which length on outputs are worth
    comparing.
    """
    for domain in contract.domains:
        names_ = [d.name for d in domain.dimensions]
        if all(d.fixed for d in domain.dimensions):
            continue
        longer = {**working.lengths, **{n: working.lengths[n] + 4 for n in names_}}
        shorter = {**working.lengths, **{n: max(1, working.lengths[n] - 2) for n in names_}}
        if not accepts(model, contract, working.batch, longer) and not accepts(model, contract, working.batch, shorter):
            pinned = {n: working.lengths[n] for n in names_}
            note = (
                f"only a length of {', '.join(map(str, pinned.values()))} runs, though the declared shape allows others"
            )
            contract = with_dimensions(contract, {n: {"fixed": v} for n, v in pinned.items()})
            contract = replace(contract, choices=(*contract.choices, note))
    return contract, working


def with_dimensions(contract: Contract, changes: Mapping[str, Mapping[str, int | None]]) -> Contract:
    """The contract with fields of some dimensions replaced."""

    def change(dimension: Dimension) -> Dimension:
        return replace(dimension, **changes.get(dimension.name, {}))  # type: ignore[arg-type]

    domains = tuple(replace(d, dimensions=tuple(change(x) for x in d.dimensions)) for d in contract.domains)
    return replace(contract, domains=domains)


def settle_outputs(model: Model, contract: Contract, working: Working) -> Contract:
    """Label each output's axes by what makes them grow."""
    base = working.outputs
    labels: dict[str, list[str | None]] = {name: [None] * array.ndim for name, array in base.items()}
    grown = _grown_batches(model, contract, working)
    for name, array in base.items():
        for axis, size in enumerate(array.shape):
            if grown is not None and name in grown and grown[name].ndim == array.ndim:
                if grown[name].shape[axis] != size:
                    labels[name][axis] = BATCH
            elif size == working.batch and BATCH not in labels[name] and any(BATCH in s.dims for s in contract.inputs):
                labels[name][axis] = BATCH  # a fixed batch: the first axis of that size
    for dimension in contract.dimensions.values():
        longer = None if dimension.fixed else _grown(model, contract, working, dimension.name)
        for name, array in base.items():
            for axis, size in enumerate(array.shape):
                if labels[name][axis] is not None:
                    continue
                if longer is not None:
                    if longer[name].ndim == array.ndim and longer[name].shape[axis] != size:
                        labels[name][axis] = dimension.name
                elif dimension.fixed and size == dimension.fixed and not _has_classes(axis, array):
                    labels[name][axis] = dimension.name
    outputs = tuple(_output(name, tuple(labels[name]), contract) for name in base)
    return replace(contract, outputs=outputs)


def _has_classes(axis: int, array: Array) -> bool:
    """The last axis of a pooled answer may happen to be as long as the sequence: (batch, classes) has no time."""
    return array.ndim == 2 and axis == 1 and np.issubdtype(array.dtype, np.floating)


def _grown_batches(model: Model, contract: Contract, working: Working) -> dict[str, Array] | None:
    if contract.fixed_batch or not any(BATCH in s.dims for s in contract.inputs):
        return None
    for batch in (working.batch + 1, 1 if working.batch > 1 else 2):
        try:
            return attempt(model, contract, batch, working.lengths)
        except RunError:
            continue
    return None


def _grown(model: Model, contract: Contract, working: Working, dimension: str) -> dict[str, Array] | None:
    length = working.lengths[dimension]
    for wanted in (2 * length + 1, length + 4, max(1, length - 2)):
        try:
            return attempt(model, contract, working.batch, {**working.lengths, dimension: wanted})
        except RunError:
            continue
    return None


def _output(name: str, labels: tuple[str | None, ...], contract: Contract) -> OutputContract:
    padded = [label for label in labels if label not in (BATCH, None)]
    domain = next((d.name for d in contract.domains if padded and padded[0] in {x.name for x in d.dimensions}), None)
    if names.role_of(name) is not None and ("past" in name or "present" in name or "cache" in name):
        kind, reason = OutputKind.CACHE, "a cache by its name"
    elif (
        len(padded) >= 2
        and len({x.name for d in contract.domains if len(d.dimensions) == 2 for x in d.dimensions} & set(padded)) < 2
    ):
        kind, reason = OutputKind.ATTENTION, "two axes grow with the length"
    elif padded:
        kind, reason = OutputKind.SEQUENCE, f"grows with {padded[0]}"
    else:
        kind, reason = OutputKind.POOLED, "no axis grows with the length"
    if "present" in name:
        kind, reason = OutputKind.CACHE, "a cache by its name"
    return OutputContract(name, kind, labels, domain, reason)


def widen(model: Model, contract: Contract, working: Working) -> Working:
    """Lengthen until every sequence output has frames enough (a front end may need thousands of samples for them)."""
    for base in _LADDER:
        lengths = _lengths(contract, base)
        if base <= min(working.lengths.values(), default=0) or _frames(contract, working.outputs) >= _ENOUGH_FRAMES:
            continue
        try:
            working = Working(working.batch, lengths, attempt(model, contract, working.batch, lengths))
        except RunError:
            continue
    return working


def _frames(contract: Contract, outputs: Mapping[str, Array]) -> int:
    """Fewest frames of any sequence output; plenty when there is none that grows."""
    growing = {name for name, dimension in contract.dimensions.items() if not dimension.fixed}
    frames = [
        outputs[spec.name].shape[axis]
        for spec in contract.outputs
        for axis, label in enumerate(spec.dims)
        if label in growing and spec.kind is not OutputKind.CACHE
    ]
    return min(frames, default=_ENOUGH_FRAMES)
