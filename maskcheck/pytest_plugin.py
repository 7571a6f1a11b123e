"""The fixture ``maskcheck``: ``maskcheck(model, inputs).assert_clean()`` in any test.

It is loaded into every test run of its environment, so nothing is imported here before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from maskcheck.core.report import ModelReport, Report


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit of one model found."""

    report: Report

    @property
    def model(self) -> ModelReport:
        return self.report.models[0]

    def assert_clean(self, ignore: Mapping[str, str] | None = None) -> None:
        """Fail the test when the model leaks, or when too little could be tried to say that it does not.

        ``ignore`` maps codes or names of rules to the reason why their findings are let pass.
        """
        __tracebackhide__ = True
        report = self._without(ignore or {})
        model = report.models[0]
        if model.outcome != "clean" and not model.excused:
            pytest.fail(self.text(report), pytrace=False)

    def text(self, report: Report | None = None) -> str:
        """Return the report as the terminal would show it."""
        from maskcheck.report import console
        from maskcheck.report.rendering import Rendering

        return console.render(report or self.report, Rendering(width=100))

    def html(self) -> str:
        """Return the report as a page."""
        from maskcheck.report import html
        from maskcheck.report.rendering import Rendering
        from maskcheck.rules import all_rules

        return html.render(self.report, Rendering(texts={rule.code: rule for rule in all_rules()}))

    def _without(self, ignore: Mapping[str, str]) -> Report:
        import dataclasses

        from maskcheck.acceptance import Ignore, Policy, apply

        policy = Policy(tuple(Ignore(rule, reason) for rule, reason in ignore.items()), source="this test")
        return dataclasses.replace(self.report, models=(apply(self.model, policy),))


Auditor = Callable[..., Audited]


@pytest.fixture
def maskcheck(tmp_path: Path) -> Auditor:
    """Audit a model: ``maskcheck(model, inputs, **settings) -> Audited``.

    ``model`` is a path, a ``torch.nn.Module`` or a ``keras.Model``. ``inputs`` are recorded inputs for a path (a file,
    or arrays by name with a batch axis), and example inputs for a module. Settings are those of the command line:
    ``require=["side"]``, ``seed=0``, ``samples=8``, ``contract="contract.toml"``.
    """

    def audit(model: Any, inputs: Any = None, **settings: Any) -> Audited:
        if isinstance(model, (str, Path)):
            return Audited(_audit_path(str(model), _recorded(inputs, tmp_path), settings))
        return Audited(_audit_live(model, inputs, settings))

    return audit


def _audit_path(path: str, inputs: str | None, settings: Mapping[str, Any]) -> Report:
    from maskcheck import auditing

    return auditing.audit([path], _settings(settings, inputs))


def _audit_live(model: Any, inputs: Any, settings: Mapping[str, Any]) -> Report:
    import maskcheck as package
    from maskcheck import auditing
    from maskcheck.core.report import Report
    from maskcheck.loaders.live import wrap

    return Report((auditing.audit_loaded(wrap(model, inputs), _settings(settings, None)),), package.__version__)


def _settings(given: Mapping[str, Any], inputs: str | None) -> Any:
    """Return settings from keyword arguments; an unknown one is a ``TypeError``, as for any function."""
    from maskcheck import contract_file
    from maskcheck.core.settings import DEFAULT_REQUIRE, Overrides, Settings

    chosen = dict(given)
    contract = chosen.pop("contract", None)
    overrides = contract_file.read(contract) if contract is not None else Overrides()
    above = {key: chosen.pop(key) for key in ("side", "pad_value") if key in chosen}
    require = tuple(dict.fromkeys((*DEFAULT_REQUIRE, *chosen.pop("require", ()))))
    overrides = contract_file.merge(overrides, Overrides(**above))
    return Settings(**{"inputs": inputs, "overrides": overrides, "require": require, **chosen})


def _recorded(inputs: Any, folder: Path) -> str | None:
    """Return the path of recorded inputs; arrays are written to a file first."""
    if inputs is None or isinstance(inputs, (str, Path)):
        return None if inputs is None else str(inputs)
    import numpy as np

    path = folder / "maskcheck-inputs.npz"
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in inputs.items()}
    np.savez(path, **arrays)
    return str(path)
