"""All reports, by field."""

from evaluation.corpora.keras_reported import attention, convolution, pooling, recurrent, two_sequences

__all__ = ["attention", "convolution", "pooling", "recurrent", "two_sequences"]
