"""``maskcheck inspect``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from maskcheck.cli.guard import say
from maskcheck.cli.options import build_settings, contract_options, display_options, missing_model
from maskcheck.cli.output import emit, rendering


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--write", "write_to", type=click.Path(path_type=Path), metavar="FILE", help="Write the contract as TOML."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="On stdout.",
)
@contract_options
@display_options
def inspect(model: str, write_to: Path | None, format_: str, **flags: Any) -> None:
    """Show the contract of MODEL: what each input means, and why maskcheck thinks so.

    For Keras models also what becomes of the mask, layer by layer.
    """
    settings = build_settings(flags)
    missing = missing_model(model)
    if missing is not None:
        raise missing
    from maskcheck import auditing as use_case
    from maskcheck import contract_file
    from maskcheck.report import contract_view, journey_view
    from maskcheck.report import json as json_report

    with contextlib.redirect_stdout(sys.stderr):
        contract, info = use_case.inspect(model, settings)
    if write_to is not None:
        contract_file.write(contract, write_to)
    verbosity = flags["verbose"] - flags["quiet"]
    if format_ == "json":
        emit(json_report.render_contract(contract, info))
    else:
        emit(contract_view.render(contract, info, rendering(flags["color"], verbosity)))
        if info.journey:
            emit("\n" + journey_view.render(info.journey, rendering(flags["color"], verbosity)))
    if write_to is not None and verbosity >= 0:
        say(f"Contract: {write_to}")
