"""What a finding is known by from one audit to the next."""

from __future__ import annotations

import hashlib
from pathlib import PurePath

from maskcheck.ir.graph import Site


def fingerprint(code: str, path: str, site: Site | None) -> str:
    """SHA-256, in hexadecimal, of the rule, the model's path and the name of the site.

    Sizes and messages are left out: they differ between machines and versions.
    """
    text = "|".join((code, PurePath(path).as_posix(), site.name if site else ""))
    return hashlib.sha256(text.encode()).hexdigest()
