"""Flags that several commands share, and how flags become settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from maskcheck.cli.guard import TRACEBACK
from maskcheck.core.errors import UsageError
from maskcheck.core.selection import Selection, prefixes
from maskcheck.core.settings import DEFAULT_REQUIRE, Overrides, Settings

FORMATS = ("auto", "console", "json", "jsonl", "html", "sarif", "junit", "github", "markdown")
_SETTINGS = (
    "seed",
    "samples",
    "fail_on",
    "inputs",
    "optimization",
    "provider",
    "trust",
    "factory",
    "custom_objects",
    "training",
    "loss",
)
OPTIMIZATIONS = ("all", "extended", "basic", "disable")


def contract_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Flags that say what the model's inputs mean, and how to open it."""
    return _apply(
        command,
        click.option("--contract", type=click.Path(), metavar="FILE", help="Contract to start from (TOML)."),
        click.option(
            "--input",
            "input_flags",
            multiple=True,
            metavar="NAME=ROLE[,key=value...]",
            help="What an input is, as in feats=features,dims=batch:time:-,pad_value=0. Repeatable; beats --contract.",
        ),
        click.option(
            "--pad-value", metavar="X", callback=_number, help="What fills the padding of tokens and features."
        ),
        click.option("--side", type=click.Choice(["right", "left"]), help="Where the pads stand in deployment."),
        click.option(
            "--optimization", type=click.Choice(OPTIMIZATIONS), default="all", show_default=True, help="Of onnxruntime."
        ),
        click.option(
            "--provider", default="CPUExecutionProvider", show_default=True, metavar="NAME", help="Of onnxruntime."
        ),
        click.option(
            "--factory",
            metavar="MODULE:FUNCTION",
            help="Builds the module or model for a file of weights; also PATH.py:FUNCTION.",
        ),
        click.option("--trust", is_flag=True, help="Open files that run their own code when loaded."),
        click.option(
            "--custom-objects",
            multiple=True,
            metavar="MODULE|FILE.py",
            help="Where layers of your own are defined, for Keras models. It is imported. Repeatable.",
        ),
    )


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Flags that say where settings come from."""
    return _apply(
        command,
        click.option("--config", type=click.Path(), metavar="FILE", help="Settings, instead of the nearest file's."),
        click.option("--isolated", is_flag=True, help="Read no configuration file."),
    )


def display_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Flags on how to print."""
    return _apply(
        command,
        click.option("-v", "--verbose", count=True, help="Show every row and reason."),
        click.option("-q", "--quiet", count=True, help="Show verdicts only, and no progress."),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            show_default=True,
            help="The environment variable NO_COLOR wins.",
        ),
        click.option(
            "--traceback",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_remember_traceback,
            help="Show Python's traceback when something fails.",
        ),
    )


def build_settings(flags: Mapping[str, Any]) -> Settings:
    """Return the settings that the flags ask for; flags a command lacks keep their defaults.

    Raises:
        UsageError: a flag or the contract file is wrong.
    """
    chosen = {key: flags[key] for key in _SETTINGS if key in flags}
    require = _required(flags.get("require", ()))
    chosen["explain"] = not flags.get("no_explain", False)
    return Settings(**chosen, require=require, overrides=_overrides(flags))


def missing_model(path: str) -> UsageError | None:
    """Return the error to raise when nothing is at ``path``, with the name that was probably meant."""
    try:
        if Path(path).exists():
            return None
        siblings = [entry.name for entry in Path(path).absolute().parent.iterdir()]
    except (OSError, ValueError):
        siblings = []
    from maskcheck.contract_file.schema import closest

    close = closest(Path(path).name, siblings)
    hint = (
        f"Did you mean {Path(path).with_name(close)}?" if close else "Check the path; it is relative to where you are."
    )
    return UsageError(f"Opening {path}: there is no such file or folder.", hint=hint)


def _overrides(flags: Mapping[str, Any]) -> Overrides:
    from maskcheck import contract_file

    base = contract_file.read(flags["contract"]) if flags["contract"] else Overrides()
    inputs: dict[str, dict[str, Any]] = {}
    for text in flags["input_flags"]:
        name, settings = contract_file.parse_flag(text)
        inputs.setdefault(name, {}).update(settings)
    return contract_file.merge(base, Overrides(inputs=inputs, side=flags["side"], pad_value=flags["pad_value"]))


def _required(values: Sequence[str]) -> tuple[str, ...]:
    """Return the twins that gate: the default ones and those named, in lists separated by commas."""
    from maskcheck.contract_file.schema import nearest
    from maskcheck.core.report import TwinKind

    named = [name.strip().lower() for value in values for name in value.split(",") if name.strip()]
    known = [kind.value for kind in TwinKind]
    for name in named:
        if name not in known:
            raise UsageError(f"Reading --require: there is no twin {name!r}.", hint=nearest(name, known))
    return tuple(dict.fromkeys((*DEFAULT_REQUIRE, *named)))


def _number(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float | int | None:
    """Read a whole number where the text is one, else a float."""
    if text is None:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise click.BadParameter(f"{text!r} is not a number.")


def selection_of(select: Sequence[str], ignore: Sequence[str]) -> Selection:
    """Return the rules that count by ``--select`` and ``--ignore``.

    Raises:
        UsageError: no rule has a code that begins as one of them does.
    """
    if not select and not ignore:
        return Selection()
    from maskcheck.rules import all_rules

    codes = [rule.code for rule in all_rules()]
    return Selection(prefixes(select, codes, "--select"), prefixes(ignore, codes, "--ignore"))


def _remember_traceback(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    ctx.meta[TRACEBACK] = wanted


def _apply(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate so that ``--help`` lists the options in the order given."""
    for option in reversed(options):
        command = option(command)
    return command
