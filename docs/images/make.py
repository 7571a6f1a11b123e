"""Take the pictures of the README and the documentation: ``python docs/images/make.py``. The page needs a Chromium.

The terminal becomes an SVG with its text as text; the page is photographed as the browser shows it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

import maskcheck

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MODEL = "fixtures/reviews_leaky.onnx"
WIDTH, HEIGHT = 1100, 2080
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def terminal(report: maskcheck.Report, command: str) -> str:
    """Return what ``command`` prints as SVG text, the same for the same report."""
    console = Console(record=True, width=96, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(f"$ {command}\n\n" + report.text(width=92, colour=True)))
    svg = console.export_svg(title=command, theme=MONOKAI, unique_id="maskcheck")
    # The font is named, not fetched from elsewhere.
    start, end = svg.index("@font-face"), svg.rindex("@font-face")
    return svg[:start] + svg[svg.index("}", end) + 1 :].lstrip()


def photograph(report: maskcheck.Report, target: Path) -> bool:
    """Write the top of the page to ``target`` as PNG; ``False`` where no browser is installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        page = report.save(Path(folder) / "page.html")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={target}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)
    return True


def main() -> None:
    os.chdir(ROOT)
    report = maskcheck.audit(MODEL)
    (HERE / "terminal.svg").write_text(terminal(report, f"maskcheck audit {MODEL}"), encoding="utf-8")
    if not photograph(report, HERE / "page.png"):
        print("No Chromium found: the picture of the page stays as it is.")


if __name__ == "__main__":
    main()
