"""What every layer call does with the mask that travels beside its input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from maskcheck.core.model import MaskFate, MaskStep
from maskcheck.ir.dependence import reads_size_only
from maskcheck.ir.graph import Site
from maskcheck.ir.static_fact import FactKind, StaticFact
from maskcheck.loaders.keras.layer_calls import LayerCall
from maskcheck.loaders.keras.tensors import identity, mask_of, pack_like, read, replace_values, tensors_in

_LACKS = "one of its inputs carries no mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    step: MaskStep
    place: str
    outputs: tuple[int, ...] = ()
    raw: bool = False
    widened: bool = False


class MaskJourneyRecorder:
    """Steps in the order of the calls. Operators appear only where they lose a mask."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._masked: set[int] = set()

    @property
    def steps(self) -> tuple[MaskStep, ...]:
        return tuple(self._settle(e).step for e in self._entries)

    def facts(self) -> tuple[StaticFact, ...]:
        """Where masks are lost or ignored. ``site`` names the trace's site at that place."""
        kinds = {MaskFate.DROPPED: FactKind.MASK_DROPPED, MaskFate.IGNORED: FactKind.MASK_IGNORED}
        settled = [self._settle(e) for e in self._entries]
        lost = [
            StaticFact(kind=kinds[e.step.fate], site=e.place, detail=e.step.detail)
            for e in settled
            if e.step.fate in kinds
        ]
        return (
            *lost,
            *(StaticFact(kind=FactKind.MASK_DROPPED, site=e.place, detail=e.step.detail) for e in settled if e.widened),
        )

    def meet(self, layer_call: LayerCall) -> None:
        """Note which tensors come to a call with a mask, before the call can take it off."""
        self._masked |= {identity(t) for t in layer_call.masked}

    def _settle(self, entry: _Entry) -> _Entry:
        """A result that reaches a reader with a mask has one: functional models hand some masks over as arguments."""
        kept = {MaskFate.DROPPED: MaskFate.PASSED, MaskFate.CONSUMED: MaskFate.USED}
        step = entry.step
        if step.fate not in kept or entry.raw or not self._masked & set(entry.outputs):
            return entry
        return replace(entry, step=replace(step, fate=kept[step.fate], detail="", warned=False))

    def mark(self) -> int:
        """The place of a call whose inside comes next."""
        return len(self._entries)

    def layer(self, layer_call: LayerCall, site: str, result: Any, values: Sequence[Any], depth: int) -> None:
        """Enter a call that is one site; ``values`` are the tensors of ``result`` as its readers get them."""
        fate = _fate(layer_call, result)
        if fate is MaskFate.PASSED and _mixes(layer_call, result):
            fate = MaskFate.IGNORED
        outputs = tuple(identity(t) for t in values)
        widened = layer_call.partly and _widens(layer_call)
        step = _step(layer_call, site, fate, result, depth)
        if widened:
            step = replace(
                step, detail=f"{_who(layer_call, site)} hands on a mask in which pads are real, because {_LACKS}"
            )
        self._entries.append(_Entry(step=step, place=site, outputs=outputs, widened=widened))

    def enclosing(self, mark: int, layer_call: LayerCall, path: str, maker: str, result: Any, depth: int) -> None:
        """Enter a call that was looked into, before what happened inside; ``maker`` is the site that made the result.

        A layer that takes the mask, or hands one on, may well compute on bare tensors inside: that loses nothing. A
        model inside a model only routes masks, so what is lost in there counts, and so does a mask that was made inside
        and never came out.
        """
        fate = _fate(layer_call, result)
        if fate is MaskFate.PASSED and _mixes(layer_call, result):
            fate = MaskFate.IGNORED
        place = path if fate is MaskFate.IGNORED else maker
        inside = self._entries[mark:]
        model = isinstance(layer_call.layer, import_module("keras").Model)
        if not model and (layer_call.used or fate not in (MaskFate.DROPPED, MaskFate.NONE)):
            inside = [e for e in inside if not e.raw]
        outputs = tuple(identity(t) for t in tensors_in(result))
        step = _step(layer_call, path, fate, result, depth)
        self._entries[mark:] = [_Entry(step=step, place=place, outputs=outputs), *inside]

    def operator(self, site: Site, operands: Iterable[Any], values: Sequence[Any], depth: int) -> None:
        """Enter an operator that took a masked sequence and left one without a mask."""
        masked = next((t for t in operands if mask_of(t) is not None), None)
        if masked is None or not values or reads_size_only(site.operation) or mask_of(values[0]) is not None:
            return
        shape = tuple(values[0].shape)
        owner = f" in {site.module}" if site.module else ""
        detail = f"the operation {site.operator}{owner} drops the mask, and Keras does not warn of that"
        step = MaskStep(site.name, site.name, site.operator, MaskFate.DROPPED, True, False, False, detail, shape, depth)
        self._entries.append(_Entry(step=step, place=site.name, raw=True))


