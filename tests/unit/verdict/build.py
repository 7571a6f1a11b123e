"""Rows, contracts and origins of a few words, for tests of the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskcheck.core.contract import BATCH, Contract, Dimension, Domain, InputContract, Role
from maskcheck.core.evidence import Evidence, OriginReport, Spread
from maskcheck.core.model import ModelInfo
from maskcheck.core.report import OutputDifference, PassportRow, Status, TwinKind, Variant
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.verdict.evidence import AuditEvidence
from tests.sites import site

FORMS = {TwinKind.LENGTH: Variant.RIGHT, TwinKind.MATES: Variant.BESIDE_LONGER, TwinKind.CONTENT: Variant.PADS}
INFO = ModelInfo("m.onnx", "onnx", None, "onnx")


def row(
    twin: TwinKind,
    status: Status = Status.CLEAN,
    *,
    gating: bool = True,
    reason: str | None = None,
    moved: float | None = None,
    domain: str | None = "text",
    output: str = "answer",
) -> PassportRow:
    """``moved`` is the difference of the only output, in standard deviations; rounding is up to 0.001."""
    shown = () if moved is None else (difference(moved, output),)
    variant = FORMS.get(twin, Variant.ANY)
    return PassportRow(
        twin=twin, variant=variant, domain=domain, status=status, gating=gating, reason=reason, outputs=shown
    )


def difference(moved: float, output: str = "answer") -> OutputDifference:
    return OutputDifference(name=output, difference=moved, noise_floor=1e-6, tolerance=1e-3, influence=moved / 2)


def contract(assumed: bool = False, fixed: int | None = None, **changes: Any) -> Contract:
    """One domain, ``text``, with an input of ids."""
    domain = Domain("text", (Dimension("seq", fixed),), assumed=assumed)
    ids = InputContract("ids", Role.TOKENS, "int64", (BATCH, "seq"), (0, 0), "text", "made for a test")
    return Contract((domain,), (ids,), (), **changes)


def place(name: str = "mean", operation: Operation = Operation.MEAN, operator: str = "ReduceMean") -> Site:
    return site(name, operator, operation, ("x",), (f"{name}.out",))


def origin(
    at: Site | None = None,
    twins: Mapping[TwinKind, float] | None = None,
    *,
    share: float | None = 1.0,
    joint: float | None = 1.0,
    related: tuple[Site, ...] = (),
    domain: str = "text",
) -> OriginReport:
    """An origin that no rule but the last explains unless its operation does."""
    found = dict(twins or {TwinKind.LENGTH: 0.5})
    chosen = at or place()
    evidence = Evidence(
        site=chosen,
        twin=next(iter(found)),
        at_site=found,
        at_outputs=found,
        tensors={},
        contract=contract(),
        framework="onnx",
        format="onnx",
        spread=Spread.UNIFORM,
        domain=domain,
    )
    return OriginReport(evidence=evidence, related=related, share=share, joint=joint, outputs=("answer",))


def measured(passport: list[PassportRow], **further: Any) -> AuditEvidence:
    given: dict[str, Any] = {"info": INFO, "path": "m.onnx", "contract": contract(), **further}
    return AuditEvidence(passport=tuple(passport), **given)
