"""Example inputs for transformers models, from what their ``forward`` accepts and their configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_ROWS, _LENGTH = 3, 12
_SAMPLES = 4000
_SWITCHES = {"use_cache": False, "return_dict": True}


def switches(model: Any) -> dict[str, Any]:
    """Arguments for every call: no cache, outputs by name."""
    accepted = _accepted(model)
    return {key: value for key, value in _SWITCHES.items() if key in accepted}


def candidates(model: Any) -> Iterator[dict[str, Any]]:
    """Inputs worth trying, the likeliest first."""
    accepted = _accepted(model)
    main = getattr(model, "main_input_name", "input_ids")
    config = model.config
    decoder = _decoder(accepted) if getattr(config, "is_encoder_decoder", False) else {}
    for content in _contents(main, accepted, config):
        full = {k: v for k, v in {**content, **decoder}.items() if k in accepted}
        if full:
            yield full


def tokens() -> dict[str, Any]:
    """Ids and an attention mask."""
    import torch

    return {"input_ids": _ids(), "attention_mask": torch.ones(_ROWS, _LENGTH, dtype=torch.int64)}


def _accepted(model: Any) -> set[str]:
    import inspect

    return set(inspect.signature(model.forward).parameters)


def _contents(main: str, accepted: set[str], config: Any) -> Iterator[dict[str, Any]]:
    import torch

    if main in ("input_ids",) or ("input_ids" in accepted and main not in ("pixel_values", "input_features")):
        yield tokens()
    if "input_values" in accepted:
        for length in (_SAMPLES, 4 * _SAMPLES):
            wave = torch.randn(2, length, generator=_seeded())
            yield {"input_values": wave, "attention_mask": torch.ones(2, length, dtype=torch.int64)}
    if "input_features" in accepted:
        yield from _spectra(config)
    if "pixel_values" in accepted:
        yield from _images(config)


def _spectra(config: Any) -> Iterator[dict[str, Any]]:
    import torch

    bins = next(
        (
            int(getattr(config, k))
            for k in ("num_mel_bins", "input_feat_per_channel", "feature_size", "input_channels")
            if isinstance(getattr(config, k, None), int)
        ),
        80,
    )
    frames = 2 * int(getattr(config, "max_source_positions", 0) or 0)
    mask = torch.ones(2, 64, dtype=torch.int64)
    yield {"input_features": torch.randn(2, 64, bins, generator=_seeded()), "attention_mask": mask}
    for length in dict.fromkeys((64, frames)):
        if length:
            mask = torch.ones(2, length, dtype=torch.int64)
            yield {"input_features": torch.randn(2, bins, length, generator=_seeded()), "attention_mask": mask}


def _images(config: Any) -> Iterator[dict[str, Any]]:
    import torch

    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", 64)
    size = int(size[0] if isinstance(size, list | tuple) else size)
    channels = int(getattr(vision, "num_channels", 3))
    text = tokens()
    image = torch.randn(_ROWS, channels, size, size, generator=_seeded())
    mask = torch.ones(_ROWS, size, size, dtype=torch.int64)
    yield {**text, "pixel_values": image, "pixel_mask": mask}
    yield {"pixel_values": image, "pixel_mask": mask}


def _decoder(accepted: set[str]) -> dict[str, Any]:
    import torch

    if "decoder_input_ids" not in accepted:
        return {}
    mask = torch.ones(_ROWS, _LENGTH - 3, dtype=torch.int64)
    return {"decoder_input_ids": _ids(_LENGTH - 3), "decoder_attention_mask": mask}


def _ids(length: int = _LENGTH) -> Any:
    """Ids from 3 on: the lowest ones are special in most vocabularies."""
    import torch

    return torch.randint(3, 9, (_ROWS, length), generator=_seeded())


def _seeded() -> Any:
    import torch

    return torch.Generator().manual_seed(0)
