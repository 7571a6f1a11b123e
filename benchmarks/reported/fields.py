"""All reports, by field."""

from benchmarks.reported import biology, generation, pairs, recommending, sets, speech, states, text, trajectories

__all__ = ["biology", "generation", "pairs", "recommending", "sets", "speech", "states", "text", "trajectories"]
