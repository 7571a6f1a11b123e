"""``maskcheck audit``."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskcheck.cli.exits import exit_code
from maskcheck.cli.guard import say
from maskcheck.cli.options import FORMATS, build_settings, contract_options, display_options, missing_model
from maskcheck.cli.output import check_output, emit, rendering, write
from maskcheck.cli.progress import ProgressBar

if TYPE_CHECKING:
    from maskcheck.core.report import ModelReport, Report
    from maskcheck.core.settings import Settings


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="auto is json for -o FILE.json, else console.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there.")
@contract_options
@click.option(
    "--require", multiple=True, metavar="TWIN,...", help="Twins that gate besides length and mates: side, content, ..."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="From which severity on the exit code is 1.",
)
@click.option(
    "--inputs",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Recorded inputs to audit with (.npz or .jsonl), instead of generated ones.",
)
@click.option("--samples", type=click.IntRange(min=1), default=8, show_default=True, help="Sequences to compare.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of generated inputs.")
@click.option("--no-explain", is_flag=True, help="Stop at the verdict; name no layers.")
@display_options
@click.pass_context
def audit(ctx: click.Context, /, models: tuple[str, ...], format_: str, output: Path | None, **flags: Any) -> None:
    """Audit MODELs: does padding change their answers, and where does it get in?"""
    from maskcheck.report.registry import REPORTERS

    to_file = output is not None and str(output) != "-"
    if output is not None and to_file:
        check_output(output)
    settings = build_settings(flags)
    verbosity = flags["verbose"] - flags["quiet"]
    report = _run(models, settings, quiet=verbosity < 0)
    name = _format(format_, output)
    text = REPORTERS[name](report, rendering(flags["color"], verbosity, to_file))
    if output is not None and to_file:
        write(output, text)
    else:
        emit(text)
    if to_file or name != "console":
        _tell(report, output if to_file else None, quiet=verbosity < 0)
    ctx.exit(exit_code(report, settings.fail_on))


def _format(choice: str, output: Path | None) -> str:
    if choice != "auto":
        return choice
    return "json" if output is not None and output.suffix.lower() == ".json" else "console"


def _run(models: Sequence[str], settings: Settings, quiet: bool) -> Report:
    """Audit the models that are there; the others become reports of a usage error.

    Raises:
        UsageError: none is there.
    """
    missing = {path: error for path in models if (error := missing_model(path)) is not None}
    present = [path for path in models if path not in missing]
    if not present:
        raise missing[models[0]]
    from maskcheck import audit as use_case
    from maskcheck.core.report import ModelReport, Outcome

    # What a framework prints while it loads must not end up inside the report.
    with contextlib.redirect_stdout(sys.stderr), ProgressBar(quiet) as progress:
        report = use_case.audit(present, settings, progress)
    found = iter(report.models)
    everything: list[ModelReport] = [
        ModelReport(path, None, "unknown", Outcome.ERROR, str(missing[path]), usage_error=True)
        if path in missing
        else next(found)
        for path in models
    ]
    return dataclasses.replace(report, models=tuple(everything))


def _tell(report: Report, output: Path | None, quiet: bool) -> None:
    """Say on stderr what a report that nobody reads now would have shown: failures, and where it went."""
    from maskcheck.report.verdict import summary

    for model in report.models:
        if model.outcome not in ("clean", "leaky"):
            say(f"maskcheck: {model.path}: {model.outcome}: {model.reason or 'no reason given'}")
    if output is not None and not quiet:
        say(f"{summary(report)} Report: {output}")
