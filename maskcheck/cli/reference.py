"""``maskcheck rules``, ``maskcheck explain`` and ``maskcheck schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maskcheck.cli.options import display_options, selection_of
from maskcheck.cli.output import emit, rendering
from maskcheck.core.errors import UsageError

if TYPE_CHECKING:
    from maskcheck.report.rule_text import RuleText


@click.command()
@click.option("--format", "format_", type=click.Choice(["console", "json"]), default="console", show_default=True)
@click.option("--select", multiple=True, metavar="CODE,...", help="Only these, by code or its beginning: MC1.")
@click.option("--ignore", multiple=True, metavar="CODE,...", help="All but these.")
@display_options
def rules(format_: str, select: tuple[str, ...], ignore: tuple[str, ...], **flags: Any) -> None:
    """List every kind of leak that has a name."""
    from maskcheck.report import rule_view
    from maskcheck.rules import all_rules

    selection = selection_of(select, ignore)
    listed = [rule for rule in all_rules() if selection.reason(rule.code) is None]
    if format_ == "json":
        emit(rule_view.render_rules_json(listed))
    else:
        emit(rule_view.render_list(listed, rendering(flags["color"], 0)))


@click.command()
@click.argument("codes", nargs=-1, required=True, metavar="CODE...")
@display_options
def explain(codes: tuple[str, ...], **flags: Any) -> None:
    """Explain rules by code or name: what leaks, why, how to see it, how to mend it."""
    from maskcheck.report import rule_view

    pages = [_find(code) for code in codes]
    emit(rule_view.render_pages(pages, rendering(flags["color"], 0)))


@click.command()
@click.argument("document", type=click.Choice(["report", "comparison"]), default="report")
def schema(document: str) -> None:
    """Print the JSON schema of the JSON report, or of what compare writes."""
    from maskcheck.report.schemas import SCHEMAS

    emit(SCHEMAS[document]())


def _find(wanted: str) -> RuleText:
    from maskcheck.contract_file.schema import closest
    from maskcheck.rules import all_rules

    by_name: dict[str, RuleText] = {}
    for rule in all_rules():
        by_name[rule.code.lower()] = by_name[rule.name.lower()] = rule
    if wanted.lower() in by_name:
        return by_name[wanted.lower()]
    close = closest(wanted, by_name)
    known = f"Did you mean {by_name[close].code} ({by_name[close].name})? " if close else ""
    raise UsageError(f"Explaining {wanted!r}: there is no such rule.", hint=f"{known}maskcheck rules lists them all.")