def _fate(layer_call: LayerCall, result: Any) -> MaskFate:
    outputs = list(tensors_in(result))
    out = any(mask_of(t) is not None for t in outputs)
    if not layer_call.arrived:
        return MaskFate.MADE if out else MaskFate.NONE
    if out:
        return MaskFate.USED if layer_call.used else MaskFate.PASSED
    return MaskFate.CONSUMED if layer_call.used else MaskFate.DROPPED


def _step(layer_call: LayerCall, path: str, fate: MaskFate, result: Any, depth: int) -> MaskStep:
    layer = layer_call.layer
    shape = next((tuple(t.shape) for t in tensors_in(result)), ())
    warned = bool(layer_call.masks) and not layer.supports_masking
    operation = type(layer).__name__
    detail = _detail(layer_call, path, fate, warned)
    return MaskStep(
        path, layer.name, operation, fate, layer_call.arrived, layer_call.partly, warned, detail, shape, depth
    )


def _detail(layer_call: LayerCall, path: str, fate: MaskFate, warned: bool) -> str:
    who = _who(layer_call, path)
    if fate is MaskFate.IGNORED:
        return f"{who} passes the mask on but works across positions without it"
    if fate is not MaskFate.DROPPED:
        remarks = [_LACKS] if layer_call.partly else []
        remarks += ["takes the mask off its input, so other readers get none"] if layer_call.taken_off else []
        return "; ".join(remarks)
    if warned:
        return f"{who} does not support masking and drops the mask (Keras warns of it)"
    if layer_call.partly:
        return f"{who} drops the mask without a warning, because one of its inputs carries none"
    return f"{who} drops the mask without a warning"


def _who(layer_call: LayerCall, path: str) -> str:
    return f"{path} ({type(layer_call.layer).__name__})"


def _widens(layer_call: LayerCall) -> bool:
    """Whether the layer makes a mask that calls steps real which every mask beside its inputs calls padding."""
    hidden = [None if m is None else read(m) & False for m in layer_call.beside]
    try:
        made = layer_call.layer.compute_mask(list(layer_call.data), hidden)
    except Exception:  # whatever a layer of somebody's own may say to masks it did not make
        return False
    return any(bool(np.any(read(m))) for m in tensors_in(made))


def _mixes(layer_call: LayerCall, result: Any) -> bool:
    """Whether a change of the last position of the input reaches other positions of the result."""
    outputs, masks = list(tensors_in(result)), layer_call.masks
    length = masks[0].shape[1] if masks and len(masks[0].shape) > 1 else 0
    if not length or not outputs or len(outputs[0].shape) < 2 or outputs[0].shape[1] != length:
        return False
    changed = [_move_last(t, length) for t in layer_call.data]
    called = layer_call.invocation
    if not changed or any(c is None for c in changed) or any(True for _ in tensors_in(called.kwargs)):
        return False
    try:
        again = replace(called, args=pack_like(called.args, changed)).run()
    except Exception:  # a layer may refuse any second call; then nothing is known
        return False
    before, after = read(outputs[0]), read(next(tensors_in(again)))
    return before.shape == after.shape and not np.array_equal(before[:, :-1], after[:, :-1], equal_nan=True)


def _move_last(tensor: Any, length: int) -> Any:
    value = read(tensor)
    if value.ndim < 2 or value.shape[1] != length or not np.issubdtype(value.dtype, np.floating):
        return None
    value = value.copy()
    noise = np.random.default_rng(0).standard_normal(value[:, -1].shape)
    value[:, -1] += noise.astype(value.dtype)
    return replace_values(tensor, value)
