"""Example inputs for transformers models, from what their ``forward`` accepts and their configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_ROWS, _LENGTH = 3, 12
_SAMPLES = 4000
_BINS = ("num_mel_bins", "input_feat_per_channel", "feature_projection_input_dim", "feature_size", "input_channels")
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
    found = [{k: v for k, v in {**content, **decoder}.items() if k in accepted} for content in _contents(main, model)]
    yield from (inputs for inputs in found if inputs)
    # Some take no batch at all before somebody says what pads are.
    yield from ({k: v[:1] for k, v in inputs.items()} for inputs in found if inputs)


def tokens() -> dict[str, Any]:
    """Ids and an attention mask."""
    import torch

    return {"input_ids": _ids(), "attention_mask": torch.ones(_ROWS, _LENGTH, dtype=torch.int64)}


def _accepted(model: Any) -> set[str]:
    import inspect

    return set(inspect.signature(model.forward).parameters)


def _contents(main: str, model: Any) -> Iterator[dict[str, Any]]:
    import torch

    accepted, config = _accepted(model), model.config
    if main in ("input_ids",) or ("input_ids" in accepted and main not in ("pixel_values", "input_features")):
        yield tokens()
        if regions := _regions(accepted, config):
            yield {**tokens(), **regions}
    if "input_values" in accepted:
        for length in (_SAMPLES, 4 * _SAMPLES):
            wave = torch.randn(2, length, generator=_seeded())
            yield {"input_values": wave, "attention_mask": torch.ones(2, length, dtype=torch.int64)}
    if "input_features" in accepted:
        yield from _spectra(model)
    if "pixel_values" in accepted:
        yield from _images(config)


def _spectra(model: Any) -> Iterator[dict[str, Any]]:
    """Frames by bins, then bins by frames: the number of bins is what the first layer that has one takes."""
    import torch

    frames = 2 * int(getattr(model.config, "max_source_positions", 0) or 0)
    for bins in _bins(model):
        mask = torch.ones(2, 64, dtype=torch.int64)
        yield {"input_features": torch.randn(2, 64, bins, generator=_seeded()), "attention_mask": mask}
        for length in dict.fromkeys((64, frames)):
            if length:
                mask = torch.ones(2, length, dtype=torch.int64)
                yield {"input_features": torch.randn(2, bins, length, generator=_seeded()), "attention_mask": mask}


def _bins(model: Any) -> list[int]:
    """Numbers of features per frame worth trying: what the configuration says, then the widths of the first layers."""
    configs = [model.config, *(getattr(model.config, name, None) for name in ("encoder_config", "audio_config"))]
    named = [getattr(config, name, None) for config in configs for name in _BINS]
    widths = [
        getattr(layer, "in_features", None) or getattr(layer, "in_channels", None) or _normalised(layer)
        for layer in model.modules()
    ]
    found = [n for n in (*named, *[w for w in widths if w][:4], 80) if isinstance(n, int) and n > 1]
    return list(dict.fromkeys(found))


def _normalised(layer: Any) -> int | None:
    shape = getattr(layer, "normalized_shape", None)
    return int(shape[-1]) if shape else None


def _regions(accepted: set[str], config: Any) -> dict[str, Any]:
    """Features of image regions beside a text, where the configuration says how many each has."""
    import torch

    widths = {
        "visual_feats": "visual_feat_dim",
        "visual_pos": "visual_pos_dim",
        "visual_embeds": "visual_embedding_dim",
    }
    known = {name: getattr(config, field, None) for name, field in widths.items() if name in accepted}
    return {
        name: torch.rand(_ROWS, 5, width, generator=_seeded())
        for name, width in known.items()
        if isinstance(width, int)
    }


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
