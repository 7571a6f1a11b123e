"""maskcheck finds where padding leaks into a sequence model's answers."""

from typing import TYPE_CHECKING

from maskcheck._version import __version__ as __version__

if TYPE_CHECKING:
    from maskcheck.after_training import check as check
    from maskcheck.api import Finding as Finding
    from maskcheck.api import Inspection as Inspection
    from maskcheck.api import ModelReport as ModelReport
    from maskcheck.api import PaddingLeak as PaddingLeak
    from maskcheck.api import Report as Report
    from maskcheck.api import audit as audit
    from maskcheck.api import inspect as inspect
    from maskcheck.api import render as render

_API = ("Finding", "Inspection", "ModelReport", "PaddingLeak", "Report", "audit", "inspect", "render")

__all__ = [*_API, "__version__", "check"]


def __getattr__(name: str) -> object:
    """Import the Python API only when it is asked for: ``import maskcheck`` stays light."""
    if name in _API:
        from maskcheck import api

        return getattr(api, name)
    if name == "check":
        from maskcheck.after_training import check

        return check
    raise AttributeError(f"module 'maskcheck' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
