"""The twins, one module per family. Each is a function ``TwinContext -> observations``."""
