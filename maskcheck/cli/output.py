"""Where text goes, how wide and in which colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskcheck.core.errors import UsageError

if TYPE_CHECKING:
    from maskcheck.report.rendering import Rendering
    from maskcheck.report.rule_text import RuleText

NARROWEST, WIDEST = 40, 120


def rendering(color: str, verbosity: int, to_file: bool = False, texts: bool = False) -> Rendering:
    """Return how to render for stdout, or for a file; ``texts`` for reports that carry the rules' own."""
    from maskcheck.report.rendering import Rendering

    known: Mapping[str, RuleText] = {}
    if texts:
        from maskcheck.rules import by_code

        known = by_code()
    terminal = not to_file and sys.stdout.isatty()
    width = shutil.get_terminal_size((80, 24)).columns if not to_file else 80
    return Rendering(
        width=min(max(width, NARROWEST), WIDEST),
        colour=use_colour(color, terminal, os.environ),
        verbosity=min(max(verbosity, -1), 1),
        locate=locate,
        texts=known,
    )


def locate(path: str) -> str | None:
    """Return the path of a file relative to the repository around the current folder, symlinks resolved.

    ``None`` stands for a file that is not there or lies outside.
    """
    try:
        root = _repository(Path.cwd().resolve())
        target = Path(path).resolve(strict=True)
        return target.relative_to(root).as_posix()
    except (OSError, ValueError, RuntimeError):
        return None


def _repository(folder: Path) -> Path:
    return next((f for f in (folder, *folder.parents) if (f / ".git").exists()), folder)


def use_colour(choice: str, terminal: bool, environment: Mapping[str, str]) -> bool:
    """Decide on colour: ``NO_COLOR`` forbids it, then the flag counts, then ``FORCE_COLOR``, then the terminal."""
    if environment.get("NO_COLOR") or choice == "never":
        return False
    if choice == "always" or environment.get("FORCE_COLOR"):
        return True
    return terminal and environment.get("TERM") != "dumb"


def check_output(path: Path) -> None:
    """Make sure that a report can be written to ``path``, before the audit is paid for.

    Raises:
        UsageError: it cannot.
    """
    target = path.resolve()
    if target.is_dir():
        raise UsageError(f"Writing the report to {path}: it is a folder.", hint="Give -o the path of a file.")
    if not target.parent.is_dir():
        raise UsageError(f"Writing the report to {path}: its folder does not exist.", hint=f"mkdir -p {path.parent}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise UsageError(f"Writing the report to {path}: permission denied.", hint="Give -o a path you may write to.")


def write(path: Path, text: str) -> None:
    """Write the whole of ``text`` to ``path`` or nothing: readers never see half a report.

    Raises:
        UsageError: the file cannot be written.
    """
    target = path.resolve()
    data = text.encode("utf-8", "replace")
    try:
        if target.exists() and not target.is_file():  # a device or a pipe must not be replaced by a file
            target.write_bytes(data)
            return
        _replace(target, data)
    except OSError as error:
        raise UsageError(f"Writing the report to {path}: {error.strerror}.", hint="Give -o another path.") from error


def emit(text: str) -> None:
    """Write to stdout. Characters it cannot encode become question marks; a reader that left early is no error."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        click.echo(text.encode(encoding, "replace").decode(encoding), nl=False, color=True)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit; give it a place where that succeeds.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".maskcheck-{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
