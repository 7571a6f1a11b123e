"""A Keras callback that audits the model when training ends. Importing this module imports Keras."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import keras

from maskcheck import after_training, api


class PaddingCheck(keras.callbacks.Callback):
    """``model.fit(..., callbacks=[PaddingCheck()])``: prints the report of an audit once training has ended.

    Args:
        every: audit also after every so many epochs; never during training by default.
        save: where to write the last report, ``"padding.html"`` for instance.
        strict: raise ``PaddingLeak`` at the end of training when the model leaks; leaks seen before the end are
            printed only.
        ignore: codes or names of rules -> the reason why their findings may pass.
        settings: as for ``maskcheck.audit``.

    Attributes:
        report: the last report; ``None`` before the first audit.
    """

    def __init__(
        self,
        *,
        every: int | None = None,
        save: str | PathLike[str] | None = None,
        strict: bool = False,
        ignore: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.report: api.Report | None = None
        self._every = every
        self._save = save
        self._strict = strict
        self._ignore = ignore
        self._settings = settings

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._every and (epoch + 1) % self._every == 0 and epoch + 1 < self.params.get("epochs", 0):
            self._check(strict=False)

    def on_train_end(self, logs: Any = None) -> None:
        self._check(self._strict)

    def _check(self, strict: bool) -> None:
        self.report = after_training.check(
            self.model, save=self._save, strict=strict, ignore=self._ignore, **self._settings
        )
