"""Derivatives of a module's outputs by the embeddings of its tokens and by its floating inputs, in one backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import Array
from maskcheck.loaders.pytorch.arrays import to_numpy


def gradients(
    call: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    tensors: Mapping[str, Any],
    tokens: tuple[str, ...],
    weights: Mapping[str, Array],
) -> dict[str, Array]:
    """See ``Differentiable.gradients``; ``call`` returns outputs by name. No gradient stays behind in any parameter."""
    import torch

    leaves: dict[str, Any] = {}
    given = dict(tensors)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        for name, tensor in tensors.items():
            if tensor.is_floating_point():
                leaves[name] = tensor.detach().clone().requires_grad_()
                given[name] = leaves[name].clone()  # modules may write into what they are given
        with _watch_lookups({name: tensors[name] for name in tokens}, leaves):
            outputs = call(given)
        used = {name: outputs[name] for name in weights if name in outputs and outputs[name].requires_grad}
        if not used or not leaves:
            raise RunError("nothing that can be differentiated leads from the inputs to the outputs")
        total = sum((torch.from_numpy(weights[n]).to(value) * value).sum() for n, value in used.items())
        found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    return {
        name: _per_position(to_numpy(gradient.detach()), tensors[name])
        for name, gradient in zip(leaves, found, strict=True)
        if gradient is not None
    }


def _per_position(gradient: Array, given: Any) -> Array:
    """Absolute values; those of an embedding as their largest at each id."""
    size = np.abs(gradient.astype(np.float64))
    shape = tuple(given.shape)
    if size.shape == shape:
        return size
    return np.asarray(size.reshape((*shape, -1)).max(axis=-1))


def _watch_lookups(tokens: Mapping[str, Any], leaves: dict[str, Any]) -> Any:
    """Catches the look-up of each token input, whichever module or function does it, and keeps its result."""
    import torch
    from torch.overrides import TorchFunctionMode

    lookups = (torch.nn.functional.embedding, torch.embedding)

    class Watching(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            named = {**dict(zip(("first", "second"), args, strict=False)), **(kwargs or {})}
            name = _find_token_input(named.values(), tokens) if func in lookups else None
            if name is None or name in leaves or not result.is_floating_point():
                return result
            leaves[name] = result.detach().clone().requires_grad_()
            return leaves[name].clone()

    return Watching()


def _find_token_input(arguments: Any, tokens: Mapping[str, Any]) -> str | None:
    """The token input among the arguments, by its values: libraries reshape and copy ids before they look them up."""
    import torch

    for given in arguments:
        if not isinstance(given, torch.Tensor) or given.is_floating_point():
            continue
        for name, ids in tokens.items():
            if given.numel() == ids.numel() and torch.equal(given.reshape(-1).long(), ids.reshape(-1).long()):
                return name
    return None
