"""The progress bar: seen on terminals only, never early, gone at the end."""

from __future__ import annotations

import io
import sys

import pytest

from maskcheck.cli import progress
from maskcheck.cli.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def advance(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, patience_s: float = 0.0, quiet: bool = False) -> str:
    """Run two steps with ``stream`` for stderr, and return what was written there."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE_S", patience_s)
    with ProgressBar(quiet) as bar:
        bar("[/bad] [red]loading\x1b[31m\x07", 0.5)
        bar("probing", 2.0)
    return stream.getvalue()


def test_it_shows_steps_as_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    written = advance(monkeypatch, Terminal())
    assert "[/bad] [red]loading[31m" in written
    assert "probing" in written
    assert "\x07" not in written


def test_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert advance(monkeypatch, Terminal(), patience_s=60.0) == ""


def test_it_may_be_silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert advance(monkeypatch, Terminal(), quiet=True) == ""


def test_it_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert advance(monkeypatch, io.StringIO()) == ""
