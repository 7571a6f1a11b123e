"""``check(model, inputs)`` at the end of a training script: audit what was just trained, say so, go on or stop."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import PathLike
from typing import Any

from maskcheck import api
from maskcheck.core.errors import MaskcheckError


def check(
    model: Any,
    inputs: Any = None,
    *,
    save: str | PathLike[str] | None = None,
    strict: bool = False,
    ignore: Mapping[str, str] | None = None,
    **settings: Any,
) -> api.Report | None:
    """Audit a model, print the report, and write it to ``save`` where that is given (the ending says the format).

    Hours of training are not to be lost to a check of it: unless ``strict``, a leak is printed and nothing is raised,
    and a model that cannot be audited is a printed sentence and ``None``. With ``strict`` a leak raises
    ``PaddingLeak`` and a failed audit its own error. Call it after the weights are saved.

    Args:
        model, inputs, settings: as for ``maskcheck.audit``.
        save: where to write the report, ``"padding.html"`` for instance.
        strict: raise instead of going on.
        ignore: codes or names of rules -> the reason why their findings may pass.
    """
    try:
        report = api.audit(model, inputs, **settings)
    except MaskcheckError as error:
        if strict:
            raise
        print(f"maskcheck: the padding could not be checked: {error}", file=sys.stderr)
        return None
    if ignore:
        report = report.ignoring(ignore)
    print(report.text())
    if save is not None:
        print(f"maskcheck: report: {report.save(save)}")
    if strict:
        report.assert_clean()
    return report
