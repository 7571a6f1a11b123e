"""Where integer content first becomes numbers: the tensors to perturb when ids themselves must stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maskcheck.core.contract import BATCH, Contract, InputContract, Role
from maskcheck.core.model import Array, Model
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Kind
from maskcheck.probe.layout import assemble, validity
from maskcheck.probe.runner import PaddedBatch

_ENTRANCE = {Role.TOKENS: UseKind.INDEX, Role.FEATURES: UseKind.MASKING}


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A floating tensor made directly from an input: an embedding lookup, features whose padding a layer has already
    told apart, or a feature input itself (``site`` empty).
    """

    key: str
    input: InputContract
    site: str


_BFLOAT16_BITS = 8
"""Bits of its significand, the hidden one included."""


def entries(model: Model, contract: Contract, trace: Trace) -> tuple[EntryPoint, ...]:
    """All entries of ``model``: feature inputs, and the embedding of every token input.

    Features that are recognised as padding by their value enter behind the layer that does so.
    """
    masking = {use.input for use in model.uses if use.kind is UseKind.MASKING}
    plain = [spec for spec in contract.inputs if spec.role is Role.FEATURES and spec.name not in masking]
    found = [EntryPoint(spec.name, spec, "") for spec in plain]
    made_by = {site.name: site for site in trace.sites}
    for use in model.uses:
        spec = next((s for s in contract.inputs if s.name == use.input), None)
        enters = spec is not None and use.kind is _ENTRANCE.get(spec.role)
        if spec is None or not enters or use.site not in made_by:
            continue
        for key in made_by[use.site].outputs:
            value = trace.tensors.get(key)
            if value is not None and np.issubdtype(value.dtype, np.floating):
                found.append(EntryPoint(key, spec, use.site))
                break
    return tuple(found)


def one_ulp(trace: Trace, found: tuple[EntryPoint, ...], seed: int, precision: str = "float32") -> dict[str, Array]:
    """Patches that move every entry value one unit in the last place up, down or not at all, at random.

    ``precision`` is what the model computes in. Values of bfloat16, which numpy does not know, come as float32: a unit
    of theirs is meant, for a smaller one would be rounded away by the model.
    """
    rng = np.random.default_rng(seed)
    patches = {}
    for entry in found:
        value = trace.tensors[entry.key]
        if not np.issubdtype(value.dtype, np.floating):
            continue
        step = rng.integers(-1, 2, size=value.shape).astype(value.dtype)
        if precision == "bfloat16" and value.dtype == np.float32:
            moved = value + step * np.ldexp(np.float32(1.0), np.frexp(value)[1] - _BFLOAT16_BITS)
        else:
            moved = np.nextafter(value, np.where(step > 0, np.inf, -np.inf).astype(value.dtype))
        patches[entry.key] = np.where(step == 0, value, moved).astype(value.dtype)
    return patches


def pad_rows_changed(
    call: PaddedBatch,
    trace: Trace,
    found: tuple[EntryPoint, ...],
    fill: Array | float | None,
    seed: int,
) -> dict[str, Array]:
    """Patches in which every pad of the token inputs has another embedding row; ids and masks stay.

    ``fill`` is the value of all features of that row; ``None`` draws a row of the entry's own scale.
    """
    rng = np.random.default_rng(seed)
    patches = {}
    for entry in found:
        if not entry.site:
            continue
        marked = pad_positions(entry.input, call)
        for key in _worth(entry, marked, trace):
            value = trace.tensors[key]
            pads = steps_of(entry.input, marked, value)
            if pads is not None:
                patches[key] = with_row(value, pads, rng, fill)
    return patches


def _worth(entry: EntryPoint, marked: Array, trace: Trace) -> tuple[str, ...]:
    """Where pads of an entry are worth something: there, or in the convolutions that read it where its pads are zeros.

    Zeros are what such a convolution lays around the text itself, so it tells them from no padding at all.
    """
    value = trace.tensors[entry.key]
    pads = steps_of(entry.input, marked, value)
    readers = [site for site in trace.sites if entry.key in site.inputs]
    made = tuple(key for site in readers for key in site.outputs)
    behind = bool(readers) and all(site.kind is Kind.CONVOLUTION for site in readers)
    if pads is None or value[pads].any() or not behind:
        return (entry.key,)
    steps = _steps(entry.input, marked).shape
    kept = all(key in trace.tensors and trace.tensors[key].shape[: len(steps)] == steps for key in made)
    return made if kept else (entry.key,)


def with_row(value: Array, steps: Array, rng: np.random.Generator, fill: Array | float | None = None) -> Array:
    """A copy of ``value`` whose ``steps`` all hold one row: ``fill``, or one drawn at twice the scale of the rest."""
    moved = value.copy()
    row = rng.standard_normal(value.shape[steps.ndim :]) * (float(value.std()) or 1.0) * 2 if fill is None else fill
    moved[steps] = np.asarray(row).astype(value.dtype)
    return moved


def steps_of(spec: InputContract, marked: Array, value: Array) -> Array | None:
    """The boolean index into ``value`` of what was made of marked positions of an input; ``None`` where it has other
    axes.

    ``marked`` has the input's shape; ``value`` keeps its batch and time axes, or has some of them flattened into one.
    """
    steps = _steps(spec, marked)
    if value.shape[: steps.ndim] == steps.shape:
        return steps
    leading = next((n for n in range(1, value.ndim + 1) if np.prod(value.shape[:n]) == steps.size), None)
    return None if leading is None else steps.reshape(value.shape[:leading])


def _steps(spec: InputContract, pads: Array) -> Array:
    """Pads by position: without the axes of features behind the last padded one."""
    last = spec.axis
    return pads if last is None else pads.reshape((*pads.shape[: last + 1], -1))[..., 0]


def pad_positions(spec: InputContract, call: PaddedBatch) -> Array:
    """Boolean array of the shape of input ``spec`` in ``call``: true where padding stands."""
    rows = call.rows if BATCH in spec.dims else call.rows[:1]
    shape = tuple(
        len(rows) if label == BATCH else call.padding.totals[label] if label is not None else spec.shape[i]
        for i, label in enumerate(spec.dims)
    )
    pads = np.zeros(shape, dtype=bool)
    for axis, label in enumerate(spec.dims):
        if label in (BATCH, None):
            continue
        assert label is not None
        invalid = ~validity(rows, call.padding, label)
        view = [1] * len(shape)
        view[axis] = shape[axis]
        if BATCH in spec.dims:
            batch_axis = spec.dims.index(BATCH)
            view[batch_axis] = shape[batch_axis]
            invalid = invalid if batch_axis < axis else invalid.T
        else:
            invalid = invalid[0]
        pads |= invalid.reshape(view)
    return pads


def feeds(contract: Contract, call: PaddedBatch) -> Mapping[str, Array]:
    """The arrays of a call, for ``Model.trace``."""
    return assemble(contract, call.rows, call.padding, call.seed)
