"""What each tensor depends on: nothing, the sizes of the inputs, or their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from maskcheck.loaders.onnx.graph import RANDOM, OnnxGraph, OnnxNode


class Level(IntEnum):
    """What a tensor depends on, weakest first."""

    CONSTANT = 0
    SHAPE = 1
    DATA = 2


_SIZES = frozenset({"Shape", "Size"})
_DATA_SHAPED = frozenset(
    {"NonZero", "Unique", "Compress", "NonMaxSuppression", "Loop", "If", "SequenceLength", "StringSplit"}
)
# Operators whose output size is the value of one of these operands.
_SIZED_BY = {
    "Range": (0, 1, 2),
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Reshape": (1,),
    "Tile": (1,),
    "Slice": (1, 2),
    "Pad": (1,),
    "Resize": (2, 3),
    "Upsample": (1,),
    "CenterCropPad": (1,),
    "OneHot": (1,),
    "TopK": (1,),
    "Split": (1,),
}


@dataclass(frozen=True, slots=True)
class Dependence:
    """What each tensor of a graph depends on; a tensor that is not named is a constant."""

    levels: Mapping[str, Level]

    def level(self, key: str) -> Level:
        return self.levels.get(key, Level.CONSTANT)

    @property
    def shape_only(self) -> frozenset[str]:
        return frozenset(k for k, v in self.levels.items() if v is Level.SHAPE)

    @property
    def constants(self) -> frozenset[str]:
        return frozenset(k for k, v in self.levels.items() if v is Level.CONSTANT)


def dependence(graph: OnnxGraph) -> Dependence:
    """Find what every tensor depends on.

    The size of a tensor whose size itself depends on values (``NonZero``) carries content, and so does what is made
    from it.
    """
    levels = dict.fromkeys((*graph.initializers, *graph.sparse), Level.CONSTANT)
    levels |= dict.fromkeys(graph.inputs, Level.DATA)
    sized_by_data: set[str] = set()
    for node in graph.nodes:
        level = max((levels.get(name, Level.CONSTANT) for name in node.reads), default=Level.CONSTANT)
        sized = any(name in sized_by_data for name in node.reads)
        if node.default and node.op in _SIZES and not sized:
            level = min(level, Level.SHAPE)
        if (node.default and node.op in RANDOM) or node.random_inside:
            level = Level.DATA
        levels.update(dict.fromkeys(node.makes, level))
        inherits = sized and not (node.default and node.op in _SIZES)
        if inherits or (level is Level.DATA and _data_shaped(node, levels)):
            sized_by_data.update(node.makes)
    return Dependence(levels)


def _data_shaped(node: OnnxNode, levels: Mapping[str, Level]) -> bool:
    if not node.default:
        return False
    by_value = any(levels.get(node.input(p)) is Level.DATA for p in _SIZED_BY.get(node.op, ()))
    return node.op in _DATA_SHAPED or by_value
