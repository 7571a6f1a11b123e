"""The plain tests: padded against unpadded, without any code of maskcheck."""

from evaluation.truth.verdict import FLOAT32, LEAK, Truth, within

__all__ = ["FLOAT32", "LEAK", "Truth", "within"]
