"""Writes a PyTorch module as an ONNX file, quietly and the same way each time."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from . import feeds
from .case import DIMENSIONS, Case, Input, Output

NAMES = {"B": "batch", "T": "time", "S": "source", "H": "height", "W": "width"}


def torch_case(
    name: str,
    module: Callable[[], nn.Module],
    spec: tuple[Input, ...],
    outputs: tuple[Output, ...],
    *,
    dynamo: bool = False,
    seed: int = 0,
    example: Mapping[str, int] | None = None,
    traced: tuple[tuple[Input, ...], bool] | None = None,
    **more: object,
) -> Case:
    """A case whose graph is exported from ``module()``, made under a fixed seed.

    ``example`` chooses the lengths of the traced inputs. ``traced`` gives the inputs that ``module`` takes where the
    graph keeps fewer, and whether the traced example is padded.
    """
    inputs, padded = traced or (spec, True)

    def build(path: Path) -> Path:
        torch.manual_seed(seed)
        write = export_dynamo if dynamo else export_traced
        with quiet():
            made = module().eval()
        return write(made, replace(case, spec=inputs), _example(case, inputs, example, padded), path)

    case = Case(name, build, spec, outputs, **more)  # type: ignore[arg-type]
    return case


def export_traced(module: nn.Module, case: Case, example: tuple[torch.Tensor, ...], path: Path) -> Path:
    """Export through the TorchScript tracer (opset 17)."""
    names = [i.name for i in case.spec]
    axes = {
        item.name: {k: NAMES[letter] for k, letter in enumerate(item.axes) if _is_dynamic(case, letter, item)}
        for item in (*case.spec, *case.outputs)
    }
    with quiet():
        torch.onnx.export(
            module,
            example,
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=names,
            output_names=[o.name for o in case.outputs],
            dynamic_axes={name: labels for name, labels in axes.items() if labels},
        )
    return path


def export_dynamo(module: nn.Module, case: Case, example: tuple[torch.Tensor, ...], path: Path) -> Path:
    """Export through ``torch.export``; the nodes record the source lines they come from."""
    dims = {letter: torch.export.Dim.DYNAMIC for letter in ("B", *case.dimensions)}
    shapes = tuple(
        {k: dims[letter] for k, letter in enumerate(i.axes) if _is_dynamic(case, letter, i)} for i in case.spec
    )
    with quiet():
        torch.onnx.export(
            module,
            example,
            str(path),
            dynamo=True,
            external_data=False,
            input_names=[i.name for i in case.spec],
            output_names=[o.name for o in case.outputs],
            dynamic_shapes=shapes,
            verbose=False,
        )
    return path


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters' warnings, log lines and progress prints off the screen."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def _example(
    case: Case, inputs: tuple[Input, ...], wanted: Mapping[str, int] | None, padded: bool
) -> tuple[torch.Tensor, ...]:
    sizes = {"T": 7, "S": 10, "H": 18, "W": 22, **(wanted or {}), **case.fixed}
    width = {d: sizes[d] for d in case.dimensions}
    # padded unless asked otherwise: tracing an all-ones mask lets code skip the mask altogether
    short = {d: max(case.minimum, w - 2) if padded else w for d, w in width.items()}
    count = case.batches[-1] if case.batches else 3
    whole = replace(case, spec=inputs)
    feed = feeds.batch(whole, [feeds.row(whole, short if k else width, k) for k in range(count)], width)
    return tuple(torch.from_numpy(feed[i.name]) for i in inputs)


def _is_dynamic(case: Case, letter: str, item: Input | Output) -> bool:
    if letter == "B":
        return case.batches is None or len(case.batches) > 1
    return letter in DIMENSIONS and letter not in case.fixed
