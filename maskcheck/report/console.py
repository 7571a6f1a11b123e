"""Report -> what a person reads on a terminal. Every state is also said in words: colour only repeats them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from maskcheck.core.report import Accepted, ModelReport, Outcome, Report
from maskcheck.report.attention_view import attention_lines
from maskcheck.report.canvas import clean, flow, hanging, indented, joined, shorten, to_text, words
from maskcheck.report.contract_view import contract_lines, remarks
from maskcheck.report.findings_view import finding_blocks, title
from maskcheck.report.layers_view import layer_lines
from maskcheck.report.passport_view import passport_lines
from maskcheck.report.quantities import plural
from maskcheck.report.rendering import Rendering
from maskcheck.report.verdict import sentence, summary

OUTCOMES = {
    Outcome.CLEAN: ("CLEAN", "bold green"),
    Outcome.LEAKY: ("LEAKY", "bold red"),
    Outcome.SKIPPED: ("SKIPPED", "bold yellow"),
    Outcome.ERROR: ("ERROR", "bold red"),
}
MARGIN = 2
LABEL = 11


def render(report: Report, rendering: Rendering) -> str:
    """Return the report in lines of at most ``rendering.width`` cells."""
    blocks: list[RenderableType] = []
    for model in report.models:
        blocks += _model(model, rendering)
        if rendering.verbosity >= 0:
            blocks.append(Text())
    return to_text([*blocks, words(summary(report))], rendering)


def _model(model: ModelReport, rendering: Rendering) -> Iterator[RenderableType]:
    yield from _verdict(model, rendering.width)
    if rendering.verbosity < 0:
        return
    for section in _sections(model, rendering.width - MARGIN, rendering.verbosity > 0):
        if section:
            yield Text()
            yield indented(Group(*section), MARGIN)


def _verdict(model: ModelReport, width: int) -> Iterator[RenderableType]:
    word, style = OUTCOMES[model.outcome]
    head = flow([words(shorten(clean(model.path), width), "bold"), words(word, style)], width)
    reason = words(sentence(model))
    on_one_line = "\n" not in head.plain and head.cell_len + 3 + reason.cell_len <= width
    if on_one_line:
        yield joined([head, reason])
    else:
        yield head
        yield indented(reason, MARGIN)


def _sections(model: ModelReport, width: int, verbose: bool) -> Iterator[list[RenderableType]]:
    room = width - LABEL
    if model.contract is not None:
        yield [
            *_labelled("reads as", contract_lines(model.contract, verbose)),
            *_labelled("", remarks(model.contract)),
            *_labelled("passport", passport_lines(model.passport, verbose)),
        ]
    else:
        yield _labelled("passport", passport_lines(model.passport, verbose))
    yield layer_lines(model.layers, width, verbose)
    yield finding_blocks(model.findings, width, verbose)
    yield _labelled("attention", attention_lines(model.attention, room, verbose))
    yield [*_notes(model), *_pointer(model)]


def _labelled(label: str, lines: Sequence[RenderableType]) -> list[RenderableType]:
    return [hanging(words(label, "dim"), Group(*lines), LABEL)] if lines else []


def _notes(model: ModelReport) -> list[RenderableType]:
    lines: list[RenderableType] = [hanging(words("note", "dim"), words(note), LABEL) for note in model.notes]
    lines += [hanging(words("accepted", "dim"), words(_accepted(accepted)), LABEL) for accepted in model.accepted]
    more = model.suppressed - len(model.accepted)
    if more > 0:
        lines.append(hanging(words("accepted", "dim"), words(plural(more, "further finding")), LABEL))
    return lines + [hanging(words("stale", "yellow"), words(line), LABEL) for line in model.stale]


def _accepted(accepted: Accepted) -> str:
    finding = accepted.finding
    place = f" at {finding.site.name}" if finding.site is not None else ""
    return f"{finding.rule} {title(finding)}{place}: {accepted.reason} ({accepted.source})"


def _pointer(model: ModelReport) -> list[RenderableType]:
    codes = dict.fromkeys(finding.rule for finding in model.findings)
    return [hanging(words("more", "dim"), words(f"maskcheck explain {' '.join(codes)}"), LABEL)] if codes else []
