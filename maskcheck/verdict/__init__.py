"""What the measurements mean: the outcome, the findings and how severe they are. Pure; runs no model."""
