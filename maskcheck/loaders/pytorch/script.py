"""TorchScript programs: opened only when trusted, traced below the interpreter that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.settings import Settings
from maskcheck.loaders.pytorch.checkpoint import digest
from maskcheck.loaders.pytorch.model import TorchModel
from maskcheck.loaders.pytorch.recorder import Recorder
from maskcheck.loaders.pytorch.safety import require_torch


def load(path: Path, settings: Settings) -> TorchModel:
    """Open a TorchScript file. Raises ``LoadError``."""
    require_torch()
    if not settings.trust:
        raise LoadError(
            f"{path}: refused: a TorchScript file is a program of its own, which runs when the model runs.",
            hint="Export the model with torch.export or to ONNX. If you trust where it came from, say --trust.",
        )
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"{path}: torch cannot load the program: {reason}", hint="Save it again.") from error
    return ScriptModel(
        module, path=str(path), format="torchscript", sha256=digest(path), size_bytes=path.stat().st_size
    )


class ScriptModel(TorchModel):
    """A TorchScript program. Its operators are traced without the optimiser, whose rewrites change from run to run."""

    def _caller(self, recorder: Recorder) -> Callable[[Mapping[str, Any]], Any]:
        import torch

        call = super()._caller(recorder)

        def plainly(tensors: Mapping[str, Any]) -> Any:
            with torch.jit.optimized_execution(False):
                return call(tensors)

        return plainly
