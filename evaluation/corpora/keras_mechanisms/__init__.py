"""The mechanisms as Keras users write them, leaky and mended, in two architectures each."""
