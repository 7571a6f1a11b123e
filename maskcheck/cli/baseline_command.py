"""``maskcheck baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maskcheck.cli.exits import NOT_AUDITED, OK, USAGE
from maskcheck.cli.guard import say
from maskcheck.cli.options import config_options, contract_options, display_options
from maskcheck.cli.output import check_output, write
from maskcheck.cli.running import accept, chosen_models, load_config, run, settings_for, tell_failures

DEFAULT = "maskcheck-baseline.json"


@click.command()
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    show_default=True,
    metavar="FILE",
    help="Written anew; reasons in it are kept.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the findings new to the file are accepted.")
@contract_options
@click.option("--require", multiple=True, metavar="TWIN,...", help="As for audit.")
@click.option("--inputs", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="As for audit.")
@click.option("--samples", type=click.IntRange(min=1), help="As for audit.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="As for audit.")
@config_options
@display_options
@click.pass_context
def baseline(ctx: click.Context, /, models: tuple[str, ...], output: Path, reason: str, **flags: Any) -> None:
    """Record the findings of MODELs as known; audit --baseline FILE then gates on new and grown ones alone.

    What is found no more leaves the file; models that are not audited now keep what it says of them.
    """
    from maskcheck import acceptance

    check_output(output)
    config = load_config(flags)
    models = chosen_models(ctx, models, config)
    old = acceptance.read(output) if output.exists() else acceptance.Baseline(folder=output.resolve().parent)
    settings = [settings_for(ctx, flags, config, path) for path in models]
    quiet = flags["quiet"] > 0
    report = accept(run(models, settings, quiet), config, None)
    new = acceptance.record(report.models, old, reason)
    write(output, acceptance.to_text(new))
    tell_failures(report)
    if not quiet:
        added, gone = len(new.entries.keys() - old.entries.keys()), len(old.entries.keys() - new.entries.keys())
        say(f"{output}: {len(new.entries)} known, {added} of them new, {gone} gone.")
    ctx.exit(_code([model.outcome.value for model in report.models], any(m.usage_error for m in report.models)))


def _code(outcomes: list[str], wrong_usage: bool) -> int:
    if wrong_usage:
        return USAGE
    return OK if all(outcome in ("clean", "leaky") for outcome in outcomes) else NOT_AUDITED
