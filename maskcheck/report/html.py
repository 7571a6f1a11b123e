"""Report -> one self-contained page: no script, nothing loaded from anywhere, readable on a phone and on paper.

Names from a model are hostile text: every one is cleaned, the template escapes what it is given, and the page's own
policy forbids whatever might still slip through.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from maskcheck.core.report import Report
from maskcheck.report.page_view import page
from maskcheck.report.rendering import Rendering

_TEMPLATES = resources.files("maskcheck") / "report" / "templates"


def render(report: Report, rendering: Rendering) -> str:
    """Return the whole report as HTML text."""
    from jinja2 import BaseLoader, Environment, StrictUndefined

    style = _read("style.css")
    environment = Environment(
        loader=BaseLoader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_read("report.html.j2"))
    text = template.render(page=page(report, rendering), style=style, policy=policy(style))
    return "\n".join(line.rstrip() for line in text.strip().split("\n")) + "\n"


def policy(style: str) -> str:
    """Return the content security policy of a page whose only style sheet is ``style``."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")
