"""All reports, by field."""

from benchmarks.reported import speech, text

__all__ = ["speech", "text"]
