"""A module as an ONNX file with free sizes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def export(
    module: torch.nn.Module, example: Mapping[str, Any], shapes: Mapping[str, Any] | None, path: Path, **told: Any
) -> None:
    """Write ``module`` to ``path``; ``shapes`` names the dimensions of each input that are free, ``None`` fixes all.

    The answer is called so, unless something else is ``told`` to the exporter.
    """
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            module,
            kwargs=dict(example),
            f=str(path),
            dynamo=True,
            dynamic_shapes=None if shapes is None else dict(shapes),
            input_names=list(example),
            verbose=False,
            **{"output_names": ["answer"], **told},
        )
