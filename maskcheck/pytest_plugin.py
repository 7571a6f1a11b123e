"""The fixture ``maskcheck``: ``maskcheck(model, inputs).assert_clean()`` in any test.

It is loaded into every test run of its environment, so nothing is imported here before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from maskcheck.api import Report
    from maskcheck.core.report import ModelReport


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit of one model found."""

    report: Report

    @property
    def model(self) -> ModelReport:
        return self.report.model

    def assert_clean(self, ignore: Mapping[str, str] | None = None) -> None:
        """Fail the test when the model leaks, or when too little could be tried to say that it does not.

        ``ignore`` maps codes or names of rules to the reason why their findings are let pass.
        """
        __tracebackhide__ = True
        from maskcheck.api import PaddingLeak

        try:
            self.report.assert_clean(ignore)
        except PaddingLeak as leak:
            pytest.fail(leak.report.text(), pytrace=False)

    def text(self) -> str:
        """Return the report as the terminal would show it."""
        return self.report.text()

    def html(self) -> str:
        """Return the report as a page."""
        return self.report.html()


Auditor = Callable[..., Audited]


@pytest.fixture
def maskcheck() -> Auditor:
    """Audit a model: ``maskcheck(model, inputs, **settings) -> Audited``. Arguments are those of ``maskcheck.audit``.

    ``model`` is a path, a ``torch.nn.Module``, a ``keras.Model`` or a function of tensors. ``inputs`` are recorded
    inputs for a path (a file, or arrays by name with a batch axis), and example inputs for a module.
    """

    def audit(model: Any, inputs: Any = None, **settings: Any) -> Audited:
        from maskcheck import api

        return Audited(api.audit(model, inputs, **settings))

    return audit
