"""Where a model comes from, and what is said of it whatever it computes."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskcheck.core.model import ModelInfo
from maskcheck.ir.static_fact import StaticFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """``path`` is what reports call the model; ``sha256`` and ``size_bytes`` are of its file, where it has one."""

    path: str
    format: str
    sha256: str | None
    hints: Mapping[str, Any]
    size_bytes: int

    def info(self, *, device: str, precision: str, static: tuple[StaticFact, ...]) -> ModelInfo:
        import torch

        return ModelInfo(
            path=self.path,
            format=self.format,
            sha256=self.sha256,
            framework="pytorch",
            versions={"python": platform.python_version(), "torch": torch.__version__},
            device=device,
            precision=precision,
            hints=self.hints,
            static=static,
            size_bytes=self.size_bytes,
        )


def title(target: Any) -> str:
    """What a module or function is called."""
    return getattr(target, "__name__", None) or type(target).__name__
