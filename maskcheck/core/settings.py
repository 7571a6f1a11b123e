"""What a user may ask of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_REQUIRE = ("length", "mates")
"""Twins that gate by default: right padding (or the contract's side) and batch mates."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What flags or a contract file say of a model; each entry beats inference.

    ``inputs`` maps an input's name to any of ``role``, ``dims``, ``domain``, ``pad_value``, ``valid_when``,
    ``vocabulary``, ``fill``, ``shape``; ``outputs`` maps an output's name to ``kind``, ``dims``; ``domains`` maps a
    domain's name to ``side``, and ``dimensions`` a dimension's name to ``fixed``, ``minimum``, ``maximum``. Unknown
    keys are a ``UsageError``. ``side`` holds for every domain, and ``pad_value`` for every tokens or features input,
    that has no entry of its own.
    """

    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    domains: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dimensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fixed_batch: int | None = None
    side: str | None = None
    pad_value: float | int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one audit; the defaults are what ``maskcheck audit model`` does.

    ``require`` names the twins that gate. ``samples`` is the number of sequences whose answers are compared; ``None``
    stands for 8, and for 4 where the weights exceed 512 MB.
    ``optimization`` and ``provider`` choose how the deployed session of an ONNX model is made. ``inputs`` is a path
    to recorded inputs. ``custom_objects`` are modules or Python files that define the layers of a Keras model.
    ``factory`` names the function that builds the module or model for a file of weights. ``training`` compares loss,
    metrics and gradients as well; ``loss`` is a function, or names one as ``factory`` does, for models that bring none.
    """

    seed: int = 0
    samples: int | None = None
    require: tuple[str, ...] = DEFAULT_REQUIRE
    fail_on: str = "error"
    overrides: Overrides = field(default_factory=Overrides)
    inputs: str | None = None
    optimization: str = "all"
    provider: str = "CPUExecutionProvider"
    explain: bool = True
    trust: bool = False
    factory: str | None = None
    custom_objects: tuple[str, ...] = ()
    training: bool = False
    loss: Any = None
