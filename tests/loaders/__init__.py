"""Tests of the loaders, against the real runtimes."""
