"""A small builder for graphs that no exporter writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .case import DIMENSIONS, Case, Input, Output

NAMES = {"B": "batch", "T": "time", "S": "source"}
CONTRIB = "com.microsoft"


class Graph:
    """Nodes and constants in the order in which they are added; names are those of the operators, counted."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike, dtype: str | None = None, name: str | None = None) -> str:
        """An initialiser; returns its name."""
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def weight(self, name: str, *shape: int, scale: float = 0.4) -> str:
        """A random float32 initialiser."""
        return self.constant(scale * self.rng.standard_normal(shape), "float32", name)

    def node(self, op: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its first output. The others end in ``_1``, ``_2`` and so on."""
        name = f"{op}_{sum(n.op_type == op for n in self.nodes)}"
        results = [f"{name}_out{f'_{k}' if k else ''}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), results, name=name, domain=domain, **attributes))
        return results[0]

    def write(self, case: Case, results: dict[str, str], path: Path, opset: int = 17) -> Path:
        """Write the graph with the case's inputs; ``results`` maps each output to the tensor that it is."""
        for output, tensor in results.items():
            self.nodes.append(helper.make_node("Identity", [tensor], [output], name=f"give_{output}"))
        graph = helper.make_graph(
            self.nodes,
            case.name,
            [_info(i, helper.np_dtype_to_tensor_dtype(np.dtype(i.dtype))) for i in case.spec],
            [_info(o, TensorProto.FLOAT) for o in case.outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10 if opset < 23 else 11)
        onnx.save(model, path)
        return path


def _info(item: Input | Output, kind: int) -> onnx.ValueInfoProto:
    sizes = item.sizes if isinstance(item, Input) else {}
    known = {"1": 1, **sizes}
    shape = [NAMES[a] if a == "B" or a in DIMENSIONS else known.get(a) for a in item.axes]
    return helper.make_tensor_value_info(item.name, kind, shape)
