"""The project's own settings: ``[tool.maskcheck]`` of pyproject.toml, or maskcheck.toml."""

from maskcheck.config.discovery import find
from maskcheck.config.model import Config, ModelTable
from maskcheck.config.reader import parse, read

__all__ = ["Config", "ModelTable", "find", "parse", "read"]
