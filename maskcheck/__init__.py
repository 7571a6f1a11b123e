"""maskcheck finds where padding leaks into a sequence model's answers."""

__version__ = "0.1.0"
