"""The leak map as a tree: neighbouring layers of one module under one branch."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby, takewhile

from maskcheck.core.report import LayerState, Reach
from maskcheck.report.canvas import clean
from maskcheck.report.drawings import overlaid, strip

MOST_LAYERS = 400
LONGEST_RUN = 4
MOST_OPEN = 2
MEANINGS = {
    Reach.CLEAN: "clean",
    Reach.ORIGIN: "padding gets in here",
    Reach.DIRTY: "padding inside",
    Reach.OPAQUE: "cannot be compared",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One stretch: its state, the state of what comes before it, and a shade for each valid position where known."""

    name: str
    state: Reach
    before: Reach
    meaning: str
    shades: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A module and its stretches; ``open`` where padding first gets in. A single stretch is a branch of its own.

    ``shades`` are the darkest of its stretches.
    """

    name: str
    state: Reach
    before: Reach
    meaning: str
    leaves: tuple[Leaf, ...]
    open: bool
    shades: tuple[int, ...]


def branches(layers: Sequence[LayerState]) -> tuple[Branch, ...]:
    """Return the layers in order. Of more than ``MOST_LAYERS`` the clean ones in a row are merged first."""
    kept = layers if len(layers) <= MOST_LAYERS else _merged(layers)[:MOST_LAYERS]
    leaves = _leaves(kept)
    grown = [_branch(list(run)) for _, run in groupby(leaves, key=lambda leaf: module(leaf.name))]
    folded = [branch for state, run in groupby(grown, key=lambda b: b.state) for branch in _run(state, list(run))]
    entered = [i for i, branch in enumerate(folded) if branch.state is Reach.ORIGIN][:MOST_OPEN]
    return tuple(replace(branch, open=i in entered) for i, branch in enumerate(folded))


def module(name: str) -> str:
    """Return the part of a dotted or slashed name up to its first number, or its first part."""
    separator = "." if "." in name else "/"
    parts = [part for part in name.split(separator) if part]
    end = next((i for i, part in enumerate(parts) if part.isdecimal()), 0)
    return separator.join(parts[: end + 1]) or name


def by_module(layers: Sequence[LayerState]) -> list[LayerState]:
    """Return neighbouring layers of one module as one, without their positions; its worst state is its state."""
    return [
        LayerState(name, _worst({layer.state for layer in run}))
        for name, run in ((n, list(r)) for n, r in groupby(layers, key=lambda layer: module(layer.name)))
    ]


def _worst(states: Set[Reach]) -> Reach:
    known = (Reach.ORIGIN, Reach.DIRTY, Reach.CLEAN)
    return next((state for state in known if state in states), Reach.OPAQUE)


def _common(names: Sequence[str]) -> str:
    """Return the module that all names lie in, the name itself where there is one."""
    shared = zip(*(name.split(".") for name in names), strict=False)
    return ".".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, shared))


def _leaves(layers: Sequence[LayerState]) -> list[Leaf]:
    leaves: list[Leaf] = []
    before = Reach.CLEAN
    for layer in layers:
        state = layer.state if layer.state in MEANINGS else Reach.OPAQUE
        leaves.append(Leaf(clean(layer.name), state, before, MEANINGS[state], strip(layer.positions)))
        # What cannot be compared says nothing of what flows on.
        before = {Reach.ORIGIN: Reach.DIRTY, Reach.OPAQUE: before}.get(state, state)
    return leaves


def _branch(leaves: list[Leaf]) -> Branch:
    states = {leaf.state for leaf in leaves}
    state = _worst(states)
    name = _common([leaf.name for leaf in leaves]) or module(leaves[0].name)
    origins = sum(leaf.state is Reach.ORIGIN for leaf in leaves)
    meaning = f"padding gets in at {origins} places" if origins > 1 else MEANINGS[state]
    return Branch(name, state, leaves[0].before, meaning, tuple(leaves), False, _shades(leaves))


def _shades(leaves: Sequence[Leaf]) -> tuple[int, ...]:
    return overlaid([leaf.shades for leaf in leaves])


def _run(state: Reach, run: list[Branch]) -> list[Branch]:
    """Fold a long run of branches in one state into one; where padding gets in, every branch stays."""
    if state is Reach.ORIGIN or len(run) <= LONGEST_RUN:
        return run
    leaves = tuple(leaf for branch in run for leaf in branch.leaves)
    name = f"{run[0].name} to {run[-1].name}"
    return [Branch(name, state, run[0].before, MEANINGS[state], leaves, False, _shades(leaves))]


def _merged(layers: Sequence[LayerState]) -> list[LayerState]:
    merged: list[LayerState] = []
    for state, run in groupby(layers, key=lambda layer: layer.state):
        members = list(run)
        if state is Reach.ORIGIN or len(members) < 3:
            merged += members
        else:
            merged.append(LayerState(f"{members[0].name} to {members[-1].name} ({len(members)})", state))
    return merged
