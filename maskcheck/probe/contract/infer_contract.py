"""The whole inference: draft from names and structure, run, settle what behaviour can settle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from maskcheck.core.contract import BATCH, Contract, Dimension, Domain, InputContract, OutputKind, Role, Side
from maskcheck.core.errors import LoadError, MaskcheckError, NothingToPadError, RunError, UsageError
from maskcheck.core.model import Model
from maskcheck.core.settings import Overrides
from maskcheck.probe.contract import behaviour, layouts, names, nested, polarity
from maskcheck.probe.contract.grouping import Grouping, group
from maskcheck.probe.contract.structure import Draft, draft

_UNKNOWN_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Inference:
    """A contract and lengths under which the model is known to run."""

    contract: Contract
    lengths: dict[str, int]


def infer(model: Model, overrides: Overrides) -> Inference:
    """Infer the contract of ``model``.

    Raises:
        NothingToPadError: no input could be padded.
        LoadError: the model refuses everything that was tried.
        UsageError: an override names an input or output the model lacks.
    """
    _check_names(model, overrides)
    drafts = draft(model, overrides.inputs)
    failure: RunError | None = None
    for candidate in _candidates(model, drafts, overrides):
        try:
            working = behaviour.find_working(model, candidate)
        except RunError as error:
            failure = failure or error
            continue
        return _settle(model, candidate, working, overrides)
    if failure is None:
        raise NothingToPadError(
            f"{model.info.path} has nothing to pad: {_why_nothing(drafts)}.",
            hint="If it is padded all the same, say which input and axis: --input NAME=features,dims=batch:seq:-.",
        )
    raise LoadError(
        f"{model.info.path} refused every batch and length tried; its reason: {failure.message}",
        hint="State what it needs with --input NAME=ROLE,dims=...,fill=..., or in a file with --contract FILE "
        "(maskcheck inspect MODEL --write contract.toml shows the layout).",
    )


def infer_inner(model: Model, found: Inference, overrides: Overrides) -> Inference | None:
    """The same model with the inner length of nested ids padded instead; ``None`` without one, or if it is refused."""
    candidate = nested.inner(model, found.contract, found.lengths)
    if candidate is None:
        return None
    try:
        return _settle(model, candidate, behaviour.find_working(model, candidate), overrides)
    except MaskcheckError:
        return None


def _check_names(model: Model, overrides: Overrides) -> None:
    for kind, stated, specs in (
        ("input", overrides.inputs, model.inputs),
        ("output", overrides.outputs, model.outputs),
    ):
        known = {s.name for s in specs}
        if unknown := sorted(set(stated) - known):
            raise UsageError(
                f"{model.info.path} has no {kind} {unknown[0]!r}.", hint=f"It has {', '.join(sorted(known))}."
            )


def _why_nothing(drafts: Sequence[Draft]) -> str:
    if not drafts:
        return "it has no inputs"
    images = [d for d in drafts if len(d.shape) == 4 and d.role is Role.FEATURES]
    if images:
        return f"{images[0].spec.name} is an image without a pixel mask"
    shapes = ", ".join(f"{d.spec.name} {list(d.shape)}" for d in drafts[:4])
    return f"no input has a length that could vary, and none holds token ids or a mask ({shapes})"


def _candidates(model: Model, drafts: Sequence[Draft], overrides: Overrides) -> Iterable[Contract]:
    """Contracts worth running, the likeliest first."""
    seen = []
    variants = [drafts]
    if any(_swappable(d) for d in drafts):
        variants.append([_swapped(d) if _swappable(d) else d for d in drafts])
    for variant in variants:
        usable = _paddable(variant)
        for merge_all in (False, True):
            grouping = group(usable, merge_all=merge_all)
            if not grouping.dimensions:
                continue
            contract = _contract(model, usable, grouping, overrides)
            if contract not in seen:
                seen.append(contract)
                yield contract


def _swappable(d: Draft) -> bool:
    return d.role is Role.FEATURES and len(d.shape) == 3 and not d.batch_declared and d.labels[:2] == (BATCH, "?")


def _swapped(d: Draft) -> Draft:
    return replace(d, labels=("?", BATCH, *d.labels[2:]), reasons=(*d.reasons, "time before batch"))


def _paddable(drafts: Sequence[Draft]) -> list[Draft]:
    """Drop the padding of content that nobody pads: values of one fixed size per row, and images without a pixel
    mask.
    """
    marked = _marked(drafts)
    found = []
    for d in drafts:
        image = len(d.shape) == 4 and len(d.padded) < 2 and not any(names.is_time(s) for s in d.shape)
        tabular = len(d.shape) == 2 and not d.dynamic
        if d.role is Role.FEATURES and not _is_stated(d) and not marked and (tabular or image):
            d = replace(d, role=Role.OTHER, labels=tuple(BATCH if x == BATCH else None for x in d.labels))
        found.append(d)
    return found


_DECLARES = ("onnx", "pt2", "saved-model", "keras", "keras-h5", "keras-weights")
"""Formats that declare which sizes are free; of live modules every size is tried."""


def _marked(drafts: Sequence[Draft]) -> bool:
    """Whether a mask, lengths, or a layer that looks for padding say that something is padded."""
    return any(d.role.marks_padding or d.masked_by is not None for d in drafts)


def _is_stated(d: Draft) -> bool:
    return any(label not in (BATCH, None, "?") for label in d.labels)


def _assumed(model: Model, drafts: Sequence[Draft], grouping: Grouping, domain: str) -> bool:
    """Content that nothing says is padded, and that nobody stated to be.

    Features of one fixed length, without mask or lengths; or of whatever length runs, beside other inputs that do have
    a mask. Ids of one fixed length, beside a sequence that varies and has one: the fields of a form. And what is not
    padded in the example, where others are.
    """
    members = [d for d in drafts if grouping.domains[d.spec.name] == domain]
    if any(_is_stated(d) for d in members) or _tells(members):
        return False
    bare = model.info.hints.get("unpadded", ())
    if members and all(d.spec.name in bare for d in members):
        return True
    free = any(d.dynamic for d in members)
    if all(d.role is Role.TOKENS for d in members):
        return not free and _tells([d for d in drafts if d not in members and d.dynamic])
    if not all(d.role is Role.FEATURES for d in members):
        return False
    return not free or (_tells(drafts) and model.info.format not in _DECLARES)


def _tells(drafts: Sequence[Draft]) -> bool:
    """Whether a mask, lengths, or what the content is compared with tells where padding is."""
    return _marked(drafts) or any(d.ids_carry_mask for d in drafts)


def _contract(model: Model, drafts: Sequence[Draft], grouping: Grouping, overrides: Overrides) -> Contract:
    inputs = tuple(_input(model, d, grouping, _stated_of(d, overrides)) for d in drafts)
    domains = tuple(
        _domain(
            model,
            name,
            dims,
            grouping,
            overrides,
            _assumed(model, drafts, grouping, name),
            None if _is_waveform(drafts, grouping, name) else _longest(model),
        )
        for name, dims in grouping.dimensions.items()
    )
    batches = {d.shape[i] for d in drafts for i, label in enumerate(d.labels) if label == BATCH}
    fixed = {b for b in batches if isinstance(b, int)}
    batch = overrides.fixed_batch or (fixed.pop() if len(fixed) == 1 and len(batches) == 1 else None)
    return Contract(domains, inputs, (), batch)


def _stated_of(d: Draft, overrides: Overrides) -> Mapping[str, Any]:
    """What flags or a file say of one input; the general pad value goes to content that has none of its own."""
    general = overrides.pad_value is not None and d.role.is_content
    return {**({"pad_value": overrides.pad_value} if general else {}), **overrides.inputs.get(d.spec.name, {})}


def _is_waveform(drafts: Sequence[Draft], grouping: Grouping, domain: str) -> bool:
    """Whether a domain counts samples of a signal: far more of them than the positions a model has room for."""
    content = [d for d in drafts if d.role.is_content and grouping.domains[d.spec.name] == domain]
    return bool(content) and all(d.role is Role.FEATURES and len(d.shape) == 2 for d in content)


def _longest(model: Model) -> int | None:
    """The longest sequence that the configuration beside the model names."""
    known = ("max_position_embeddings", "model_max_length", "max_length")
    longest = [int(v) for k, v in model.info.hints.items() if k in known]
    # Position tables often reserve their first rows (two in RoBERTa), so the declared maximum is not quite reachable.
    return max(4, min(longest) - 2) if longest else None


def _domain(
    model: Model,
    name: str,
    dims: Sequence[str],
    grouping: Grouping,
    overrides: Overrides,
    assumed: bool,
    maximum: int | None,
) -> Domain:
    stated = {**({"side": overrides.side} if overrides.side else {}), **overrides.domains.get(name, {})}
    hinted = model.info.hints.get("padding_side")
    side = Side(stated.get("side", hinted if hinted in ("left", "right") else "right"))
    dimensions = tuple(
        Dimension(d, **{"fixed": grouping.fixed.get(d), "maximum": maximum, **overrides.dimensions.get(d, {})})
        for d in dims
    )
    return Domain(name, dimensions, side, assumed)


def _input(model: Model, d: Draft, grouping: Grouping, stated: Mapping[str, Any]) -> InputContract:
    labels = grouping.labels[d.spec.name]
    shape = tuple(0 if label is not None else _free_size(d, i) for i, label in enumerate(labels))
    pad_value, why = _pad_value(model, d)
    known = {f.name for f in fields(InputContract)} - {"name", "dtype", "role", "dims", "inferred_from"}
    extra = {k: v for k, v in stated.items() if k in known}
    if unknown := sorted(set(stated) - known - {"role", "dims"}):
        raise UsageError(
            f"Input {d.spec.name!r} has no setting {unknown[0]!r}.", hint=f"Known: {', '.join(sorted(known))}."
        )
    if "shape" in extra:
        extra["shape"] = tuple(extra["shape"])
    values: dict[str, Any] = {
        "name": d.spec.name,
        "role": d.role,
        "dtype": d.spec.dtype,
        "dims": labels,
        "shape": shape,
        "domain": grouping.domains[d.spec.name],
        "inferred_from": "; ".join((*d.reasons, *([why] if why else []))),
        "pad_value": pad_value,
        "vocabulary": d.vocabulary,
        "ids_carry_mask": d.ids_carry_mask,
        "fill": _setting(d),
    }
    return InputContract(**{**values, **extra})


def _free_size(d: Draft, axis: int) -> int:
    size = d.shape[axis]
    if isinstance(size, int):
        return size
    if names.is_past(size) or (d.role is Role.OTHER and names.is_time(size) and "+" in str(size)):
        return 0
    return 1 if d.role is Role.OTHER else _UNKNOWN_WIDTH


def _setting(d: Draft) -> float | int | bool | None:
    """A harmless constant for inputs that hold no content: caches start empty, switches off, scalars at one."""
    if d.role is not Role.OTHER or d.is_padded_length:
        return None
    if names.role_of(d.spec.name) is Role.OTHER:
        return 0
    if d.spec.dtype == "bool":
        return False
    return 1 if not d.shape else None


def _pad_value(model: Model, d: Draft) -> tuple[float | int | None, str]:
    if d.masked_by is not None:
        return d.masked_by, f"pad {d.masked_by}: a layer takes steps that are all {d.masked_by} for padding"
    same = {value for value in d.equals if np.isfinite(value)}
    if d.role is Role.FEATURES and len(same) == 1 and same != {0}:
        return (value := same.pop()), f"pad {value:g}: the model looks for exactly this value"
    if d.role in (Role.FEATURES, Role.SEGMENTS, Role.POSITIONS):
        return 0, ""
    if d.role is not Role.TOKENS:
        return None, ""
    hinted = model.info.hints.get("pad_token_id")
    if isinstance(hinted, int) and not isinstance(hinted, bool) and 0 <= hinted < (d.vocabulary or hinted + 1):
        return hinted, f"pad {hinted} from the configuration beside the model"
    if d.padding is not None:
        return d.padding, f"pad {d.padding}: the row that its embedding keeps for padding"
    usable = sorted({int(c) for c in d.compared if float(c).is_integer() and 0 <= c < (d.vocabulary or np.inf)})
    if len(usable) == 1:
        return usable[0], f"pad {usable[0]}: the model compares ids with it"
    return (
        (0, "pad 0 by convention")
        if not usable
        else (usable[0], f"pad {usable[0]}: the first of several ids it compares with")
    )


def _settle(model: Model, contract: Contract, working: behaviour.Working, overrides: Overrides) -> Inference:
    contract, working = behaviour.settle_batch(model, contract, working)
    contract, working = behaviour.settle_lengths(model, contract, working)
    contract = behaviour.settle_outputs(model, contract, working)
    working = behaviour.widen(model, contract, working)
    contract = _minima(contract, working)
    stated = [
        name
        for name, fields_ in overrides.inputs.items()
        if "valid_when" in fields_ or fields_.get("role") == "additive_mask"
    ]
    contract = polarity.settle(model, contract, working.lengths, stated)
    contract = layouts.settle(model, contract, working)
    return Inference(_with_outputs(contract, overrides), working.lengths)


def _minima(contract: Contract, working: behaviour.Working) -> Contract:
    """Remember the length from which on outputs are worth comparing, when it is longer than usual."""
    changes = {
        name: {"minimum": length}
        for name, length in working.lengths.items()
        if not contract.dimensions[name].fixed and length > 2 * behaviour.FIRST_LENGTH + 4
    }
    return behaviour.with_dimensions(contract, changes) if changes else contract


def _with_outputs(contract: Contract, overrides: Overrides) -> Contract:
    outputs = []
    for spec in contract.outputs:
        stated = overrides.outputs.get(spec.name, {})
        if "dims" in stated:
            dims = tuple(None if x in ("", "-", None) else x for x in stated["dims"])
            spec = replace(spec, dims=dims, inferred_from="stated")
        if "kind" in stated:
            spec = replace(spec, kind=OutputKind(stated["kind"]), inferred_from="stated")
        outputs.append(spec)
    return replace(contract, outputs=tuple(outputs))
