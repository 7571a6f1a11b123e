"""Directories that transformers and sentence-transformers write: a configuration and weights, no code of their own."""
