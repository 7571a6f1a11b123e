"""PyTorch: live modules, exported programs, TorchScript and weights, traced operator by operator."""
