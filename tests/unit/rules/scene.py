"""Builds evidence by hand: an origin, what it reads and makes, its neighbours, and the twins that leak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskcheck.core.contract import (
    BATCH,
    Conflict,
    Contract,
    Dimension,
    Domain,
    InputContract,
    OutputContract,
    OutputKind,
    Role,
    Side,
)
from maskcheck.core.evidence import Evidence, Spread, TensorFacts
from maskcheck.core.report import AttentionMap, MaskAxis, TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Settings
from maskcheck.ir.static_fact import StaticFact

TWINS = {
    "c": TwinKind.CONTENT,
    "l": TwinKind.LENGTH,
    "m": TwinKind.MATES,
    "s": TwinKind.SIDE,
    "e": TwinKind.EMPTY,
    "v": TwinKind.VALID,
    "k": TwinKind.MASK,
    "p": TwinKind.POISON,
    "x": TwinKind.PRECISION,
    "r": TwinKind.REPEAT,
}
"""A letter per twin."""

_SIZES = {"B": 2, "T": 12, "S": 14, "D": 16, "H": 4, "K": 3, "1": 1, "R": 24}
"""A letter per axis: B batch, T and S sequences, anything else a fixed size."""


def t(axes: str, **flags: Any) -> TensorFacts:
    """Facts of a tensor whose axes are spelt by letters, as in ``t("BTD")``."""
    return TensorFacts(
        shape=tuple(_SIZES[a] for a in axes),
        sequence_axes=tuple(i for i, a in enumerate(axes) if a in "TS"),
        batch_axis=axes.index("B") if "B" in axes else None,
        **flags,
    )


def weight(axes: str = "DD") -> TensorFacts:
    return t(axes, constant=True)


def step(
    operation: Operation,
    reads: tuple[str, ...] = (),
    makes: tuple[str, ...] = (),
    settings: Settings | None = None,
    *,
    operator: str | None = None,
) -> Site:
    """A neighbour of the origin. The origin reads ``in0``, ``in1`` ... and makes ``out0`` ...

    ``operator`` is what a framework calls the operation; its name in lower case is that of the site.
    """
    called = operator or operation.value
    return Site(
        name=f"/{called.lower()}",
        operator=called,
        operation=operation,
        inputs=reads,
        outputs=makes,
        settings=settings,
    )


def contract(
    roles: tuple[Role, ...],
    side: Side = Side.RIGHT,
    domains: int = 1,
    dimensions: int = 1,
    ids_carry_mask: bool = False,
) -> Contract:
    """A contract whose first domain has one input per role, named after it."""
    names = ["text", "source"][:domains]
    made = tuple(Domain(n, tuple(Dimension(f"{n}{i}") for i in range(dimensions)), side) for n in names)
    inputs = tuple(
        InputContract(
            role.value,
            role,
            "int64",
            (BATCH, "text0"),
            (0, 0),
            "text",
            "made for a test",
            ids_carry_mask=ids_carry_mask and role.is_content,
        )
        for role in roles
    )
    output = OutputContract("answer", OutputKind.POOLED, (BATCH, None), "text", "made for a test")
    return Contract(made, inputs, (output,))


def evidence(
    operation: Operation,
    reads: tuple[TensorFacts, ...] = (),
    makes: tuple[TensorFacts, ...] = (),
    leaks: str = "cls",
    tried: str = "clmse",
    up: tuple[Site, ...] = (),
    down: tuple[Site, ...] = (),
    settings: Settings | None = None,
    operator: str | None = None,
    tensors: Mapping[str, TensorFacts] | None = None,
    roles: tuple[Role, ...] = (Role.TOKENS, Role.MASK),
    side: Side = Side.RIGHT,
    domains: int = 1,
    dimensions: int = 1,
    ids_carry_mask: bool = False,
    framework: str = "onnx",
    format: str = "onnx",
    spread: Spread = Spread.UNIFORM,
    mass: tuple[float, ...] | None = None,
    axis: str = "unknown",
    static: tuple[StaticFact, ...] = (),
    conflicts: tuple[Conflict, ...] = (),
    dead: tuple[float, ...] = (),
    outputs: Mapping[TwinKind, float] | None = None,
    module: str | None = None,
    module_class: str | None = None,
) -> Evidence:
    """An origin in the twins spelt by ``leaks``; those of ``tried`` that are not among them are clean."""
    called = operator or operation.value
    site = Site(
        name=f"/{called.lower()}_origin",
        operator=called,
        operation=operation,
        inputs=tuple(f"in{i}" for i in range(len(reads))),
        outputs=tuple(f"out{i}" for i in range(max(len(makes), 1))),
        module=module,
        module_class=module_class,
        settings=settings,
    )
    known = {f"in{i}": f for i, f in enumerate(reads)} | {f"out{i}": f for i, f in enumerate(makes)}
    at_site = {TWINS[letter]: 0.5 for letter in leaks}
    at_outputs = {TWINS[letter]: 0.0 for letter in tried} | at_site | dict(outputs or {})
    return Evidence(
        site=site,
        twin=TWINS[leaks[0]],
        at_site=at_site,
        at_outputs=at_outputs,
        tensors=known | dict(tensors or {}),
        contract=contract(roles, side, domains, dimensions, ids_carry_mask),
        framework=framework,
        format=format,
        spread=spread,
        upstream=up,
        downstream=down,
        attention=None
        if mass is None
        else AttentionMap(site=site, heads=len(mass), pad_mass=mass, axis=MaskAxis(axis)),
        static=static,
        conflicts=conflicts,
        dead_positions=dead,
        domain="text",
    )


@dataclass(frozen=True, slots=True)
class Case:
    """A leak that ``code`` explains, and a near miss of it that another rule explains."""

    code: str
    leaky: Evidence
    miss: Evidence
    becomes: str
    says: str = ""


def case(code: str, base: Mapping[str, Any], miss: Mapping[str, Any], becomes: str, says: str = "") -> Case:
    """``miss`` overrides a few of the keywords of ``base``; ``says`` is part of the message."""
    return Case(code, evidence(**base), evidence(**{**base, **miss}), becomes, says)
