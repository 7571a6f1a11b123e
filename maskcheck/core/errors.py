"""What can go wrong, as one tree. Each error says what was being done, to which file, and what to try."""

from __future__ import annotations


class MaskcheckError(Exception):
    """Base of every error that maskcheck raises on purpose.

    ``hint`` is one sentence saying what the user can try; it is empty when there is nothing to try.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(MaskcheckError):
    """The command, a contract file or a setting is wrong; nothing was audited. Exit code 2."""


class LoadError(MaskcheckError):
    """A model file could not be read, was refused as unsafe, or has no loader. Exit code 3."""


class RunError(MaskcheckError):
    """The model was loaded but refused one particular set of inputs."""


class TraceError(MaskcheckError):
    """The model runs, but its inner tensors cannot be observed; the verdict stands, the explanation is missing."""


class NothingToPadError(MaskcheckError):
    """The model has no input that padding could lengthen. Exit code 3."""
