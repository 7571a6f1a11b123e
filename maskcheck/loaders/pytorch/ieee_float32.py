"""Whole float32 while a model is run: TF32 and bfloat16 products round by 1e-3, a thousand times what float32 does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def whole_float32() -> Iterator[None]:
    """Products of float32 are computed in float32 until the block ends, whatever the program around allows.

    ``torch.set_float32_matmul_precision("high")`` and cuDNN's default let a GPU round them to TF32, "medium" lets a
    processor round them to bfloat16. That is rounding and no leak, and it differs with every shape. Models that are in
    half precision themselves are left alone.
    """
    switches = _switches()
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision


def _switches() -> tuple[Any, ...]:
    from torch.backends import cuda, cudnn, mkldnn

    return cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn
