"""Which padded axes have the same length: naming the dimensions and gathering inputs into domains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from maskcheck.core.contract import BATCH, Role
from maskcheck.probe.contract import names
from maskcheck.probe.contract.structure import Draft


@dataclass(frozen=True, slots=True)
class Grouping:
    """Dimension labels per input (aligned with its axes) and the domain each input belongs to.

    ``fixed`` holds the lengths that the declared shapes fix, by dimension.
    """

    labels: dict[str, tuple[str | None, ...]]
    domains: dict[str, str | None]
    dimensions: dict[str, tuple[str, ...]]
    fixed: dict[str, int]


def group(drafts: Sequence[Draft], *, merge_all: bool = False) -> Grouping:
    """Gather inputs into domains. ``merge_all`` puts everything one-dimensional into a single domain."""
    content = [d for d in drafts if d.role.is_content and d.padded]
    primaries = [d for d in content if not _is_square(d)] or content
    homes: list[list[Draft]] = []
    for primary in primaries:
        home = next((h for h in homes if merge_all or _together(h[0], primary)), None)
        homes.append([primary]) if home is None else home.append(primary)
    labels = {d.spec.name: d.labels for d in drafts}
    domains: dict[str, str | None] = {d.spec.name: None for d in drafts}
    dimensions: dict[str, tuple[str, ...]] = {}
    fixed: dict[str, int] = {}
    homes_by_name = _name_homes(homes)
    for name, members in homes_by_name.items():
        image = len(members[0].padded) == 2
        dimensions[name] = ("height", "width") if image else (_own_label(members[0]) or name,)
        for member in members:
            domains[member.spec.name] = name
            labels[member.spec.name] = _relabel(member, dimensions[name])
    for other in drafts:
        if other.role.is_content and not (other in content and _is_square(other)):
            continue
        if other.role is Role.OTHER and not other.is_padded_length:
            continue
        if other.spec.name in [m.spec.name for ms in homes_by_name.values() for m in ms]:
            continue
        _place(other, homes_by_name, labels, domains, dimensions)
    for d in drafts:
        for axis, label in enumerate(labels[d.spec.name]):
            size = d.shape[axis] if axis < len(d.shape) else None
            if label not in (BATCH, None, "?") and isinstance(size, int):
                fixed.setdefault(str(label), size)
    labels = {n: tuple(None if label == "?" else label for label in ls) for n, ls in labels.items()}
    return Grouping(labels, domains, dimensions, fixed)


def _is_square(draft: Draft) -> bool:
    """Features for every two positions, such as the edges between nodes: they go with the positions' own features."""
    sizes = {draft.shape[axis] for axis in draft.padded}
    return draft.role is Role.FEATURES and len(draft.shape) == 3 and len(draft.padded) == 2 and len(sizes) == 1


def _own_label(draft: Draft) -> str | None:
    return next((str(draft.labels[i]) for i in draft.padded if draft.labels[i] != "?"), None)


def _symbol(draft: Draft) -> int | str | None:
    return draft.shape[draft.padded[-1]] if draft.padded else None


def _together(one: Draft, other: Draft) -> bool:
    """Whether two content inputs share their length, as far as names and shapes tell."""
    if len(one.padded) != len(other.padded):
        return False
    if (mine := _own_label(one)) and (theirs := _own_label(other)):
        return mine == theirs
    if names.family_of(one.spec.name) != names.family_of(other.spec.name):
        return False
    a, b = _symbol(one), _symbol(other)
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if isinstance(a, int) != isinstance(b, int):
        return False  # one of a fixed length, one of any
    if isinstance(a, str) and isinstance(b, str) and a != b:
        # Exporters make names such as ``input_ids_dim_1`` or ``s72``: those say nothing about equality.
        return _made_up(a, one) or _made_up(b, other)
    return True


