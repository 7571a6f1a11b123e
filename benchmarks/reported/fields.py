"""All reports, by field."""

from benchmarks.reported import pairs, recommending, sets, speech, states, text

__all__ = ["pairs", "recommending", "sets", "speech", "states", "text"]
