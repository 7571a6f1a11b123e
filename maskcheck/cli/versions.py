"""``maskcheck --version``."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from maskcheck._version import __version__

FRAMEWORKS = ("numpy", "onnx", "onnxruntime", "torch", "keras", "tensorflow", "tensorflow-cpu", "transformers")


def print_versions(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print the version of maskcheck and of each framework that is installed. None is imported."""
    if not wanted or ctx.resilient_parsing:
        return
    click.echo(f"maskcheck {__version__}")
    click.echo(f"python {platform.python_version()}")
    for name in FRAMEWORKS:
        version = _version(name)
        if version is not None:
            click.echo(f"{name} {version}")
    ctx.exit()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
