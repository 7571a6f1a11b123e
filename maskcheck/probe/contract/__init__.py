"""From an unknown model to a contract: names first, then structure, then behaviour, each inference with its reason."""
