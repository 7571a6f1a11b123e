"""What each twin changes, in a sentence for people who never heard of twins."""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.core.report import TwinKind

MEANINGS: Mapping[TwinKind, str] = {
    TwinKind.REPEAT: "The same call twice.",
    TwinKind.CONTENT: "Other values at the pads; same shape, same mask.",
    TwinKind.LENGTH: "Another number of pads behind the same sequence.",
    TwinKind.SIDE: "The same pads on the other side.",
    TwinKind.MATES: "Alone, beside longer sequences, in another order.",
    TwinKind.EMPTY: "One row of the batch holds nothing but pads.",
    TwinKind.VALID: "One real token changes, which has to change the answer.",
    TwinKind.MASK: "The mask says something else, which has to change the answer.",
    TwinKind.POKE: "Noise in the hidden states at the pads.",
    TwinKind.POISON: "NaN and huge values at the pads.",
    TwinKind.PRECISION: "The same twin in another precision.",
    TwinKind.TRAINING: "Loss, metrics and gradients of a padded batch and of the same one unpadded.",
}
