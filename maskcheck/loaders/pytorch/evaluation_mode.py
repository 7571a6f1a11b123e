"""Evaluation mode while a model is audited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EvaluationMode:
    """The modes in which modules were before they were switched to evaluation."""

    before: Mapping[Any, bool]

    @classmethod
    def switch(cls, *targets: Any) -> EvaluationMode:
        """Switch ``targets`` to evaluation; functions, and programs that know one mode only, are left as they are."""
        before: dict[Any, bool] = {}
        for target in targets:
            if hasattr(target, "eval") and hasattr(target, "modules"):
                modes = {module: module.training for module in target.modules()}
                before = modes | before if _switch(target) else before
        return cls(before)

    def restore(self) -> None:
        for module, training in self.before.items():
            module.training = training


def _switch(target: Any) -> bool:
    try:
        target.eval()
    except NotImplementedError:  # exported programs have the mode they were exported in
        return False
    return True
