"""The page in a real browser: it opens without a complaint, and nothing overflows, on a phone and on a desk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from maskcheck.core.report import Report
from maskcheck.report import html
from maskcheck.report.rendering import Rendering
from tests.unit.report import sample
from tests.unit.report.test_formats import wearing

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--hide-scrollbars",
    "--window-size=1500,1000",
    "--virtual-time-budget=4000",
    "--dump-dom",
]
DARK, LIGHT = 0, 1

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]

FRAME = """<!doctype html><meta charset="utf-8"><body>
<iframe src="page.html" style="width:%dpx;height:900px;border:0"></iframe><pre id="found"></pre>
<script>
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => {
  const page = frame.contentDocument, view = frame.contentWindow, width = page.documentElement.clientWidth;
  page.querySelectorAll("details").forEach(d => { d.open = true; });
  const outside = [...page.querySelectorAll("body *")].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && !e.closest("thead") && (box.right > width + 1 || box.left < -1);
  });
  document.getElementById("found").textContent = JSON.stringify({
    width: width,
    scroll: page.documentElement.scrollWidth,
    outside: outside.slice(0, 5).map(e => e.outerHTML.slice(0, 200)),
    clipped: [...page.querySelectorAll("p, dd, td, li, pre, h2, h4, code")]
      .filter(e => e.scrollWidth > e.clientWidth + 1 && view.getComputedStyle(e).display !== "inline")
      .slice(0, 5).map(e => e.outerHTML.slice(0, 200)),
    margin: view.getComputedStyle(page.body).marginTop,
    ground: view.getComputedStyle(page.body).backgroundColor,
    scripts: page.scripts.length,
    height: page.documentElement.scrollHeight,
  });
});
</script>"""


def look(folder: Path, report: Report, width: int, scheme: int) -> dict[str, Any]:
    """Open the page in a frame of the given width and return what the browser measured."""
    (folder / "page.html").write_text(html.render(report, Rendering()), encoding="utf-8", errors="replace")
    (folder / "frame.html").write_text(FRAME % width, encoding="utf-8")
    profile = folder / "profile"
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", f"--blink-settings=preferredColorScheme={scheme}"]
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        [*command, (folder / "frame.html").as_uri()], capture_output=True, text=True, timeout=90, env=environment
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not complaints, complaints
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None and found.group(1), done.stderr[-2000:]
    measured: dict[str, Any] = json.loads(unescape(found.group(1)))
    return measured


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_the_page_opens_and_nothing_overflows(tmp_path: Path, width: int, scheme: int) -> None:
    found = look(tmp_path, sample.REPORT, width, scheme)
    assert found["margin"] == "0px", "the page's own style was not applied"
    assert found["outside"] == [] and found["clipped"] == []
    assert found["scroll"] <= found["width"] == width
    assert found["height"] > 900
    light = sum(map(int, re.findall(r"\d+", found["ground"])[:3])) > 380
    assert light == (scheme == LIGHT)


@pytest.mark.parametrize("name", ["x" * 400, '"><script>document.body.remove()</script>', "漢字" * 100])
def test_names_neither_break_out_nor_push(tmp_path: Path, name: str) -> None:
    found = look(tmp_path, wearing(name), 360, LIGHT)
    assert found["scripts"] == 0
    assert found["outside"] == [] and found["clipped"] == []
    assert found["scroll"] <= found["width"] == 360
