"""Report -> the JSON document that other programs read. ``report.schema.json`` beside this file describes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from maskcheck.core.contract import Contract, InputContract
from maskcheck.core.model import ModelInfo
from maskcheck.core.report import (
    AttentionMap,
    Finding,
    LayerState,
    ModelReport,
    Outcome,
    PassportRow,
    Report,
    Severity,
)
from maskcheck.ir.graph import Site
from maskcheck.report.plain import dump
from maskcheck.report.rendering import Rendering

SCHEMA_VERSION = 1

Document = dict[str, Any]


def render(report: Report, rendering: Rendering | None = None) -> str:
    """Return the report as JSON text; ``rendering`` changes nothing, a machine reads it."""
    return dump(document(report))


def render_contract(contract: Contract, info: ModelInfo) -> str:
    """Return what ``maskcheck inspect`` found as JSON text."""
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "path": info.path,
            "sha256": info.sha256,
            "format": info.format,
            "framework": info.framework,
            "versions": info.versions,
            "contract": contract_document(contract),
            **({"journey": [asdict(step) for step in info.journey]} if info.journey else {}),
        }
    )


def document(report: Report) -> Document:
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "maskcheck", "version": report.version},
        "environment": report.environment,
        "settings": report.settings,
        "models": [_model(model) for model in report.models],
        "summary": {
            "models": len(report.models),
            **{outcome.value: report.outcomes(outcome) for outcome in Outcome},
            "findings": {severity.value: report.findings(severity) for severity in Severity},
        },
    }


def contract_document(contract: Contract) -> Document:
    """Return the contract with its inputs under their domains; ``other_inputs`` belong to none."""
    return {
        "domains": [
            {
                "name": domain.name,
                "side": domain.side,
                "dimensions": [
                    {"name": d.name, "fixed": d.fixed, "minimum": d.minimum, "maximum": d.maximum}
                    for d in domain.dimensions
                ],
                "inputs": [_input(spec) for spec in contract.of(domain.name)],
            }
            for domain in contract.domains
        ],
        "other_inputs": [_input(spec) for spec in contract.inputs if spec.domain is None],
        "outputs": [
            {
                "name": spec.name,
                "kind": spec.kind,
                "axis": spec.axis,
                "dims": spec.dims,
                "domain": spec.domain,
                "inferred_from": spec.inferred_from,
            }
            for spec in contract.outputs
        ],
        "fixed_batch": contract.fixed_batch,
        "choices": contract.choices,
        "conflicts": [
            {"input": c.input, "kind": c.kind, "message": c.message, "evidence": c.evidence} for c in contract.conflicts
        ],
    }


def _input(spec: InputContract) -> Document:
    optional = {
        "pad_value": spec.pad_value,
        "valid_when": spec.valid_when,
        "vocabulary": spec.vocabulary,
        "fill": spec.fill,
    }
    return {
        "name": spec.name,
        "role": spec.role,
        "axis": spec.axis,
        "dims": spec.dims,
        "dtype": spec.dtype,
        "shape": spec.shape,
        **{key: value for key, value in optional.items() if value is not None},
        "ids_carry_mask": spec.ids_carry_mask,
        "inferred_from": spec.inferred_from,
    }


def _model(model: ModelReport) -> Document:
    return {
        "path": model.path,
        "sha256": model.sha256,
        "format": model.format,
        "outcome": model.outcome,
        "reason": model.reason,
        "contract": None if model.contract is None else contract_document(model.contract),
        "passport": [_row(row) for row in model.passport],
        "findings": [_finding(finding) for finding in model.findings],
        "attention": [_attention(weights) for weights in model.attention],
        "layers": [_layer(layer) for layer in model.layers],
        "curve": [{"pads": pads, "difference": difference} for pads, difference in model.curve],
        "notes": model.notes,
        "suppressed": model.suppressed,
        "accepted": [
            {"reason": accepted.reason, "source": accepted.source, "finding": _finding(accepted.finding)}
            for accepted in model.accepted
        ],
        "stale": model.stale,
        "duration_s": model.duration_s,
    }


def _layer(layer: LayerState) -> Document:
    positions = {"positions": layer.positions} if layer.positions else {}
    return {"name": layer.name, "state": layer.state, **positions}


def _row(row: PassportRow) -> Document:
    return {
        "twin": row.twin,
        "variant": row.label,
        "domain": row.domain,
        "status": row.status,
        "gating": row.gating,
        "reason": row.reason,
        "outputs": [
            {
                "name": output.name,
                "difference": output.difference,
                "noise_floor": output.noise_floor,
                "tolerance": output.tolerance,
                "influence": output.influence,
                "decisions_changed": output.decisions_changed,
                "cosine_change": output.cosine_change,
            }
            for output in row.outputs
        ],
    }


def _finding(finding: Finding) -> Document:
    cause = finding.root_cause
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity,
        "site": _site(finding.site),
        "root_cause": None if cause is None else {"site": _site(cause.site), "reason": cause.reason},
        "twins": finding.twins,
        "domain": finding.domain,
        "outputs": finding.outputs,
        "difference": finding.difference,
        "noise_floor": finding.noise_floor,
        "influence": finding.influence,
        "share": finding.share,
        "message": finding.message,
        "fix": finding.fix,
        "fingerprint": finding.fingerprint,
        "related": [_site(site) for site in finding.related],
        "interval": [_site(site) for site in finding.interval],
    }


def _site(site: Site | None) -> Document | None:
    if site is None:
        return None
    source = site.source
    return {
        "name": site.name,
        "operation": site.operator,
        "module": site.module,
        "module_class": site.module_class,
        "source": None if source is None else {"file": source.file, "line": source.line, "function": source.function},
    }


def _attention(weights: AttentionMap) -> Document:
    return {
        "site": _site(weights.site),
        "heads": weights.heads,
        "pad_mass_max": weights.pad_mass_max,
        "pad_mass_mean": weights.pad_mass_mean,
        "pad_mass": weights.pad_mass,
        "axis": weights.axis,
    }
