"""What an operand means to the operation that reads it: ids, lengths, a mask, something compared."""

from __future__ import annotations

from collections.abc import Callable

from maskcheck.ir.constants import Constants
from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import COMPARISONS, Kind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Attention, Compare, Lookup, MaskValue, Pick
from maskcheck.ir.views import View

Meaning = tuple[UseKind, float | int | None]
"""A kind of use and the number that goes with it, see ``UseKind``."""

_NOTHING: Meaning = (UseKind.OTHER, None)
_LENGTHS_SECOND = frozenset({Op.REVERSE_SEQUENCE, Op.PACK_SEQUENCE})
"""Operations whose second operand is the number of real steps of every row."""


def meaning_of(site: Site, key: str, view: View, constants: Constants) -> Meaning:
    """What operand ``key``, which shows an input as ``view``, means to ``site``. One column of an input means little:
    its numbers are not those of the others.
    """
    if view.column:
        return _NOTHING
    answers = (ask(site, key, view, constants) for ask in _QUESTIONS)
    return next((answer for answer in answers if answer is not None), _NOTHING)


def lookup_of(site: Site, key: str, constants: Constants) -> Lookup | None:
    """The lookup of which ``key`` holds the ids; its number of rows is read off the table where nothing else tells."""
    lookup = _told_lookup(site, key) or _plain_lookup(site, key, constants)
    if lookup is None or lookup.rows is not None:
        return lookup
    return Lookup(ids=key, rows=_rows(site, key, constants), padding=lookup.padding)


def padding_row(site: Site, key: str, lookup: Lookup, constants: Constants, *, compared: bool) -> int | None:
    """The row that a table keeps for padding: as the operator says, or the only row of zeros.

    Training leaves a row of zeros alone for padding only where the model looks at its ids otherwise as well, which
    ``compared`` says; else a row of zeros may be a word that never occurred.
    """
    if lookup.padding is not None or not compared:
        return lookup.padding
    along_rows = not isinstance(site.settings, Pick) or site.settings.axis == 0
    return constants.empty_row(site.inputs[0]) if along_rows and site.inputs[0] != key else None


def _told_lookup(site: Site, key: str) -> Lookup | None:
    told = site.settings
    if not isinstance(told, Lookup):
        return None
    if told.ids is None:
        return told if _is_no_table(site, key) else None
    return next((lookup for lookup in (told, *told.others) if lookup.ids == key), None)


def _plain_lookup(site: Site, key: str, constants: Constants) -> Lookup | None:
    """A lookup that only its operation and its table tell. Picking positions of a computed tensor is none."""
    if isinstance(site.settings, Lookup):
        return None
    if site.operation is Op.ONE_HOT:
        return Lookup(ids=key) if key == site.inputs[0] else None
    table = site.kind is Kind.EMBEDDING or (site.operation is Op.GATHER and constants.is_constant(site.inputs[0]))
    return Lookup(ids=key) if table and _is_no_table(site, key) else None


def _is_no_table(site: Site, key: str) -> bool:
    """Tables come first, where they are tensors of their own."""
    return len(site.inputs) == 1 or site.inputs[0] != key or site.operation is Op.ONE_HOT


def _rows(site: Site, key: str, constants: Constants) -> int | None:
    if site.operation is Op.ONE_HOT:
        depth = constants.fill(site.inputs[1]) if len(site.inputs) > 1 else None
        return None if depth is None else int(depth)
    shape = constants.shape(site.inputs[0]) if site.inputs[0] != key else None
    axis = site.settings.axis if isinstance(site.settings, Pick) and site.settings.axis is not None else 0
    return shape[axis] if shape and -len(shape) <= axis < len(shape) else None


# ------------------------------------------------------------------ questions, in the order in which they are asked


def _lengths(site: Site, key: str, view: View, constants: Constants) -> Meaning | None:
    told = getattr(site.settings, "lengths", None) == key
    second = site.operation in _LENGTHS_SECOND and site.inputs[0] != key
    return (UseKind.LENGTHS, None) if told or second else None


def _mask(site: Site, key: str, view: View, constants: Constants) -> Meaning | None:
    """Whatever takes a mask, a bias of attention scores among it, which may be one as well."""
    settings = site.settings
    if key not in (getattr(settings, "mask", None), getattr(settings, "bias", None)):
        return None
    known = settings.mask_rank if isinstance(settings, Attention) and settings.mask in (None, key) else None
    return UseKind.MASK, view.rank if known is None else known


def _ids(site: Site, key: str, view: View, constants: Constants) -> Meaning | None:
    lookup = lookup_of(site, key, constants)
    return None if lookup is None else (UseKind.INDEX, lookup.rows)


def _compared(site: Site, key: str, view: View, constants: Constants) -> Meaning | None:
    value = _constant_beside(site, key, constants) if site.operation in COMPARISONS else None
    return None if value is None else (UseKind.COMPARE, whole(value))


def _constant_beside(site: Site, key: str, constants: Constants) -> float | None:
    told = site.settings
    if isinstance(told, Compare) and told.value is not None:
        return told.value if told.operand in (None, key) else None
    others = [other for other in site.inputs if other != key]
    return constants.fill(others[0]) if len(others) == 1 else None


def _masking(site: Site, key: str, view: View, constants: Constants) -> Meaning | None:
    told = site.settings
    return (UseKind.MASKING, whole(told.value)) if isinstance(told, MaskValue) else None


_QUESTIONS: tuple[Callable[[Site, str, View, Constants], Meaning | None], ...] = (
    _lengths,
    _mask,
    _ids,
    _compared,
    _masking,
)


def whole(value: float) -> float | int:
    """Whole numbers as such."""
    return int(value) if float(value).is_integer() else value