def _made_up(symbol: str, draft: Draft) -> bool:
    named = re.match(rf"{re.escape(draft.spec.name)}([_.:]|$)", symbol)
    return bool(named or re.fullmatch(r"s\d+|unk__\d+|d\d+|dim_?\d+|\?", symbol))


def _name_homes(homes: Sequence[Sequence[Draft]]) -> dict[str, list[Draft]]:
    named: dict[str, list[Draft]] = {}
    for i, members in enumerate(homes):
        if len(homes) == 1:
            name = "image" if len(members[0].padded) == 2 else (_own_label(members[0]) or "seq")
        else:
            family = names.family_of(members[0].spec.name)
            name = family or _own_label(members[0]) or members[0].spec.name
            if name in named:
                name = f"{name}_{i}"
            elif (
                family is None
                and name == members[0].spec.name
                and any(names.family_of(h[0].spec.name) == "target" for h in homes)
                and len(homes) == 2
            ):
                name = "source"
        named[name] = list(members)
    return named


def _relabel(member: Draft, dimensions: tuple[str, ...]) -> tuple[str | None, ...]:
    labels = list(member.labels)
    for axis, dimension in zip(
        member.padded, dimensions if len(dimensions) == len(member.padded) else dimensions * 4, strict=False
    ):
        labels[axis] = dimension
    return tuple(labels)


def _place(
    draft: Draft,
    homes: dict[str, list[Draft]],
    labels: dict[str, tuple[str | None, ...]],
    domains: dict[str, str | None],
    dimensions: dict[str, tuple[str, ...]],
) -> None:
    """Put a mask, length, position or segment input beside the content it belongs to."""
    if not homes:
        return
    ranked = sorted(homes, key=lambda name: -_kinship(draft, name, homes[name]))
    home = ranked[0]
    domains[draft.spec.name] = home
    own = dimensions[home]
    if draft.role in (Role.LENGTHS, Role.OTHER):
        return
    if len(draft.padded) == len(own):
        labels[draft.spec.name] = _relabel(draft, own)
    elif len(draft.padded) == 2:  # queries by keys: each axis finds its own dimension
        found = list(draft.labels)
        for axis in draft.padded:
            found[axis] = _dimension_of(draft.shape[axis], homes, dimensions) or own[0]
        labels[draft.spec.name] = tuple(found)
    else:
        labels[draft.spec.name] = _relabel(draft, own[:1])


def _dimension_of(
    symbol: int | str | None, homes: dict[str, list[Draft]], dimensions: dict[str, tuple[str, ...]]
) -> str | None:
    return next(
        (dimensions[n][0] for n, members in homes.items() if symbol is not None and _symbol(members[0]) == symbol), None
    )


def _kinship(draft: Draft, home: str, members: Sequence[Draft]) -> float:
    """How well an auxiliary input fits a domain: same rank of padding, same symbol, same family, shared words."""
    score = 0.0
    symbol = _symbol(draft)
    if draft.padded and symbol is not None:
        score += 4.0 * any(symbol in (m.shape[i] for i in m.padded) for m in members)
    if len(draft.padded) == 2 and len(members[0].padded) == 2:
        score += 8.0
    family = names.family_of(draft.spec.name)
    score += 3.0 * (family == (names.family_of(members[0].spec.name) or home))
    mine = {w for m in members for w in _words(m.spec.name)}
    return score + sum(any(_same_stem(a, b) for b in mine) for a in _words(draft.spec.name) - _COMMON)


_COMMON = {"mask", "padding", "key", "attention", "ids", "lengths", "length", "input", "len", "lens"}


def _words(name: str) -> set[str]:
    return {w for w in re.split(r"[_\W\d]+", name.lower()) if w}


def _same_stem(one: str, other: str) -> bool:
    """``mel`` and ``mels``, ``token`` and ``tokens``: one starts with the other."""
    return len(one) >= 3 and len(other) >= 3 and (one.startswith(other) or other.startswith(one))
