"""What names conventionally mean, across frameworks. The weakest source of the three, and the one people wrote on
purpose.
"""

from __future__ import annotations

import re

from maskcheck.core.contract import Role

_PATTERNS: tuple[tuple[Role, re.Pattern[str]], ...] = (
    (
        Role.OTHER,
        re.compile(
            r"past_?(key|kv|state|\.|\d|$)|(^|_)past$|cache|(^|_)(state|h0|c0|hx|cx)($|_)|head_mask|layer_head",
            re.IGNORECASE,
        ),
    ),
    (Role.MASK, re.compile(r"mask|is_pad|(^|_)valid($|_)", re.IGNORECASE)),
    (
        Role.LENGTHS,
        re.compile(r"len(s|gth|gths)?($|_|\d)|(^|_)n?sizes?$|num_(frames|tokens)|(^|_)durations?$", re.IGNORECASE),
    ),
    (Role.POSITIONS, re.compile(r"position|(^|_)pos(_ids?)?$", re.IGNORECASE)),
    (Role.SEGMENTS, re.compile(r"token_type|segment|type_ids?$|sentence_ids?", re.IGNORECASE)),
    (
        Role.TOKENS,
        re.compile(r"(^|_)(ids?|tokens?|words?|chars?|items?|text)($|_)|input_ids|input_word", re.IGNORECASE),
    ),
    (
        Role.FEATURES,
        re.compile(r"feat|embeds?|mel|spectr|audio|wav|speech|signal|frames?|pixel|image|hidden", re.IGNORECASE),
    ),
)

_TARGET = re.compile(r"(^|_)(decoder|dec|target|tgt|trg)(_|$)", re.IGNORECASE)
_SOURCE = re.compile(r"(^|_)(encoder|enc|source|src|memory|mem)(_|$)", re.IGNORECASE)
_BATCH = re.compile(r"batch|^(b|n|bs|bsz|bz)$", re.IGNORECASE)
_TIME = re.compile(r"seq|time|len|frame|sample|token|step|^(t|l|s|w)$", re.IGNORECASE)
_PAST = re.compile(r"past|cache", re.IGNORECASE)

PADDED_LENGTH = re.compile(
    r"(^|_)(total|seq|sequence|kv|padded|source|src|target|tgt)[a-z_]*len(gth)?s?$", re.IGNORECASE
)
"""Names of a single number that says how long the batch is padded (``total_sequence_length``)."""

STRONG_VALID = re.compile(r"attention_mask|attn_mask|input_mask|pixel_mask|(^|_)valid", re.IGNORECASE)
"""Names whose 1 marks a real position by a convention everybody shares (Hugging Face, ONNX, Keras)."""

STRONG_PAD = re.compile(r"key_padding_mask|is_pad", re.IGNORECASE)
"""Names whose 1 (or True) marks padding: PyTorch's ``key_padding_mask``."""

WEAK_PAD = re.compile(r"pad", re.IGNORECASE)
"""``padding_mask`` marks pads in fairseq and PyTorch, real positions in KerasHub: behaviour must decide."""


def role_of(name: str) -> Role | None:
    """The role a name suggests, or ``None``."""
    return next((role for role, pattern in _PATTERNS if pattern.search(name)), None)


def family_of(name: str) -> str | None:
    """ "target", "source" or ``None``: which side of an encoder-decoder a name belongs to."""
    if _TARGET.search(name):
        return "target"
    return "source" if _SOURCE.search(name) else None


def is_batch(symbol: int | str | None) -> bool:
    return isinstance(symbol, str) and bool(_BATCH.search(symbol)) and not _TIME.search(symbol.replace("batch", ""))


def is_time(symbol: int | str | None) -> bool:
    return isinstance(symbol, str) and bool(_TIME.search(symbol)) and not is_batch(symbol)


def is_past(symbol: int | str | None) -> bool:
    """A cache length alone; a sum such as ``past_sequence_length + sequence_length`` is not."""
    return isinstance(symbol, str) and bool(_PAST.search(symbol)) and "+" not in symbol
