"""The leak map as a tree: neighbouring layers of one module under one branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

from maskcheck.core.report import LayerState
from maskcheck.report.canvas import clean
from maskcheck.report.drawings import strip

MOST_LAYERS = 400
LONGEST_RUN = 4
MEANINGS = {
    "clean": "clean",
    "origin": "padding gets in here",
    "dirty": "padding inside",
    "opaque": "cannot be compared",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One stretch: its state, the state of what comes before it, and a shade for each valid position where known."""

    name: str
    state: str
    before: str
    meaning: str
    shades: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A module and its stretches; ``open`` where padding gets in. A single stretch is a branch of its own."""

    name: str
    state: str
    before: str
    meaning: str
    leaves: tuple[Leaf, ...]
    open: bool


def branches(layers: Sequence[LayerState]) -> tuple[Branch, ...]:
    """Return the layers in order. Of more than ``MOST_LAYERS`` the clean ones in a row are merged first."""
    kept = layers if len(layers) <= MOST_LAYERS else _merged(layers)[:MOST_LAYERS]
    leaves = _leaves(kept)
    grown = [_branch(list(run)) for _, run in groupby(leaves, key=lambda leaf: module(leaf.name))]
    return tuple(branch for state, run in groupby(grown, key=lambda b: b.state) for branch in _run(state, list(run)))


def module(name: str) -> str:
    """Return the part of a dotted or slashed name up to its first number, or its first part."""
    separator = "." if "." in name else "/"
    parts = [part for part in name.split(separator) if part]
    end = next((i for i, part in enumerate(parts) if part.isdecimal()), 0)
    return separator.join(parts[: end + 1]) or name


def _common(names: Sequence[str]) -> str:
    """Return the module that all names lie in, the name itself where there is one."""
    shared = zip(*(name.split(".") for name in names), strict=False)
    return ".".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, shared))


def _leaves(layers: Sequence[LayerState]) -> list[Leaf]:
    leaves: list[Leaf] = []
    before = "clean"
    for layer in layers:
        state = layer.state if layer.state in MEANINGS else "opaque"
        leaves.append(Leaf(clean(layer.name), state, before, MEANINGS[state], strip(layer.positions)))
        # What cannot be compared says nothing of what flows on.
        before = {"origin": "dirty", "opaque": before}.get(state, state)
    return leaves


def _branch(leaves: list[Leaf]) -> Branch:
    states = {leaf.state for leaf in leaves}
    state = next(s for s in ("origin", "dirty", "clean", "opaque") if s in states)
    name = _common([leaf.name for leaf in leaves]) or module(leaves[0].name)
    origins = sum(leaf.state == "origin" for leaf in leaves)
    meaning = f"padding gets in at {origins} places" if origins > 1 else MEANINGS[state]
    return Branch(name, state, leaves[0].before, meaning, tuple(leaves), "origin" in states)


def _run(state: str, run: list[Branch]) -> list[Branch]:
    """Fold a long run of branches in one state into one; where padding gets in, every branch stays."""
    if state == "origin" or len(run) <= LONGEST_RUN:
        return run
    leaves = tuple(leaf for branch in run for leaf in branch.leaves)
    return [Branch(f"{run[0].name} to {run[-1].name}", state, run[0].before, MEANINGS[state], leaves, False)]


def _merged(layers: Sequence[LayerState]) -> list[LayerState]:
    merged: list[LayerState] = []
    for state, run in groupby(layers, key=lambda layer: layer.state):
        members = list(run)
        if state == "origin" or len(members) < 3:
            merged += members
        else:
            merged.append(LayerState(f"{members[0].name} to {members[-1].name} ({len(members)})", state))
    return merged
