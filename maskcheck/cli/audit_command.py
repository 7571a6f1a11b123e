"""``maskcheck audit``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskcheck.cli.exits import LEAK, exit_code
from maskcheck.cli.guard import say
from maskcheck.cli.options import FORMATS, config_options, contract_options, display_options, selection_of
from maskcheck.cli.output import check_output, emit, rendering, write
from maskcheck.cli.running import (
    accept,
    chosen_models,
    flags_given,
    load_config,
    run,
    settings_for,
    tell_failures,
)
from maskcheck.cli.workflow import annotate, in_actions
from maskcheck.core.errors import UsageError
from maskcheck.report.rendering import ENDINGS

if TYPE_CHECKING:
    from maskcheck.core.report import Report

WITH_TEXTS = ("html", "sarif")


@click.command()
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="auto goes by the end of FILE (.html, .json, .jsonl, .md, .sarif, .xml for JUnit), else it is console.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Write the report there. Repeatable, a format each.",
)
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
@click.option("--samples", type=click.IntRange(min=1), help="Sequences to compare (8; 4 for models above 512 MB).")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of generated inputs.")
@click.option("--training", is_flag=True, help="Compare loss, metrics and gradients with and without pads as well.")
@click.option(
    "--loss",
    metavar="MODULE:FUNCTION",
    help="The loss of a PyTorch module, of its outputs and labels, for --training; also PATH.py:FUNCTION.",
)
@click.option("--no-explain", is_flag=True, help="Stop at the verdict; name no layers.")
@click.option("--select", multiple=True, metavar="CODE,...", help="Rules that count, by code or its beginning: MC1.")
@click.option("--ignore", multiple=True, metavar="CODE,...", help="Rules that do not count; the longer code wins.")
@click.option("--baseline", type=click.Path(), metavar="FILE", help="Known findings, which do not gate.")
@click.option("--strict-baseline", is_flag=True, help="Fail too when something accepted is found no more.")
@click.option("--github/--no-github", default=True, help="Annotate the run and its summary in GitHub Actions.")
@config_options
@display_options
@click.pass_context
def audit(
    ctx: click.Context, /, models: tuple[str, ...], format_: str, outputs: tuple[Path, ...], **flags: Any
) -> None:
    """Audit MODELs: does padding change their answers, and where does it get in?

    Without MODELs, those of the configuration: [[tool.maskcheck.models]] in pyproject.toml.
    """
    from maskcheck import acceptance

    targets = _targets(format_, outputs)
    config = load_config(flags)
    models = chosen_models(ctx, models, config)
    known = flags["baseline"] or config.baseline
    baseline = acceptance.read(known) if known else None
    selection = selection_of(flags["select"], flags["ignore"])
    settings = [settings_for(ctx, flags, config, path) for path in models]
    verbosity = flags["verbose"] - flags["quiet"]
    report = accept(run(models, settings, quiet=verbosity < 0), config, baseline, selection)
    report = dataclasses.replace(report, flags=flags_given(ctx))
    _deliver(report, targets, flags["color"], verbosity, github=flags["github"] and format_ == "auto")
    code = exit_code(report, settings[0].fail_on)
    stale = any(model.stale for model in report.models)
    ctx.exit(LEAK if not code and stale and flags["strict_baseline"] else code)


def _targets(choice: str, outputs: Sequence[Path]) -> list[tuple[Path | None, str]]:
    """Return where to write in which format; ``None`` is stdout.

    Raises:
        UsageError: a file cannot be written, or one format is asked for in several files.
    """
    if choice != "auto" and len(outputs) > 1:
        raise UsageError(
            f"Writing {len(outputs)} reports as {choice}: they would all be the same.",
            hint="Leave --format away; each file's format goes by the end of its name.",
        )
    targets: list[tuple[Path | None, str]] = []
    for output in outputs:
        path = None if str(output) == "-" else output
        if path is not None:
            check_output(path)
        targets.append((path, choice if choice != "auto" else ENDINGS.get(output.suffix.lower(), "console")))
    return targets or [(None, choice if choice != "auto" else "console")]


def _deliver(
    report: Report, targets: Sequence[tuple[Path | None, str]], color: str, verbosity: int, github: bool
) -> None:
    """Write every report. In a GitHub job the run is annotated too, unless stdout holds something for a machine."""
    from maskcheck.report.registry import REPORTERS

    annotated = github and in_actions(os.environ)
    for path, name in targets:
        text = REPORTERS[name](report, rendering(color, verbosity, path is not None, texts=name in WITH_TEXTS))
        if path is not None:
            write(path, text)
        elif name == "console" and annotated:
            annotate(report, text)
        else:
            emit(text)
    on_stdout = {name for path, name in targets if path is None}
    if annotated and not on_stdout:
        annotate(report)
    if "github" in on_stdout:
        annotate(report, annotations=False)
    if on_stdout != {"console"}:
        tell_failures(report)
    _tell_where(report, [path for path, _ in targets if path is not None], quiet=verbosity < 0)


def _tell_where(report: Report, paths: Sequence[Path], quiet: bool) -> None:
    from maskcheck.report.verdict import summary

    if paths and not quiet:
        say(f"{summary(report)} Report: {', '.join(map(str, paths))}")
