"""The contract as text: in a line or two for the audit, with every reason for ``maskcheck inspect``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from maskcheck.core.contract import BATCH, Contract, Dimension, InputContract, OutputContract, Role, Side
from maskcheck.core.model import ModelInfo
from maskcheck.report.canvas import hanging, indented, joined, to_text, words
from maskcheck.report.rendering import Rendering

LONGEST_NAME = 28
MOST_SHOWN = 10


def render(contract: Contract, info: ModelInfo, rendering: Rendering) -> str:
    """Return the whole contract, each inference with its reason."""
    blocks: list[RenderableType] = [_heading(info), Text()]
    blocks += [indented(block, 2) for block in _domains(contract)]
    blocks += [indented(block, 2) for block in _with_reasons(contract)]
    blocks += [indented(block, 2) for block in remarks(contract)]
    return to_text(blocks, rendering)


def contract_lines(contract: Contract, verbose: bool = False) -> list[RenderableType]:
    """Return a line for each input and output; past ``MOST_SHOWN`` the rest is counted, unless ``verbose``."""
    rows = _limited([(i.name, describe_input(i)) for i in contract.inputs], "inputs", verbose)
    outputs = _limited([(o.name, describe_output(o)) for o in contract.outputs], "outputs", verbose)
    rows += [(f"-> {name}" if name else "", text) for name, text in outputs]
    return _aligned(rows)


def remarks(contract: Contract) -> list[RenderableType]:
    """Return what was chosen without knowing, and which names the model contradicts."""
    lines: list[RenderableType] = [hanging("chosen:", words(choice), 11) for choice in contract.choices]
    lines += [
        hanging(words("conflict:", "yellow"), words(f"{conflict.input}: {conflict.message}"), 11)
        for conflict in contract.conflicts
    ]
    return lines


def describe_input(spec: InputContract) -> str:
    parts = [f"{spec.role.replace('_', ' ')} {_axes(spec.dims, spec.shape)}"]
    if spec.pad_value is not None:
        parts.append(f"pad {_constant(spec.pad_value)}")
    if spec.valid_when is not None and spec.role is Role.MASK:
        parts.append(f"{spec.valid_when} = real")
    if spec.ids_carry_mask:
        parts.append(f"pads are read off {'the ids' if spec.role is Role.TOKENS else 'its values'}")
    return ", ".join(parts)


def describe_output(spec: OutputContract) -> str:
    return f"{spec.kind} {_axes(spec.dims, ())}"


def _constant(value: float | int | bool) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _axes(dims: Sequence[str | None], shape: Sequence[int]) -> str:
    sizes = (*shape, *(0 for _ in dims[len(shape) :]))
    labels = [label or str(size or "-") for label, size in zip(dims, sizes, strict=False)]
    return f"({', '.join(labels)})"


def _limited(rows: list[tuple[str, str]], noun: str, verbose: bool) -> list[tuple[str, str]]:
    if verbose or len(rows) <= MOST_SHOWN:
        return rows
    return [*rows[:MOST_SHOWN], ("", f"and {len(rows) - MOST_SHOWN} more {noun}")]


def _aligned(rows: Sequence[tuple[str, str]]) -> list[RenderableType]:
    names = [words(name, "bold", limit=LONGEST_NAME) for name, _ in rows]
    indent = max((name.cell_len for name in names), default=0) + 2
    return [hanging(name, words(text), indent) for name, (_, text) in zip(names, rows, strict=True)]


def _heading(info: ModelInfo) -> Text:
    versions = joined([words(f"{name} {version}", "dim") for name, version in info.versions.items()], ", ")
    return joined([words(info.path, "bold"), words(info.format), versions])


def _domains(contract: Contract) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for domain in contract.domains:
        lengths = joined([_length(dimension) for dimension in domain.dimensions], "; ")
        side = "left" if domain.side is Side.LEFT else "right"
        lines.append(hanging("domain:", joined([words(domain.name, "bold"), f"padded on the {side}", lengths]), 10))
    if contract.fixed_batch is not None:
        lines.append(hanging("batch:", words(f"always {contract.fixed_batch} rows"), 10))
    return [*lines, Text()] if lines else []


def _length(dimension: Dimension) -> Text:
    if dimension.fixed is not None:
        return words(f"{dimension.name} always {dimension.fixed}")
    most = "any" if dimension.maximum is None else str(dimension.maximum)
    return words(f"{dimension.name} from {dimension.minimum} to {most} length")


def _with_reasons(contract: Contract) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for name, text, reason in (
        *((i.name, _full_input(i), i.inferred_from) for i in contract.inputs),
        *((f"-> {o.name}", describe_output(o), o.inferred_from) for o in contract.outputs),
    ):
        lines += [joined([words(name, "bold"), words(text)]), indented(hanging("because", words(reason, "dim"), 9), 4)]
    return [*lines, Text()] if lines else []


def _full_input(spec: InputContract) -> str:
    labelled = set(spec.dims) - {BATCH, None}
    parts = [describe_input(spec), spec.dtype]
    if spec.vocabulary is not None:
        parts.append(f"ids below {spec.vocabulary}")
    if spec.fill is not None:
        parts.append(f"filled with {_constant(spec.fill)}")
    if spec.domain is not None and labelled != {spec.domain}:
        parts.append(f"domain {spec.domain}")
    return ", ".join(parts)
