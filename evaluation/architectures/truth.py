"""The plain test: the same sequence with and without pads, in float64. Shares no code with maskcheck."""

from __future__ import annotations

import inspect
import math
from typing import Any

LENGTHS = ((7, 12), (5, 16), (11, 13))
FRAMES = ((61, 90), (50, 128), (83, 97))
SAMPLES = ((1201, 1700), (900, 2400), (1555, 1723))
OUTPUTS = (
    "logits",
    "last_hidden_state",
    "pooler_output",
    "text_embeds",
    "encoder_last_hidden_state",
    "start_logits",
    "language_output",
    "pooled_output",
)
LEAK = 2e-6
"""Standard deviations. Rounding is near 1e-14 in float64, but some models compute their softmax in float32, which
rounds at 2e-7."""
LEAK_FLOAT32 = 1e-4


def leaks(model: Any, modality: str) -> tuple[float, bool]:
    """The largest difference in standard deviations, and whether it is a leak.

    In float64; in float32 where a model gives no numbers in float64, or has kernels that do not take it.
    """
    try:
        difference = largest_difference(model.double(), modality)
    except RuntimeError:
        difference = math.nan
    if not math.isnan(difference):
        return difference, difference > LEAK
    difference = largest_difference(model.float(), modality)
    if math.isnan(difference):
        raise ArithmeticError("the unpadded answers are no numbers")
    return difference, difference > LEAK_FLOAT32


def largest_difference(model: Any, modality: str, seed: int = 1) -> float:
    """max|padded - unpadded| at the real positions over all outputs and lengths; NaN where the unpadded ones are."""
    import torch

    model = model.eval()
    dtype = next(model.parameters()).dtype
    generator = torch.Generator().manual_seed(seed)
    lengths = {"text": LENGTHS, "audio": SAMPLES, "vision": LENGTHS}[modality]
    if modality == "audio" and not _accepts(model, "input_values"):
        lengths = FRAMES
    found = [0.0]
    for valid, total in lengths:
        plain, padded = _inputs(model, valid, total, generator)
        with torch.no_grad():
            before, after = model(**_as(plain, dtype)), model(**_as(padded, dtype))
        for name in OUTPUTS:
            a, b = getattr(before, name, None), getattr(after, name, None)
            if a is not None and b is not None and a.is_floating_point():
                found.append(_difference(a, b))
    return math.nan if any(map(math.isnan, found)) else max(found)


def _as(inputs: dict[str, Any], dtype: Any) -> dict[str, Any]:
    return {k: v.to(dtype) if getattr(v, "is_floating_point", bool)() else v for k, v in inputs.items()}


def _difference(a: Any, b: Any) -> float:
    """Over the part of ``b`` that ``a`` has: valid positions come first. Infinite where only ``b`` is not finite."""
    part = b[tuple(slice(0, size) for size in a.shape)]
    if not a.isfinite().all():
        return math.nan
    if not part.isfinite().all():
        return math.inf
    return float((a - part).abs().max()) / (float(a.std()) or 1.0)


def _accepts(model: Any, name: str) -> bool:
    return name in inspect.signature(model.forward).parameters


def _inputs(model: Any, valid: int, total: int, generator: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keyword arguments without and with pads, two rows of one length."""
    import torch

    config = model.config
    text = getattr(config, "text_config", None) or config
    plain: dict[str, Any] = {}
    padded: dict[str, Any] = {}
    main = next((n for n in ("input_ids", "input_values", "input_features") if _accepts(model, n)), "input_ids")
    if main == "input_ids":
        size = getattr(text, "vocab_size", None) or getattr(config, "src_vocab_size", 120)
        pad = getattr(text, "pad_token_id", None)
        pad = 0 if pad is None or pad < 0 else pad
        content = torch.randint(4, min(size, 110) - 4, (2, valid), generator=generator)
        content = torch.where(content == pad, content + 1, content)
        longer = torch.full((2, total), pad)
    else:
        content = torch.randn((2, valid, *_feature(model, main)), generator=generator, dtype=torch.float64)
        longer = torch.zeros((2, total, *content.shape[2:]), dtype=torch.float64)
    longer[:, :valid] = content
    plain[main], padded[main] = content, longer
    if _accepts(model, "attention_mask"):
        plain["attention_mask"] = torch.ones(2, valid, dtype=torch.long)
        padded["attention_mask"] = torch.ones(2, total, dtype=torch.long)
        padded["attention_mask"][:, valid:] = 0
    for name, value in _others(model, generator).items():
        plain[name] = padded[name] = value
    return plain, padded


def _feature(model: Any, main: str) -> tuple[int, ...]:
    if main == "input_values":
        return ()
    config = model.config
    inner = getattr(config, "encoder_config", config)
    names = ("num_mel_bins", "input_feat_per_channel", "feature_projection_input_dim")
    return (next(getattr(c, n) for n in names for c in (inner, config) if hasattr(c, n)),)


def _others(model: Any, generator: Any) -> dict[str, Any]:
    """What else the model needs, the same in both runs."""
    import torch

    config = model.config
    found: dict[str, Any] = {}
    if getattr(config, "is_encoder_decoder", False) and _accepts(model, "decoder_input_ids"):
        found["decoder_input_ids"] = torch.randint(4, 100, (2, 5), generator=generator)
    vision = getattr(config, "vision_config", None) or config
    if _accepts(model, "pixel_values") and hasattr(vision, "image_size"):
        size = vision.image_size
        found["pixel_values"] = torch.randn(2, 3, size, size, generator=generator, dtype=torch.float64)
    if _accepts(model, "visual_feats"):
        found["visual_feats"] = torch.randn(2, 3, config.visual_feat_dim, generator=generator, dtype=torch.float64)
        found["visual_pos"] = torch.rand(2, 3, 4, generator=generator, dtype=torch.float64)
    if _accepts(model, "use_cache"):
        found["use_cache"] = False
    return found
