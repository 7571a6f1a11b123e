"""Roles and axes from dtypes, ranks, symbolic shapes and the way the graph consumes each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from maskcheck.core.contract import BATCH, Role
from maskcheck.core.model import Model, TensorSpec
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import EQUALITIES
from maskcheck.probe.contract import names

_SEGMENT_ROWS = 4
"""Tables this small hold segments (two in BERT), not words."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is believed of one input before the model was run.

    ``labels`` are per axis: ``BATCH``, ``"?"`` for a padded axis whose dimension is still to be named, or ``None``.
    """

    spec: TensorSpec
    role: Role
    labels: tuple[str | None, ...]
    reasons: tuple[str, ...]
    vocabulary: int | None = None
    compared: tuple[float | int, ...] = ()
    ids_carry_mask: bool = False
    batch_declared: bool = False
    masked_by: float | int | None = None  # features: the value by which a layer recognises padded steps
    equals: tuple[float | int, ...] = ()  # values it is compared with for being the same
    padding: int | None = None  # tokens: the row that their table keeps for padding

    @property
    def shape(self) -> tuple[int | str | None, ...]:
        return self.spec.shape or ()

    @property
    def padded(self) -> tuple[int, ...]:
        return tuple(i for i, label in enumerate(self.labels) if label not in (BATCH, None))

    @property
    def is_padded_length(self) -> bool:
        """Whether it is a single number that says how long the batch is padded."""
        integer = np.issubdtype(np.dtype(self.spec.dtype), np.integer)
        return (
            self.role is Role.OTHER and not self.shape and integer and bool(names.PADDED_LENGTH.search(self.spec.name))
        )

    @property
    def dynamic(self) -> bool:
        return any(not isinstance(self.shape[i], int) for i in self.padded)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the graph says of one input."""

    tables: tuple[int, ...] = ()
    compared: tuple[float | int, ...] = ()
    kinds: frozenset[UseKind] = field(default_factory=frozenset)
    masking: float | int | None = None
    equals: tuple[float | int, ...] = ()
    padding: int | None = None


def facts_of(uses: Sequence[InputUse], name: str) -> Facts:
    mine = [u for u in uses if u.input == name]
    return Facts(
        tuple(int(u.value) for u in mine if u.kind is UseKind.INDEX and u.value is not None),
        tuple(u.value for u in mine if u.kind is UseKind.COMPARE and u.value is not None),
        frozenset(u.kind for u in mine),
        next((u.value for u in mine if u.kind is UseKind.MASKING), None),
        tuple(u.value for u in mine if u.kind is UseKind.COMPARE and u.value is not None and u.operation in EQUALITIES),
        next((int(u.value) for u in mine if u.kind is UseKind.PADDING and u.value is not None), None),
    )


def draft(model: Model, stated: Mapping[str, Mapping[str, object]]) -> list[Draft]:
    """Believed roles and axes of all inputs; ``stated`` (from flags or a file) beats belief."""
    facts = {spec.name: facts_of(model.uses, spec.name) for spec in model.inputs}
    # The primary inputs first: what a rank-2 float is depends on whether tokens or features stand beside it.
    roles: dict[str, tuple[Role, str]] = {}
    for spec in model.inputs:
        given = stated.get(spec.name, {}).get("role")
        roles[spec.name] = (Role(str(given)), "stated") if given else _first_guess(spec, facts[spec.name])
    _settle_secondary(model, roles, facts, stated)
    drafts = [
        _draft_one(spec, *roles[spec.name], facts[spec.name], stated.get(spec.name, {}), model) for spec in model.inputs
    ]
    return [_like_content(d, drafts) if "dims" not in stated.get(d.spec.name, {}) else d for d in drafts]


def _like_content(d: Draft, drafts: Sequence[Draft]) -> Draft:
    """A mask that has the shape of features marks every value of theirs: its axes mean what theirs do."""
    if d.role is not Role.MASK or len(d.shape) < 3:
        return d
    beside = next((x for x in drafts if x.role is Role.FEATURES and x.shape == d.shape), None)
    why = f"as large as {beside.spec.name!r}" if beside else ""
    return d if beside is None else replace(d, labels=beside.labels, reasons=(*d.reasons, why))


def _rank(spec: TensorSpec) -> int:
    return len(spec.shape) if spec.shape is not None else 2


def _is(spec: TensorSpec, kind: Any) -> bool:
    """Whether the input's dtype is of an abstract numpy kind such as ``np.integer``."""
    return spec.dtype != "bool" and bool(np.issubdtype(np.dtype(spec.dtype), kind))


def _first_guess(spec: TensorSpec, facts: Facts) -> tuple[Role, str]:
    rank, named = _rank(spec), names.role_of(spec.name)
    integer = _is(spec, np.integer)
    if rank == 0 or (rank >= 4 and named is Role.OTHER) or (rank == 3 and names.role_of(spec.name) is Role.OTHER):
        single = "a single value" + (", the padded length" if names.PADDED_LENGTH.search(spec.name) else "")
        return Role.OTHER, "a state or setting by its name and rank" if rank else single
    if facts.masking is not None and rank >= 2:
        return Role.FEATURES, "a layer finds the padding in it by its value"
    if UseKind.LENGTHS in facts.kinds and rank <= 2:
        return Role.LENGTHS, "read as sequence lengths by a recurrent or attention operator"
    if UseKind.MASK in facts.kinds:
        return (
            (Role.LENGTHS, "read as lengths by a fused attention operator")
            if rank == 1
            else (Role.MASK, "read as a mask by an attention operator")
        )
    if spec.dtype == "bool":
        return (Role.MASK, f"boolean of rank {rank}") if rank >= 2 else (Role.OTHER, "a boolean switch")
    if named is Role.MASK and rank >= 2:
        return _mask_role(spec, rank)
    if named is Role.LENGTHS and (rank == 1 or (rank == 2 and spec.shape is not None and spec.shape[1] == 1)):
        return Role.LENGTHS, f"named {spec.name!r}, one value per row"
    if integer and rank <= 3:
        return _integer_role(spec, facts, named, rank)
    if facts.tables and rank == 2:
        return Role.TOKENS, f"cast to integers that pick rows of a table of {max(facts.tables)}"
    if rank == 2 and facts.compared and not _is(spec, np.integer) and named is Role.TOKENS:
        return Role.TOKENS, f"named {spec.name!r}"
    if rank >= 2:
        return Role.FEATURES, f"floating, rank {rank}"
    return Role.OTHER, f"rank {rank}, one value per row"


def _mask_role(spec: TensorSpec, rank: int) -> tuple[Role, str]:
    if rank == 4 and _is(spec, np.floating):
        return Role.ADDITIVE_MASK, f"named {spec.name!r}, floating, rank 4: added to attention scores"
    return Role.MASK, f"named {spec.name!r}, rank {rank}"


def _integer_role(spec: TensorSpec, facts: Facts, named: Role | None, rank: int) -> tuple[Role, str]:
    if named in (Role.POSITIONS, Role.SEGMENTS):
        return named, f"named {spec.name!r}"
    if facts.tables:
        rows = max(facts.tables)
        if rank == 1 and spec.shape and names.is_batch(spec.shape[0]):
            return Role.OTHER, f"one id per row, picks from a table of {rows}"
        if rows <= _SEGMENT_ROWS and named is not Role.TOKENS:
            return Role.SEGMENTS, f"picks from a table of {rows} rows"
        return Role.TOKENS, f"picks rows of a table of {rows}"
    if rank == 1:
        return (Role.OTHER, "one integer per row") if named is Role.OTHER else (Role.LENGTHS, "one integer per row")
    return (named or Role.TOKENS), f"integer, rank {rank}" + (f", named {spec.name!r}" if named else "")


def _settle_secondary(
    model: Model,
    roles: dict[str, tuple[Role, str]],
    facts: Mapping[str, Facts],
    stated: Mapping[str, Mapping[str, object]],
) -> None:
    """Second look at inputs whose meaning depends on the others."""
    indexing = [s for s in model.inputs if roles[s.name][0] in (Role.TOKENS, Role.SEGMENTS) and facts[s.name].tables]
    features = [s for s in model.inputs if roles[s.name][0] is Role.FEATURES and _rank(s) >= 3]
    if len(indexing) == 1 and roles[indexing[0].name][0] is Role.SEGMENTS and not features:
        only = indexing[0]  # a tiny vocabulary, not segments: nothing else carries content
        roles[only.name] = (Role.TOKENS, f"picks rows of a table of {max(facts[only.name].tables)}")
    for spec in model.inputs:
        role, _ = roles[spec.name]
        if stated.get(spec.name, {}).get("role"):
            continue
        plain = not facts[spec.name].tables
        if role is Role.TOKENS and plain and (indexing or features) and names.role_of(spec.name) is not Role.TOKENS:
            roles[spec.name] = (Role.MASK, f"integer, rank {_rank(spec)}, indexes no table, stands beside the content")
        if role is Role.FEATURES and _rank(spec) == 2 and (indexing or features):
            beside = (indexing or features)[0]
            same = _shares_sequence_axis(spec, beside)
            if same:
                roles[spec.name] = (Role.MASK, f"floating, rank 2, as long as {beside.name!r}")
            elif spec.shape is not None and isinstance(spec.shape[1], int):
                roles[spec.name] = (Role.OTHER, "fixed-size values per row")
        if role is Role.FEATURES and _is_of_one_size(spec) and _stands_beside_a_sequence(spec, model, roles):
            roles[spec.name] = (Role.OTHER, "an image of one size, beside a sequence that varies")


def _is_of_one_size(spec: TensorSpec) -> bool:
    """Whether no axis but the batch's can vary, and none is named as time."""
    shape = spec.shape or ()
    return len(shape) >= 4 and all(isinstance(size, int) for size in shape[1:]) and not any(map(names.is_time, shape))


def _stands_beside_a_sequence(spec: TensorSpec, model: Model, roles: Mapping[str, tuple[Role, str]]) -> bool:
    """Whether another input is a sequence of any length, and no mask or lengths can be this one's."""
    others = [other for other in model.inputs if other.name != spec.name and other.shape is not None]
    own = {size for size in (spec.shape or ())[1:] if isinstance(size, int)}
    for other in others:
        role, free = roles[other.name][0], (other.shape or ())[1:]
        if role is Role.LENGTHS or (role.is_mask and own & set(free)):
            return False
    varying = [o for o in others if any(not isinstance(size, int) for size in (o.shape or ())[1:])]
    return any(roles[other.name][0].is_content for other in varying)


def _shares_sequence_axis(spec: TensorSpec, beside: TensorSpec) -> bool:
    if spec.shape is None or beside.shape is None:
        return True
    mine, theirs = spec.shape[1], beside.shape[1:]
    return mine in theirs if isinstance(mine, int | str) else any(not isinstance(t, int) for t in theirs)


def _draft_one(
    spec: TensorSpec, role: Role, reason: str, facts: Facts, stated: Mapping[str, object], model: Model
) -> Draft:
    shape = spec.shape if spec.shape is not None else (None, None)
    spec = replace(spec, shape=shape)
    vocabulary = max(facts.tables, default=None) if role in (Role.TOKENS, Role.OTHER, Role.SEGMENTS) else None
    carries = (role is Role.TOKENS and bool(facts.kinds - {UseKind.INDEX, UseKind.PADDING})) or (
        role is Role.FEATURES and UseKind.COMPARE in facts.kinds
    )
    labels, why = _labels(spec, role, model)
    if "dims" in stated:
        labels, why = _stated_labels(stated["dims"], len(shape)), "axes stated"  # type: ignore[arg-type]
    declared = any(names.is_batch(s) for s in shape)
    kinds = "int" if _is(spec, np.integer) else spec.dtype
    described = f"{kinds} {_shape_text(shape)}; {reason}" + (f"; {why}" if why else "")
    masked_by = facts.masking if role is Role.FEATURES else None
    known = (vocabulary, facts.compared, carries, declared, masked_by, facts.equals, facts.padding)
    return Draft(spec, role, labels, (described,), *known)


def _stated_labels(dims: Sequence[str], rank: int) -> tuple[str | None, ...]:
    return tuple(None if d in ("", "-", None) else d for d in dims)[:rank]


def _shape_text(shape: Sequence[int | str | None]) -> str:
    return "(" + ", ".join("?" if s in (None, "") else str(s) for s in shape) + ")"


def _labels(spec: TensorSpec, role: Role, model: Model) -> tuple[tuple[str | None, ...], str]:
    """Which axis is the batch, which are padded. ``"?"`` marks a padded axis."""
    shape = spec.shape or ()
    rank = len(shape)
    if rank == 0:
        return (), ""
    batch = next((i for i, s in enumerate(shape) if names.is_batch(s)), None)
    if batch is None:
        batch = None if rank == 1 and role in (Role.TOKENS, Role.POSITIONS) else 0
        if (
            batch == 0
            and rank >= 2
            and names.is_time(shape[0])
            and not names.is_time(shape[1])
            and not isinstance(shape[1], int)
        ):
            batch = 1
    labels: list[str | None] = [None] * rank
    if batch is not None:
        labels[batch] = BATCH
    if role in (Role.LENGTHS, Role.OTHER):
        return tuple(labels), ""
    free = [i for i in range(rank) if i != batch and not (isinstance(shape[i], int) and shape[i] == 1)]
    chosen, why = _padded_axes(shape, role, free, model, spec)
    for i in chosen:
        labels[i] = "?"
    return tuple(labels), why


def _padded_axes(
    shape: Sequence[int | str | None], role: Role, free: list[int], model: Model, spec: TensorSpec
) -> tuple[list[int], str]:
    dynamic = [i for i in free if not isinstance(shape[i], int)]
    if role.is_mask:
        if len(free) > 2:  # (batch, heads, queries, keys)
            return free[-2:], ""
        if len(free) == 2 and len(shape) == 4 and isinstance(shape[free[0]], int) and free[0] == 1:
            return free[-1:], ""
        return free, ""
    if role is Role.FEATURES and len(free) >= 2:
        return _feature_axes(shape, free, dynamic, model, spec)
    return free[:1], ""


def _feature_axes(
    shape: Sequence[int | str | None], free: list[int], dynamic: list[int], model: Model, spec: TensorSpec
) -> tuple[list[int], str]:
    """Axes of features that padding lengthens: the variable ones; height and width of images under a pixel mask."""
    marked = next((other for other in model.inputs if _is_pixel_mask(other, spec)), None)
    if len(shape) == 4 and marked is not None:
        sizes = tuple((marked.shape or ())[1:])
        first = sizes == tuple(shape[1:3]) and sizes != tuple(shape[2:4])
        return ([1, 2], f"as large as {marked.name!r}") if first else (free[-2:], "image padded in height and width")
    if len(dynamic) == 1:
        return dynamic, ""
    if len(shape) == 3 and len(dynamic) == 2 and len({shape[i] for i in dynamic}) == 1 and shape[dynamic[0]]:
        return dynamic, "one value for every two positions"
    timed = [i for i in free if names.is_time(shape[i])]
    if len(timed) == 1:
        return timed, ""
    masks = [s for s in model.inputs if s.shape is not None and len(s.shape) == 2 and s.name != spec.name]
    for mask in masks:
        for i in free:
            if mask.shape is not None and mask.shape[1] == shape[i] and shape[i] is not None:
                return [i], f"as long as {mask.name!r}"
    return [free[0]], "first axis after the batch taken as time"


def _is_pixel_mask(other: TensorSpec, image: TensorSpec) -> bool:
    if other.shape is None or len(other.shape) != 3 or other.name == image.name:
        return False
    return names.role_of(other.name) is Role.MASK or other.dtype == "bool"
