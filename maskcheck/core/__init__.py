"""Words as types. Imports nothing else of maskcheck, and no third-party package but numpy."""
