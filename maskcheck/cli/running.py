"""What ``audit`` and ``baseline`` share: which models, with which settings, and what of their findings is accepted."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from maskcheck.cli.guard import say
from maskcheck.cli.options import build_settings, missing_model
from maskcheck.cli.progress import ProgressBar
from maskcheck.core.errors import UsageError

if TYPE_CHECKING:
    from maskcheck.acceptance import Baseline
    from maskcheck.config import Config
    from maskcheck.core.report import ModelReport, Report
    from maskcheck.core.selection import Selection
    from maskcheck.core.settings import Settings

_SILENT = frozenset(
    [
        "models",
        "format_",
        "outputs",
        "output",
        "verbose",
        "quiet",
        "color",
        "fail_on",
        "github",
        "baseline",
        "strict_baseline",
        "reason",
    ]
)
"""Parameters that change what is shown or how it is judged, not what is measured."""


def load_config(flags: Mapping[str, Any]) -> Config:
    """Return the configuration that holds here: the file named, else the nearest, else an empty one.

    Raises:
        UsageError: the file is wrong.
    """
    from maskcheck import config

    if flags["isolated"]:
        return config.Config()
    path = flags["config"] or config.find(Path.cwd())
    if path is None:
        return config.Config()
    return config.read(_near(Path(path)))


def chosen_models(ctx: click.Context, named: Sequence[str], config: Config) -> tuple[str, ...]:
    """Return the models named, or those of the configuration.

    Raises:
        UsageError: there are none, or a pattern of the configuration fits no file, so that a model moved away would
            pass its gate unseen.
    """
    if named:
        return tuple(named)
    if not config.models:
        raise click.UsageError("Missing argument 'MODEL...'.", ctx)
    if empty := config.without_a_model():
        raise UsageError(
            f"Reading {config.source}: nothing fits path = {empty[0]!r}.",
            hint="Build the model first, or mend the path; it is relative to the file it is in.",
        )
    return tuple(config.paths())


def settings_for(ctx: click.Context, flags: Mapping[str, Any], config: Config, path: str) -> Settings:
    """Return the settings for one model: the default, over it the file, over it the flags that were given."""
    from_file = {k: v for k, v in config.options(path).items() if k in flags and not _given(ctx, k)}
    return build_settings({**flags, **from_file})


def flags_given(ctx: click.Context) -> tuple[str, ...]:
    """Return the flags on the command line that change what is measured, as they would be typed again."""
    words: list[str] = []
    for parameter in ctx.command.params:
        if not isinstance(parameter, click.Option) or parameter.name is None or parameter.name in _SILENT:
            continue
        if parameter.name not in ctx.params or not _given(ctx, parameter.name):
            continue
        name, value = max(parameter.opts, key=len), ctx.params[parameter.name]
        if parameter.is_flag:
            words += [name] if value else []
        else:
            for item in value if isinstance(value, tuple) else (value,):
                words += [name, str(item)]
    return tuple(words)


def run(models: Sequence[str], settings: Sequence[Settings], quiet: bool) -> Report:
    """Audit each model with its settings; those that are not there become reports of a usage error.

    Raises:
        UsageError: none is there.
    """
    missing = {path: error for path in models if (error := missing_model(path)) is not None}
    present = [(path, own) for path, own in zip(models, settings, strict=True) if path not in missing]
    if not present:
        raise missing[models[0]]
    from maskcheck.core.report import ModelReport, Outcome

    reports = _audited(present, quiet)
    found = iter([model for report in reports for model in report.models])
    everything: list[ModelReport] = [
        ModelReport(
            path=path,
            sha256=None,
            format="unknown",
            outcome=Outcome.ERROR,
            reason=str(missing[path]),
            usage_error=True,
        )
        if path in missing
        else next(found)
        for path in models
    ]
    return dataclasses.replace(reports[0], models=tuple(everything))


def accept(report: Report, config: Config, baseline: Baseline | None, selection: Selection | None = None) -> Report:
    """Set apart the findings that the command line, the configuration or the baseline accepts."""
    from maskcheck import acceptance
    from maskcheck.core.selection import Selection

    chosen = selection or Selection()

    def judged(model: ModelReport) -> ModelReport:
        policy = dataclasses.replace(config.policy(model.path), selection=chosen)
        return acceptance.apply(model, policy, baseline)

    return dataclasses.replace(report, models=tuple(map(judged, report.models)))


def tell_failures(report: Report) -> None:
    """Say on stderr which models could not be audited, and why."""
    for model in report.models:
        if model.outcome not in ("clean", "leaky"):
            say(f"maskcheck: {model.path}: {model.outcome}: {model.reason or 'no reason given'}")


def _audited(present: Sequence[tuple[str, Settings]], quiet: bool) -> list[Report]:
    """Audit neighbours with the same settings together, in the order given."""
    from maskcheck import auditing as use_case

    groups: list[tuple[Settings, list[str]]] = []
    for path, settings in present:
        if not groups or groups[-1][0] != settings:
            groups.append((settings, []))
        groups[-1][1].append(path)
    # What a framework prints while it loads must not end up inside the report.
    with contextlib.redirect_stdout(sys.stderr), ProgressBar(quiet) as progress:
        return [use_case.audit(paths, settings, progress) for settings, paths in groups]


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def _near(path: Path) -> Path:
    """Return the path as the user would write it."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
