"""What a job of GitHub Actions is told beside the report: annotations on stdout, and its summary."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from maskcheck.cli.guard import say
from maskcheck.cli.output import emit, rendering

if TYPE_CHECKING:
    from maskcheck.core.report import Report

SUMMARY = "GITHUB_STEP_SUMMARY"


def in_actions(environment: Mapping[str, str]) -> bool:
    return environment.get("GITHUB_ACTIONS") == "true"


def annotate(report: Report, text: str = "", annotations: bool = True) -> None:
    """Show ``text`` and annotate the run, and add the report to the job's summary where there is one.

    A line of ``text`` that a model made look like a workflow command is not obeyed.
    """
    from maskcheck.report import github, markdown

    how = rendering("never", 0, to_file=True)
    if text:
        token = secrets.token_hex(16)
        emit(f"::stop-commands::{token}\n{text}::{token}::\n")
    if annotations:
        emit(github.render(report, how))
    if path := os.environ.get(SUMMARY):
        _append(Path(path), markdown.job_summary(report, how))


def _append(path: Path, text: str) -> None:
    """Failing to summarise is no reason to fail the gate."""
    try:
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        say(f"maskcheck: the job summary could not be written: {error.strerror}")
