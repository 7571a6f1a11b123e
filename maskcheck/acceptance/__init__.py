"""Which findings somebody let pass: those a baseline knows, those the configuration ignores, those below a
threshold.
"""

from maskcheck.acceptance.applying import apply
from maskcheck.acceptance.baseline import Baseline, BaselineEntry, read, record, to_text
from maskcheck.acceptance.policy import Ignore, Policy

__all__ = ["Baseline", "BaselineEntry", "Ignore", "Policy", "apply", "read", "record", "to_text"]
