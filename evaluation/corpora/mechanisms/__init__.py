"""Every mechanism by which padding leaks, leaky and mended, and every clean look-alike, in two architectures each."""
