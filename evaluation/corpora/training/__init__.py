"""What padding does to training: losses, metrics, gradients and batch statistics, wrong and mended."""
