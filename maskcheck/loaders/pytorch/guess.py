"""Example inputs for a module that came without any: from its parameters' names and its layers' widths."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from maskcheck.loaders.pytorch.signature import parameters

_ROWS, _LENGTH = 3, 12
_MOST = 48
_TOKENS = re.compile(r"(^|_)(ids?|tokens?|words?|chars?|text|src|tgt|source|target)($|_)|input_ids", re.IGNORECASE)
_LENGTHS = re.compile(r"len(s|gth|gths)?($|_)|(^|_)sizes?$", re.IGNORECASE)
_PADS = re.compile(r"padding_mask|is_pad", re.IGNORECASE)
_MASK = re.compile(r"mask", re.IGNORECASE)
_SMALL = re.compile(r"segment|token_type|type_ids?$", re.IGNORECASE)
_POSITIONS = re.compile(r"position", re.IGNORECASE)
_WANTED = re.compile(r"^(attention_mask|mask|lengths?|x_lens?|src_key_padding_mask|key_padding_mask|padding_mask)$")


def candidates(module: Any) -> Iterator[dict[str, Any]]:
    """Inputs worth trying, the likeliest first."""
    named = [p for p in parameters(module) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = [p for p in named if p.default is inspect.Parameter.empty]
    optional = [p for p in named if p.default is None and _WANTED.match(p.name)]
    for chosen in ([*required, *optional], required) if optional else (required,):
        options = [list(_options(p.name, module)) for p in chosen]
        for values in islice(product(*options), _MOST):
            yield {p.name: value for p, value in zip(chosen, values, strict=True)}


def _options(name: str, module: Any) -> Iterator[Any]:
    import torch

    shape = (_ROWS, _LENGTH)
    if _PADS.search(name):
        yield torch.zeros(shape, dtype=torch.bool)
    elif _MASK.search(name):
        yield torch.ones(shape, dtype=torch.int64)
        yield torch.ones(shape, dtype=torch.bool)
        yield torch.ones(shape)
    elif _LENGTHS.search(name):
        yield torch.arange(_LENGTH, _LENGTH - _ROWS, -1)
    elif _SMALL.search(name):
        yield torch.zeros(shape, dtype=torch.int64)
    elif _POSITIONS.search(name):
        yield torch.arange(_LENGTH).expand(shape).clone()
    else:
        yield from _content(name, module)


def _content(name: str, module: Any) -> Iterator[Any]:
    import torch

    ids = torch.randint(1, 4, (_ROWS, _LENGTH), generator=torch.Generator().manual_seed(0))
    embeds = any(_kind(m) == "Embedding" for m in module.modules()) if hasattr(module, "modules") else False
    if embeds or _TOKENS.search(name):
        yield ids
    for shape in _feature_shapes(module):
        yield torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if not embeds:
        yield ids


def _feature_shapes(module: Any) -> Iterator[tuple[int, ...]]:
    """Shapes that the first layers of known width take."""
    seen: dict[tuple[int, ...], None] = {}
    layers = list(module.modules()) if hasattr(module, "modules") else []
    for layer in layers:
        for shape in _shapes(_kind(layer), layer):
            seen.setdefault(shape)
        if len(seen) >= 6:
            break
    yield from seen
    if layers and not seen:
        yield (_ROWS, _LENGTH, 16)
        yield (_ROWS, _LENGTH)


def _kind(layer: Any) -> str:
    """Class name of a layer; TorchScript remembers the one it was compiled from."""
    return str(getattr(layer, "original_name", type(layer).__name__))


def _shapes(kind: str, layer: Any) -> tuple[tuple[int, ...], ...]:
    weight = getattr(layer, "weight", None)
    if kind == "Conv1d" and weight is not None:
        width = layer.in_channels if hasattr(layer, "in_channels") else int(weight.shape[1])
        return (_ROWS, width, _LENGTH), (_ROWS, _LENGTH, width)
    if kind == "Conv2d" and weight is not None:
        return ((_ROWS, int(weight.shape[1]), _LENGTH, 16),)
    if kind in ("Linear", "LayerNorm") and weight is not None:
        return ((_ROWS, _LENGTH, int(weight.shape[-1])),)
    if kind in ("LSTM", "GRU", "RNN") and hasattr(layer, "weight_ih_l0"):
        return ((_ROWS, _LENGTH, int(layer.weight_ih_l0.shape[1])),)
    if kind == "MultiheadAttention" and hasattr(layer, "in_proj_weight") and layer.in_proj_weight is not None:
        return ((_ROWS, _LENGTH, int(layer.in_proj_weight.shape[-1])),)
    return ()
