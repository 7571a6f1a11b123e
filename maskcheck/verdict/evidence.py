"""All that a verdict is made of, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskcheck.core.contract import Contract
from maskcheck.core.evidence import OriginReport
from maskcheck.core.model import ModelInfo
from maskcheck.core.report import PassportRow, TakenForPadding
from maskcheck.core.training import TrainingFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvidence:
    """What the audit of one model measured.

    ``origins`` are empty where nothing was explained; ``taken`` are real steps that the model takes for padding;
    ``training`` is ``None`` where padding moves nothing in training, or that was not asked for.
    """

    info: ModelInfo
    path: str
    contract: Contract
    passport: Sequence[PassportRow]
    origins: Sequence[OriginReport] = ()
    taken: Sequence[TakenForPadding] = ()
    training: TrainingFacts | None = None
