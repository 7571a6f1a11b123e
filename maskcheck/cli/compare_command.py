"""``maskcheck compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maskcheck.cli.exits import LEAK, NOT_AUDITED, OK, USAGE
from maskcheck.cli.guard import say
from maskcheck.cli.options import config_options, contract_options, display_options
from maskcheck.cli.output import check_output, emit, rendering, write
from maskcheck.cli.running import accept, load_config, run, settings_for, tell_failures


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    help="auto is json where FILE ends in .json, else console.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the comparison there.")
@contract_options
@click.option("--require", multiple=True, metavar="TWIN,...", help="As for audit.")
@click.option("--inputs", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="As for audit.")
@click.option("--samples", type=click.IntRange(min=1), help="As for audit.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="As for audit.")
@config_options
@display_options
@click.pass_context
def compare(ctx: click.Context, /, before: str, after: str, format_: str, output: Path | None, **flags: Any) -> None:
    """Audit a model BEFORE and AFTER an export or a quantisation, and show what padding does to one but not the other.

    Flags hold for both. Exits with 1 when AFTER leaks where BEFORE does not, or ten times as much; a leak that both
    have is no difference.
    """
    from maskcheck.core.comparison import compare as compare_reports
    from maskcheck.report import comparison_view

    if output is not None:
        check_output(output)
    config = load_config(flags)
    settings = [settings_for(ctx, flags, config, path) for path in (before, after)]
    verbosity = flags["verbose"] - flags["quiet"]
    report = accept(run((before, after), settings, quiet=verbosity < 0), config, None)
    comparison = compare_reports(*report.models)
    as_json = format_ == "json" or (format_ == "auto" and output is not None and output.suffix.lower() == ".json")
    if as_json:
        text = comparison_view.render_json(comparison, report.version)
    else:
        text = comparison_view.render(comparison, rendering(flags["color"], verbosity, output is not None))
    if output is None:
        emit(text)
    else:
        write(output, text)
        if verbosity >= 0:
            say(f"Comparison: {output}")
    tell_failures(report)
    if comparison.worse:
        ctx.exit(LEAK)
    if any(model.usage_error for model in report.models):
        ctx.exit(USAGE)
    ctx.exit(OK if comparison.comparable else NOT_AUDITED)
