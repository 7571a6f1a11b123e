"""Findings as blocks: what leaks, where in the code, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from maskcheck.core.report import Finding, Severity
from maskcheck.ir.graph import Site
from maskcheck.report.canvas import clean, flow, hanging, indented, joined, prose, shorten, shorten_start, spread, words
from maskcheck.report.quantities import deviations, percent, plural, quantity

INDENT = 7
MOST_SHOWN = 12
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def finding_blocks(findings: Sequence[Finding], width: int, verbose: bool = False) -> list[RenderableType]:
    """Return the worst first. Past ``MOST_SHOWN`` the rest is counted, unless ``verbose``."""
    ranked = sorted(findings, key=lambda finding: list(Severity).index(finding.severity))
    shown = ranked if verbose else ranked[:MOST_SHOWN]
    blocks: list[RenderableType] = []
    for position, finding in enumerate(shown):
        brief = finding.severity is Severity.INFO
        if position and not (brief and shown[position - 1].severity is Severity.INFO):
            blocks.append(Text())
        blocks += [_brief(finding, width)] if brief else _full(finding, width, verbose)
    if len(shown) < len(ranked):
        blocks += [Text(), words(f"and {plural(len(ranked) - len(shown), 'further finding')}: -v shows them all")]
    return blocks


def title(finding: Finding) -> str:
    return finding.name.replace("-", " ")


def source_line(site: Site) -> str:
    """Return ``file:line``, or nothing where the source is not known."""
    return f"{clean(site.source.file)}:{site.source.line}" if site.source else ""


def _brief(finding: Finding, width: int) -> RenderableType:
    room = width - INDENT
    place = f" at {shorten(clean(finding.site.name), room // 3)}" if finding.site else ""
    line = f"info: {title(finding)}{place}: {finding.message}"
    text = clean(line)
    cut = text if len(text) <= room else text[: room - 3].rstrip() + "..."
    return hanging(words(finding.rule, STYLES[Severity.INFO]), words(cut, limit=room), INDENT)


def _full(finding: Finding, width: int, verbose: bool) -> list[RenderableType]:
    room = width - INDENT
    style = STYLES[finding.severity]
    remark = finding.severity.value
    if finding.share is not None:
        remark += f", {share_of(finding.share)}"
    head = hanging(words(finding.rule, style), spread(words(title(finding), "bold"), words(remark, style)), INDENT)
    body: list[RenderableType] = [_place(finding.site, room), words(finding.message), *_why(finding, room)]
    body += [_fix(finding.fix), _measured(finding, room), *_more(finding, room, verbose)]
    return [head, *(indented(block, INDENT) for block in body if not isinstance(block, Text) or len(block))]


def _place(site: Site | None, room: int) -> Text:
    if site is None:
        return words("the model as a whole", "cyan")
    source = shorten_start(source_line(site), room)
    names = [site.module or "", site.operator, site.name if site.name != site.module else ""]
    return flow([words(source, "bold cyan"), *(words(name, "cyan", limit=room) for name in names)], room)


def _why(finding: Finding, room: int) -> list[RenderableType]:
    cause = finding.root_cause
    if cause is None:
        return []
    place = ""
    if cause.site is not None:
        place = shorten_start(source_line(cause.site), room) or shorten(clean(cause.site.name), room)
    return [hanging("cause:", words(f"{cause.reason} ({place})" if place else cause.reason), 7)]


def _fix(fix: str) -> RenderableType:
    text = prose(fix, "green")
    return hanging("mend:", text, 7) if len(text) else text


def _measured(finding: Finding, room: int) -> Text:
    twins = "leaks under " + ", ".join(twin.value for twin in finding.twins) if finding.twins else ""
    noise = quantity(finding.noise_floor, 1)
    size = f"moves the answer {deviations(finding.difference)} (noise {noise})" if finding.difference else ""
    weight = "" if finding.influence is None else f"a pad counts {quantity(finding.influence)} of a real token"
    return flow([words(part, "dim") for part in (twins, size, weight)], room)


def _more(finding: Finding, room: int, verbose: bool) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if finding.related:
        names = [shorten(clean(site.name), room - 9) for site in finding.related]
        shown = names if verbose else names[:2]
        rest = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        lines.append(hanging("also at:", words(", ".join(shown) + rest), 9))
    if finding.interval:
        between = plural(len(finding.interval), "site")
        lines.append(words(f"Somewhere in the {between} before it, which cannot be compared, or here.", "dim"))
    if verbose:
        lines.append(joined([words("fingerprint", "dim"), words(finding.fingerprint[:16], "dim")], "  "))
    return lines


def share_of(share: float) -> str:
    """Say what part of the leak a finding explains; one that explains none leaks by itself all the same."""
    return f"explains {percent(share)} of the leak" if share else "leaks too, hidden behind the others"
