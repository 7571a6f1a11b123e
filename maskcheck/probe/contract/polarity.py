"""Which value of a mask marks a real position: what makes pads inert and leaves real tokens alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskcheck.core.contract import BATCH, Conflict, Contract, Domain, InputContract, Role
from maskcheck.core.errors import RunError
from maskcheck.core.model import Array, Model
from maskcheck.probe.compare import difference
from maskcheck.probe.contract import names
from maskcheck.probe.layout import Fill, Padding
from maskcheck.probe.runner import Answers, PaddedBatch, Runner
from maskcheck.probe.samples import change_position, generate

_INERT = {"float16": 2e-2, "bfloat16": 1e-1}
_DECISIVE = 4.0
"""How many times less a pad must count under one reading than under the other before behaviour overrules a weak
name.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a mask input."""

    role: Role
    valid_when: int | None

    @property
    def text(self) -> str:
        return "added to scores, 0 = valid" if self.role is Role.ADDITIVE_MASK else f"{self.valid_when} = valid"


@dataclass(frozen=True, slots=True)
class Response:
    """Differences (in standard deviations) that pads and one real token make at valid positions."""

    pads: float
    token: float

    def inert(self, precision: str) -> bool:
        """Whether pads count for nothing."""
        return self.pads <= _INERT.get(precision, 1e-5)

    def sound(self, precision: str) -> bool:
        return self.inert(precision) and self.token > _INERT.get(precision, 1e-5)

    @property
    def ratio(self) -> float:
        return self.pads / self.token if self.token > 0 else float("inf")


def settle(model: Model, contract: Contract, lengths: dict[str, int], stated: Sequence[str]) -> Contract:
    """Decide the polarity of every mask that nobody stated."""
    for spec in contract.inputs:
        if spec.role.is_mask and spec.domain is not None and spec.name not in stated:
            contract = _settle_one(model, contract, spec, lengths)
    return contract


def _readings(spec: InputContract) -> list[Reading]:
    """Possible readings, the conventional one of the name first."""
    ones, zeros, added = Reading(Role.MASK, 1), Reading(Role.MASK, 0), Reading(Role.ADDITIVE_MASK, None)
    if names.STRONG_VALID.search(spec.name):
        order = [ones, zeros]
    elif names.STRONG_PAD.search(spec.name) or names.WEAK_PAD.search(spec.name):
        order = [zeros, ones]
    else:
        order = [ones, zeros]
    if np.issubdtype(np.dtype(spec.dtype), np.floating):
        order = [added, *order] if spec.role is Role.ADDITIVE_MASK else [*order, added]
    return order


def is_strong(name: str) -> bool:
    return bool(names.STRONG_VALID.search(name) or names.STRONG_PAD.search(name))


def _settle_one(model: Model, contract: Contract, spec: InputContract, lengths: dict[str, int]) -> Contract:
    domain = contract.domain(spec.domain or "")
    found: list[tuple[Reading, Response]] = []
    for reading in _readings(spec):
        tried = _with(contract, spec, reading, "")
        response = _respond(model, tried, domain, lengths)
        if response is not None:
            found.append((reading, response))
        if not found and len(_readings(spec)) == 1:
            break
    if not found:
        return _with(contract, spec, _readings(spec)[0], "by its name")
    precision = model.info.precision
    usual = found[0]
    sound = [pair for pair in found if pair[1].sound(precision)]
    if len(sound) > 1:
        # A mask that is only counted hides pads under both readings; the wrong count follows the number of pads.
        counted = [_number_matters(model, _with(contract, spec, pair[0], ""), domain, lengths) for pair in sound]
        most = max(_INERT.get(precision, 1e-5), _DECISIVE * min(counted))
        sound = [pair for pair, gap in zip(sound, counted, strict=True) if gap <= most]
    if usual in sound:
        return _with(contract, spec, usual[0], f"{usual[0].text}: pads are inert so, real tokens are not")
    if sound and usual[1].inert(precision) and is_strong(spec.name):
        # The one token that was changed counts for little, as a first one does to a recurrence in half precision.
        return _with(contract, spec, usual[0], f"{usual[0].text}: pads are inert so")
    if sound:
        return _contradicted(contract, spec, usual, sound[0])
    best = min(found, key=lambda pair: pair[1].ratio)
    if not is_strong(spec.name) and best[1].ratio * _DECISIVE < usual[1].ratio:
        return _with(contract, spec, best[0], f"{best[0].text}: pads count least so")
    note = f"{spec.name}: {usual[0].text} was chosen by its name; pads reach the answer under every reading"
    chosen = _with(contract, spec, usual[0], f"{usual[0].text}, a choice: pads reach the answer under every reading")
    return replace(chosen, choices=(*chosen.choices, note))


def _contradicted(
    contract: Contract, spec: InputContract, usual: tuple[Reading, Response], sound: tuple[Reading, Response]
) -> Contract:
    additive = sound[0].role is Role.ADDITIVE_MASK
    if not is_strong(spec.name) or additive:
        return _with(contract, spec, sound[0], f"{sound[0].text}: pads are inert only so")
    conflict = Conflict(
        spec.name,
        "inverted-polarity",
        f"{spec.name} is named so that {usual[0].text}, but the model ignores exactly the positions marked valid",
        {"pads_as_named": usual[1].pads, "pads_inverted": sound[1].pads},
    )
    chosen = _with(contract, spec, usual[0], f"{usual[0].text} by its name; the model behaves the other way round")
    return replace(chosen, conflicts=(*chosen.conflicts, conflict))


def _with(contract: Contract, spec: InputContract, reading: Reading, reason: str) -> Contract:
    pad_value = spec.pad_value if reading.role is Role.ADDITIVE_MASK else None
    changed = replace(
        spec,
        role=reading.role,
        valid_when=reading.valid_when,
        pad_value=pad_value,
        inferred_from=f"{spec.inferred_from}; {reason}" if reason else spec.inferred_from,
    )
    return replace(contract, inputs=tuple(changed if i.name == spec.name else i for i in contract.inputs))


def _respond(model: Model, contract: Contract, domain: Domain, lengths: dict[str, int]) -> Response | None:
    """How much pads, and how much one real token, move the answers under ``contract``; ``None``: it does not run."""
    runner = Runner(model, contract)
    own = {d.name for d in domain.dimensions}
    valid = {
        n: (max(1, round(0.6 * v)) if contract.dimensions[n].fixed and n in own else v) for n, v in lengths.items()
    }
    totals = {
        n: (lengths[n] if contract.dimensions[n].fixed else v + max(3, v // 3)) if n in own else lengths[n]
        for n, v in valid.items()
    }
    rows = generate(contract, runner.batch_size(2), valid, seed=3)
    base = Padding(totals)
    try:
        reference = runner.valid(PaddedBatch(rows, replace(base, fill=Fill.RANDOM)))
        pads = runner.valid(_other_pads(contract, domain, PaddedBatch(rows, base), own))
        dimension = domain.dimensions[0].name
        changed = tuple(change_position(contract, row, dimension, 0, seed=5) for row in rows)
        token = runner.valid(PaddedBatch(changed, replace(base, fill=Fill.RANDOM)))
    except RunError:
        return None
    if any(spec.ids_carry_mask for spec in contract.of(domain.name)):
        reference = runner.valid(PaddedBatch(rows, base))
        token = runner.valid(PaddedBatch(changed, base))
    return Response(
        _worst(reference, pads),
        _worst(_elsewhere(contract, reference, dimension), _elsewhere(contract, token, dimension)),
    )


def _number_matters(model: Model, contract: Contract, domain: Domain, lengths: dict[str, int]) -> float:
    """How much another number of pads moves the answers under ``contract``; infinite where the model refuses it."""
    runner = Runner(model, contract)
    own = {d.name for d in domain.dimensions if not d.fixed}
    few, many = ({n: v + more if n in own else v for n, v in lengths.items()} for more in (2, 5))
    rows = generate(contract, runner.batch_size(2), lengths, seed=3)
    try:
        return _worst(runner.valid(PaddedBatch(rows, Padding(few))), runner.valid(PaddedBatch(rows, Padding(many))))
    except RunError:
        return float("inf")


def _other_pads(contract: Contract, domain: Domain, call: PaddedBatch, own: set[str]) -> PaddedBatch:
    """Other content at the pads, or, where ids carry the mask and must stay, another number of pads."""
    if not any(spec.ids_carry_mask for spec in contract.of(domain.name)):
        return PaddedBatch(call.rows, replace(call.padding, fill=Fill.OTHER_RANDOM))
    totals = {n: t + 3 if n in own and not contract.dimensions[n].fixed else t for n, t in call.padding.totals.items()}
    return PaddedBatch(call.rows, replace(call.padding, totals=totals))


def _worst(reference: Answers, other: Answers) -> float:
    return max((difference(reference[name], other[name]) for name in reference), default=0.0)


def _elsewhere(contract: Contract, answers: Answers, dimension: str) -> Answers:
    """Leave out position 0 of sequence outputs: a token always reaches its own position."""
    cut: Answers = {}
    for name, rows in answers.items():
        labels = [label for label in contract.output(name).dims if label != BATCH]
        axes = [i for i, label in enumerate(labels) if label == dimension]
        cut[name] = [_without_first(row, axes) for row in rows]
    return cut


def _without_first(array: Array, axes: Sequence[int]) -> Array:
    for axis in axes:
        if array.shape[axis] > 1:
            array = np.take(array, range(1, array.shape[axis]), axis=axis)
    return array
