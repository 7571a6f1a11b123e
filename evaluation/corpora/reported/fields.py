"""All reports, by field."""

from evaluation.corpora.reported import (
    biology,
    forecasting,
    generation,
    pairs,
    recommending,
    sequences,
    serving,
    sets,
    speech,
    states,
    text,
    trajectories,
    vision_text,
)

__all__ = [
    "biology",
    "forecasting",
    "generation",
    "pairs",
    "recommending",
    "sequences",
    "serving",
    "sets",
    "speech",
    "states",
    "text",
    "trajectories",
    "vision_text",
]
