"""What each tensor depends on: nothing, the sizes of the inputs, or their content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Body, Pad, Slice


class Level(IntEnum):
    """What a tensor depends on, weakest first."""

    CONSTANT = 0
    SHAPE = 1
    DATA = 2


@dataclass(frozen=True, slots=True)
class Dependence:
    """What each tensor of a graph depends on; a tensor that is not named is a constant."""

    levels: Mapping[str, Level]

    def level(self, key: str) -> Level:
        return self.levels.get(key, Level.CONSTANT)

    @property
    def shape_only(self) -> frozenset[str]:
        """Keys of what is computed from sizes alone."""
        return frozenset(key for key, level in self.levels.items() if level is Level.SHAPE)

    @property
    def constants(self) -> frozenset[str]:
        return frozenset(key for key, level in self.levels.items() if level is Level.CONSTANT)


_SIZED_BY_DATA = frozenset({Op.NON_ZERO, Op.UNIQUE, Op.MASKED_SELECT, Op.ROUTING, Op.PACK_SEQUENCE, Op.UNPACK_SEQUENCE})
"""Operations of which content decides how much they return."""

_SIZED_BY_FURTHER = frozenset(
    {
        *(Op.RESHAPE, Op.EXPAND, Op.REPEAT, Op.SLICE, Op.PAD, Op.RESIZE, Op.SPLIT),
        *(Op.ONE_HOT, Op.TOP_K),
    }
)
"""Operations whose size is the value of an operand behind the first."""

_SIZED_BY_ALL = frozenset({Op.RANGE, Op.CONSTANT})


def find_dependence(sites: Iterable[Site], inputs: Iterable[str], constants: Iterable[str] = ()) -> Dependence:
    """Find what every tensor depends on, in one pass over ``sites`` in the order in which they run.

    The size of a tensor whose size itself depends on values (``NON_ZERO``) carries content, and so does what is made
    from it.
    """
    levels = dict.fromkeys(constants, Level.CONSTANT) | dict.fromkeys(inputs, Level.DATA)
    sized_by_data: set[str] = set()
    for site in sites:
        grown = not sized_by_data.isdisjoint(site.inputs)
        level = _level(site, levels, grown)
        levels.update(dict.fromkeys(site.outputs, level))
        if (grown and site.kind is not Kind.SHAPE) or (level is Level.DATA and _data_decides_size(site, levels)):
            sized_by_data.update(site.outputs)
    return Dependence(levels)


def reads_size_only(operation: Op) -> bool:
    """Whether an operation reads nothing of a tensor but how large it is."""
    return operation.kind is Kind.SHAPE or operation is Op.CONSTANT_LIKE


def level_after(operation: Op, reads: Iterable[Level]) -> Level:
    """What depends on what, one operation at a time: for recorders that meet operations while a model runs.

    Nothing is known here of sizes that content decides.
    """
    strongest = max(reads, default=Level.CONSTANT)
    if operation.kind is Kind.RANDOM:
        return Level.DATA
    return min(strongest, Level.SHAPE) if reads_size_only(operation) else strongest


def _level(site: Site, levels: Mapping[str, Level], grown: bool) -> Level:
    if grown or (isinstance(site.settings, Body) and site.settings.random):
        return Level.DATA
    return level_after(site.operation, (levels.get(key, Level.CONSTANT) for key in site.inputs))


def _data_decides_size(site: Site, levels: Mapping[str, Level]) -> bool:
    if site.operation in _SIZED_BY_DATA or (isinstance(site.settings, Body) and site.settings.sized_by_data):
        return True
    return any(levels.get(key) is Level.DATA for key in _size_operands(site))


def _size_operands(site: Site) -> tuple[str, ...]:
    if site.operation in _SIZED_BY_ALL:
        return site.inputs
    return site.inputs[1:] if site.operation in _SIZED_BY_FURTHER and not _fixes_size(site) else ()


def _fixes_size(site: Site) -> bool:
    """Whether constants say how much is cut or laid on, so that further operands can only say of what."""
    match site.settings:
        case Slice(starts=tuple(), ends=tuple()) | Pad(before=tuple(), after=tuple()):
            return True
        case _:
            return False
