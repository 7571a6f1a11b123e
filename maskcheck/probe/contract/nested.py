"""Sequences of sequences: words of sentences, characters of words. The inner length is padded as well."""

from __future__ import annotations

from dataclasses import replace

from maskcheck.core.contract import BATCH, Contract, Dimension, Domain, InputContract, Role
from maskcheck.core.model import Model


def inner(model: Model, contract: Contract, lengths: dict[str, int]) -> Contract | None:
    """The contract under which the inner length is what padding changes, and the outer one stays full.

    ``None`` where no ids have a second length that may vary, or where something counts along the outer one that cannot
    be held still.
    """
    shapes = {spec.name: spec.shape or () for spec in model.inputs}
    found = next(((s, axis) for s in contract.inputs if (axis := _free(s, shapes[s.name])) is not None), None)
    if found is None:
        return None
    spec, axis = found
    symbol = shapes[spec.name][axis]
    home = contract.domain(spec.domain or "")
    outer = home.dimensions[0].name
    name = str(symbol) if isinstance(symbol, str) and symbol not in contract.dimensions else "inner"
    inputs = []
    for other in contract.inputs:
        if other.domain == home.name:
            shape = shapes[other.name]
            alike = next((i for i, size in enumerate(shape) if size == symbol and other.dims[i] is None), None)
            changed = _still(other, outer, lengths[outer], alike, name)
            if changed is None:
                return None
            other = changed
        inputs.append(other)
    domains = tuple(
        Domain(name, (Dimension(name),), home.side) if domain is home else domain for domain in contract.domains
    )
    return replace(contract, domains=domains, inputs=tuple(inputs), outputs=(), choices=(), conflicts=())


def _free(spec: InputContract, shape: tuple[int | str | None, ...]) -> int | None:
    """The axis of ids that may vary beside the one that is padded already."""
    padded = [label for label in spec.dims if label not in (BATCH, None)]
    if spec.role is not Role.TOKENS or len(spec.dims) != 3 or len(padded) != 1 or len(shape) != 3:
        return None
    return next((i for i, label in enumerate(spec.dims) if label is None and not isinstance(shape[i], int)), None)


def _still(spec: InputContract, outer: str, length: int, axis: int | None, name: str) -> InputContract | None:
    """An input whose outer length is full; with an inner ``axis`` it goes with the inner length."""
    dims: list[str | None] = [None if label == outer else label for label in spec.dims]
    shape = tuple(length if label == outer else size for size, label in zip(spec.shape, spec.dims, strict=True))
    if axis is not None:
        dims[axis] = name
        shape = tuple(0 if i == axis else size for i, size in enumerate(shape))
        return replace(spec, dims=tuple(dims), shape=shape, domain=name)
    full: dict[Role, float | int | bool] = {
        Role.MASK: 1 if spec.valid_when is None else spec.valid_when,
        Role.ADDITIVE_MASK: 0.0,
        Role.LENGTHS: 1.0 if spec.dtype.startswith("float") else length,
    }
    if spec.role in full:
        return replace(spec, role=Role.OTHER, dims=tuple(dims), shape=shape, domain=None, fill=full[spec.role])
    if spec.role.is_content:
        return replace(spec, dims=tuple(dims), shape=shape, domain=None)
    return None
