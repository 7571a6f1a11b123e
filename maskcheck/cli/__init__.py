"""The command line: the only place that prints and exits.

Nothing heavy is imported here: a command imports what it needs when it runs, so that ``--help`` stays instant and works
whatever is installed.
"""

from __future__ import annotations

import click

from maskcheck.cli.audit_command import audit
from maskcheck.cli.baseline_command import baseline
from maskcheck.cli.compare_command import compare
from maskcheck.cli.guard import GuardedGroup
from maskcheck.cli.inspect_command import inspect
from maskcheck.cli.reference import explain, rules, schema
from maskcheck.cli.versions import print_versions


@click.group(cls=GuardedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_versions,
    help="Show the versions of maskcheck and of the frameworks it finds, and exit.",
)
def main() -> None:
    """Find where padding leaks into a sequence model's answers.

    \b
    Exit codes:
      0    audited, nothing that gates leaks
      1    some model leaks
      2    the command or a configuration file is wrong
      3    some model could not be audited, and no other leaks
      130  interrupted
    """


for command in (audit, baseline, compare, inspect, rules, explain, schema):
    main.add_command(command)
