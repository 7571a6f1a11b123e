"""Rows of valid content, generated from the contract or taken from the user's own recorded inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from maskcheck.core.contract import BATCH, Contract, InputContract, Role
from maskcheck.core.errors import UsageError
from maskcheck.core.model import Array
from maskcheck.probe.layout import Row, random_features, random_tokens


def generate(contract: Contract, count: int, lengths: Mapping[str, int], seed: int) -> tuple[Row, ...]:
    """``count`` random rows of the given valid lengths; the same seed gives the same rows."""
    rng = np.random.default_rng(seed)
    return tuple(Row(dict(lengths), _random_content(contract, lengths, rng)) for _ in range(count))


def _random_content(contract: Contract, lengths: Mapping[str, int], rng: np.random.Generator) -> dict[str, Array]:
    return {spec.name: _random_input(spec, lengths, rng) for spec in contract.inputs if not spec.role.follows_layout}


def _random_input(spec: InputContract, lengths: Mapping[str, int], rng: np.random.Generator) -> Array:
    shape = tuple(
        lengths[label] if label is not None else spec.shape[i] for i, label in enumerate(spec.dims) if label != BATCH
    )
    if spec.fill is not None:
        return np.full(shape, spec.fill, dtype=spec.dtype)
    if spec.role is Role.TOKENS:
        value = random_tokens(rng, spec, shape)
    elif spec.role is Role.SEGMENTS:
        value = np.zeros(shape)
    elif np.issubdtype(np.dtype(spec.dtype), np.integer) and spec.role is Role.OTHER:
        value = rng.integers(0, spec.vocabulary or 2, size=shape)
    elif spec.dtype == "bool":
        value = np.zeros(shape)
    else:
        value = random_features(rng, spec, shape)
    return np.asarray(value).astype(spec.dtype)


def read_recorded(path: str, contract: Contract) -> tuple[Row, ...]:
    """Read rows from ``.npz`` (arrays with a batch axis) or ``.jsonl`` (one sample a line, lists by input name).

    Padding recorded with the samples is cut off, where the mask, the lengths or the pad value show it.

    Raises:
        UsageError: the file is missing or malformed, or lacks an input the model needs.
    """
    file = Path(path)
    try:
        samples = _from_npz(file, contract) if file.suffix == ".npz" else _from_jsonl(file)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"Reading recorded inputs from {path} failed: {error}.",
            hint="Give an .npz with one array per input, batch first, or a .jsonl with one object per sample.",
        ) from error
    needed = {spec.name for spec in contract.inputs if not spec.role.follows_layout and spec.fill is None}
    for sample in samples:
        if missing := sorted(needed - set(sample)):
            raise UsageError(
                f"{path} lacks the input {missing[0]!r}.", hint=f"The model needs {', '.join(sorted(needed))}."
            )
    rows = tuple(_trim(contract, sample) for sample in samples)
    if not rows:
        raise UsageError(f"{path} holds no samples.", hint="One sample is enough; eight give better statistics.")
    return rows


def _from_npz(file: Path, contract: Contract) -> list[dict[str, Array]]:
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    batch_axes = {s.name: s.dims.index(BATCH) for s in contract.inputs if BATCH in s.dims and s.name in arrays}
    count = max((arrays[name].shape[axis] for name, axis in batch_axes.items()), default=1)
    return [
        {name: np.take(a, i, axis=batch_axes[name]) if name in batch_axes else a for name, a in arrays.items()}
        for i in range(count)
    ]


def _from_jsonl(file: Path) -> list[dict[str, Array]]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [{name: np.asarray(value) for name, value in json.loads(line).items()} for line in lines]


def _trim(contract: Contract, sample: Mapping[str, Array]) -> Row:
    """Cut a recorded sample down to its valid positions."""
    keep: dict[str, slice] = {}
    for domain in contract.domains:
        for dimension in domain.dimensions:
            keep[dimension.name] = _valid_span(contract, domain.name, dimension.name, sample)
    content = {}
    for spec in contract.inputs:
        if spec.role.follows_layout or spec.name not in sample:
            continue
        labels = [label for label in spec.dims if label != BATCH]
        index = tuple(keep[label] if label is not None else slice(None) for label in labels)
        content[spec.name] = np.asarray(sample[spec.name])[index].astype(spec.dtype)
    return Row({name: cut.stop - cut.start for name, cut in keep.items()}, content)


def _valid_span(contract: Contract, domain: str, dimension: str, sample: Mapping[str, Array]) -> slice:
    for spec in contract.of(domain, Role.MASK):
        if spec.name in sample and dimension in spec.dims:
            marked = np.asarray(sample[spec.name]) == (1 if spec.valid_when is None else spec.valid_when)
            axis = [label for label in spec.dims if label != BATCH].index(dimension)
            return _span_of(np.any(marked, axis=tuple(a for a in range(marked.ndim) if a != axis)))
    for spec in contract.of(domain, Role.TOKENS):
        if spec.name in sample and spec.pad_value is not None:
            return _span_of(np.asarray(sample[spec.name]) != spec.pad_value)
    for spec in contract.of(domain, Role.FEATURES):
        if spec.name in sample:
            axis = [label for label in spec.dims if label != BATCH].index(dimension)
            if spec.ids_carry_mask and spec.pad_value is not None:
                real = np.asarray(sample[spec.name]) != spec.pad_value
                return _span_of(np.any(real, axis=tuple(a for a in range(real.ndim) if a != axis)))
            size = np.asarray(sample[spec.name]).shape[axis]
            for lengths in contract.of(domain, Role.LENGTHS):
                if lengths.name in sample:
                    given = float(np.asarray(sample[lengths.name]).ravel()[0])
                    size = round(given * size) if np.issubdtype(np.dtype(lengths.dtype), np.floating) else int(given)
            return slice(0, size)
    return slice(0, 1)


def _span_of(valid: Array) -> slice:
    where = np.flatnonzero(valid)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 1)


class Source:
    """Hands out rows of a wanted length: recorded ones cut or repeated to it, else generated ones."""

    def __init__(self, contract: Contract, seed: int, recorded: Sequence[Row] = ()) -> None:
        self._contract = contract
        self._seed = seed
        self._recorded = tuple(recorded)

    @property
    def recorded(self) -> tuple[Row, ...]:
        """The user's own rows, as they were before any was cut or repeated; empty without them."""
        return self._recorded

    def rows(self, count: int, lengths: Mapping[str, int], stream: int = 0) -> tuple[Row, ...]:
        """``count`` rows of exactly ``lengths``; ``stream`` tells apart sets that must differ."""
        if not self._recorded:
            return generate(self._contract, count, lengths, self._seed * 7919 + stream)
        start = stream * count
        chosen = [self._recorded[(start + i) % len(self._recorded)] for i in range(count)]
        return tuple(self._fit(row, lengths) for row in chosen)

    def _fit(self, row: Row, lengths: Mapping[str, int]) -> Row:
        content = dict(row.content)
        for spec in self._contract.inputs:
            if spec.name not in content:
                continue
            labels = [label for label in spec.dims if label != BATCH]
            for axis, label in enumerate(labels):
                if label is not None:
                    index = np.arange(lengths[label]) % row.lengths[label]
                    content[spec.name] = np.take(content[spec.name], index, axis=axis)
        return Row(dict(lengths), content)


