"""Errors -> a line or two on stderr and an exit code."""

from __future__ import annotations

import traceback
from typing import Any

import click

from maskcheck.cli.exits import INTERRUPTED, NOT_AUDITED, USAGE
from maskcheck.core.errors import MaskcheckError, UsageError

TRACEBACK = "maskcheck.traceback"
"""Key in ``click.Context.meta``: whether the user asked for tracebacks."""


class GuardedGroup(click.Group):
    """A group whose commands may raise any error; none reaches the user as a traceback unless asked for."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("maskcheck: interrupted")
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get(TRACEBACK):
                click.echo(traceback.format_exc(), err=True, nl=False)
            ctx.exit(_explain(error))


def say(line: str) -> None:
    """Write one line to stderr; what a terminal would obey rather than show becomes a question mark."""
    click.echo("".join(c if c.isprintable() else "?" for c in line.replace("\n", " ")), err=True)


def _explain(error: Exception) -> int:
    """Print what went wrong and what to try; return the exit code."""
    if isinstance(error, MaskcheckError):
        say(f"maskcheck: {error.message}")
        if error.hint:
            say(f"  {error.hint}")
        return USAGE if isinstance(error, UsageError) else NOT_AUDITED
    say(f"maskcheck: internal error: {type(error).__name__}: {error}")
    say("  This is a bug in maskcheck. Run again with --traceback and report what it prints.")
    return NOT_AUDITED
