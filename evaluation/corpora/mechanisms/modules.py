"""Importing this fills the registry."""

from evaluation.corpora.mechanisms import (  # noqa: F401
    attention,
    by_design,
    convolution,
    half,
    mixing,
    normalisation,
    pooling,
    positions,
    recognised,
    recurrent,
    serving,
    sound,
)