def change_position(contract: Contract, row: Row, dimension: str, position: int, seed: int) -> Row:
    """The same row with one real token (or frame) replaced by another, in every content input of the dimension."""
    rng = np.random.default_rng(seed * 104729 + position)
    content = dict(row.content)
    for spec in contract.inputs:
        if dimension not in spec.dims or not spec.role.is_content:
            continue
        labels = [label for label in spec.dims if label != BATCH]
        index: list[slice | int] = [slice(None)] * len(labels)
        index[labels.index(dimension)] = position
        value = content[spec.name].copy()
        old = value[tuple(index)]
        value[tuple(index)] = _another(spec, old, rng)
        content[spec.name] = value
    return Row(row.lengths, content)


def _another(spec: InputContract, old: Array, rng: np.random.Generator) -> Array:
    if spec.role is Role.FEATURES:
        return random_features(rng, spec, old.shape).astype(spec.dtype)
    new = random_tokens(rng, spec, old.shape)
    same = new == old
    if np.any(same):  # a second draw from the neighbourhood; a vocabulary of one has no other token
        high = spec.vocabulary or 8
        shifted = (new + 1) % high
        shifted = np.where(
            shifted == (spec.pad_value if spec.pad_value is not None else -1), (shifted + 1) % high, shifted
        )
        new = np.where(same, shifted, new)
    return new.astype(spec.dtype)
