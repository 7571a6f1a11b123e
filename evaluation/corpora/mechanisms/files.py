"""A module as an ONNX file whose sizes are free, and a file as a function of tensors."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from evaluation import exporting
from evaluation.case import Case
from evaluation.corpora.mechanisms import truth
from evaluation.corpora.mechanisms.building import Placed, build, inputs, padded


def session(path: Path) -> truth.Model:
    """A file as a function of tensors."""
    import onnxruntime

    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(**given: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(found.run(None, {name: x.numpy() for name, x in given.items()})[0])

    return run


def export(case: Case[Placed], path: Path) -> None:
    """Write a graph whose sizes are free; in a new process where exports before this one left assumptions."""
    _export(case, path)
    if _fixed(case, path):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_export, case, path).result()


def _fixed(case: Case[Placed], path: Path) -> bool:
    """Whether the graph runs for one length only, whatever its inputs say."""
    longer = inputs(case, 4)
    for domain in padded(case).domains:
        longer = truth.lengthened(longer, domain, 4)
    try:
        session(path)(**longer)
    except Exception:  # onnxruntime has many kinds of errors, and any of them is an answer
        return True
    return False


def _export(case: Case[Placed], path: Path) -> None:
    module, example = build(case), inputs(case)
    rows = torch.export.Dim("batch")
    shapes: dict[str, dict[int, Any]] = {name: {0: rows} for name in example}
    for domain, label in zip(padded(case).domains, ("time", "other"), strict=False):
        size = torch.export.Dim(label)
        for name, axis in domain.items():
            shapes[name] |= {axis: size} if axis else {}
    exporting.export(module, example, shapes, path)
    if case.condition == "converted":
        _convert(path)


def _convert(path: Path) -> None:
    """Single precision to half, as onnxruntime's converter does it; inputs and outputs stay as they are."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)
