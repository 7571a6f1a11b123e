"""ATen calls in the words all frameworks share: what is done, and with which axes, operands and constants."""

from __future__ import annotations

from maskcheck.loaders.pytorch.translate.call import Call
from maskcheck.loaders.pytorch.translate.operation import called_operation
from maskcheck.loaders.pytorch.translate.order import operand_keys
from maskcheck.loaders.pytorch.translate.table import settings_of

__all__ = ["Call", "called_operation", "operand_keys", "settings_of"]
