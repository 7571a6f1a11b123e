"""TorchScript programs: opened only when trusted, traced below the interpreter that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.settings import Settings
from maskcheck.loaders.pytorch.checkpoint import digest
from maskcheck.loaders.pytorch.model import TorchModel
from maskcheck.loaders.pytorch.private_api import own_tensors
from maskcheck.loaders.pytorch.recorder import Recorder
from maskcheck.loaders.pytorch.safety import require_torch
from maskcheck.loaders.pytorch.script_probes import Marks


def load(path: Path, settings: Settings) -> TorchModel:
    """Open a TorchScript file. Raises ``LoadError``."""
    require_torch()
    if not settings.trust:
        raise LoadError(
            f"{path}: refused: a TorchScript file is a program of its own, which runs when the model runs.",
            hint="Export the model with torch.export or to ONNX. If you trust where it came from, say --trust.",
        )
    try:
        module = open_program(str(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"{path}: torch cannot load the program: {reason}", hint="Save it again.") from error
    return ScriptModel(
        module, path=str(path), format="torchscript", sha256=digest(path), size_bytes=path.stat().st_size
    )


class ScriptModel(TorchModel):
    """A TorchScript program. Its operators are traced without the optimiser, whose rewrites change from run to run."""

    @cached_property
    def _marks(self) -> Marks | None:
        """A second copy of the program that tells where it is, over the weights of the first.

        ``None`` where the program cannot be marked: that takes parts of torch that it does not promise to keep.
        """
        try:
            copy = open_program(self._origin.path)
            own = dict(self.target.named_modules())
            for path, part in copy.named_modules():
                for name in own_tensors(part):
                    setattr(part, name, getattr(own[path], name))
            return Marks.of(copy)
        except Exception:
            return None

    def _caller(self, recorder: Recorder) -> Callable[[Mapping[str, Any]], Any]:
        import torch

        marked, given = self._marks, self._calls.binding
        if marked is not None:
            given = replace(given, target=marked.module)

        def call_unoptimised(tensors: Mapping[str, Any]) -> Any:
            with torch.jit.optimized_execution(False), marked.report_to(recorder.go_to) if marked else nullcontext():
                return given.call(tensors)

        return call_unoptimised


def open_program(path: str) -> Any:
    """The compiled program in a file, which may run whatever it holds."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(path, map_location="cpu")
