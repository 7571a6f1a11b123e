"""maskcheck finds where padding leaks into a sequence model's answers."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import ``audit_module`` only when it is asked for: ``import maskcheck`` stays light."""
    if name == "audit_module":
        from maskcheck.api import audit_module

        return audit_module
    raise AttributeError(f"module 'maskcheck' has no attribute {name!r}")
