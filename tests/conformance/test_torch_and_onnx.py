"""The same graphs as live modules, exported programs, TorchScript and ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.export import Dim, export, save

from maskcheck import loaders
from maskcheck.core.model import Model
from maskcheck.core.settings import Settings
from maskcheck.loaders.live import wrap
from tests.conformance import torch_graphs
from tests.conformance.questions import QUESTIONS
from tests.conformance.reading import failures
from tests.loaders.onnx_builder import BOOL, FLOAT, build, node
from tests.loaders.onnx_builder import save as save_onnx
from tests.zoo.export import quiet


def live(module: nn.Module, folder: Path) -> Model:
    return wrap(module, torch_graphs.example(module))


def program(module: nn.Module, folder: Path) -> Model:
    given = torch_graphs.example(module)
    path = folder / "model.pt2"
    save(export(module, (), given, dynamic_shapes={name: {0: Dim.AUTO, 1: Dim.AUTO} for name in given}), path)
    return loaders.load(path, Settings())


def script(module: nn.Module, folder: Path) -> Model:
    path = folder / "model.pt"
    torch.jit.trace(module, tuple(torch_graphs.example(module).values())).save(str(path))
    return loaders.load(path, Settings(trust=True))


def onnx(module: nn.Module, folder: Path) -> Model:
    given = torch_graphs.example(module)
    path = folder / "model.onnx"
    axes = {0: Dim("batch"), 1: Dim("time", min=2)}
    with quiet():
        torch.onnx.export(
            module,
            (),
            str(path),
            kwargs=given,
            dynamo=True,
            dynamic_shapes={name: axes for name in given},
            input_names=list(given),
            external_data=False,
        )
    return loaders.load(path, Settings())


def fused(name: str, folder: Path) -> Model:
    """Exporters take fused attention apart; runtimes fuse it again."""
    masked = name == "fused attention"
    nodes = [
        *([node("Cast", ["mask"], ["real"], to=6)] if masked else []),
        node(
            "MultiHeadAttention",
            ["x", "x", "x", "", *(["real"] if masked else [])],
            ["y"],
            domain="com.microsoft",
            num_heads=1,
        ),
    ]
    inputs = [("x", FLOAT, ["batch", "time", 4]), *([("mask", BOOL, ["batch", "time"])] if masked else [])]
    model = build(nodes, inputs, [("y", FLOAT, ["batch", "time", 4])])
    return loaders.load(save_onnx(model, folder / "fused.onnx"), Settings())


WAYS: dict[str, Callable[[nn.Module, Path], Model]] = {"live": live, "pt2": program, "script": script, "onnx": onnx}

UNSHOWN: dict[tuple[str, str], tuple[frozenset[str], str]] = {
    ("script", "recurrence in both directions"): (
        frozenset({"steps", "facts"}),
        "the interpreter takes the layer apart into the operators of its steps",
    ),
    ("script", "fused attention"): (
        frozenset({"uses"}),
        "the interpreter turns a boolean mask into one that is added before the operator reads it",
    ),
    ("script", "a mask that nothing reads"): (frozenset({"facts"}), "tracing drops an argument that nothing reads"),
}
"""Parts of a question that a format cannot show, and why."""


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("way", WAYS)
def test_conformance(way: str, name: str, tmp_path: Path) -> None:
    if way == "onnx" and name.startswith("fused"):
        model = fused(name, tmp_path)
    else:
        model = WAYS[way](torch_graphs.built(name), tmp_path)
    without, _ = UNSHOWN.get((way, name), (frozenset(), ""))
    assert failures(model, QUESTIONS[name], without=without) == []
    model.close()
