"""What the rules' PyTorch snippets run in: the same rows of text, padded or not, under the names that snippets use."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, CLASSES, VOCABULARY = 8, 2, 5, 20
PAD, EOS, MASKED = 0, 2, 3
ODD_FILLER = 11
"""An id that stands at pads in some scenes and is not the pad id."""

Names = dict[str, Any]

SCENES: dict[str, tuple[tuple[str, int], ...]] = {
    "bare": (("a", 0), ("b", 0), ("c", 0)),
    "padded": (("a", 0), ("b", 0), ("c", 0)),
    "left": (("a", 0), ("b", 0), ("c", 0)),
    "refilled": (("a", 0), ("b", 0), ("c", 0)),
    "poisoned": (("a", 0), ("b", 0), ("c", 0)),
    "beside others": (("a", 0), ("d", -2), ("e", -1)),
    "beside a longer one": (("a", 0), ("d", 3), ("e", -2)),
    "beside an empty one": (("a", 0), ("b", 0), ("c", -99)),
    "told apart": (("a", 0), ("b", 0), ("c", 0)),
    "another text": (("g", 0), ("b", 0), ("c", 0)),
}
"""The rows of each scene and how much longer than the first each is. The first row is the one that is compared."""

TWINS = {
    "right": ("bare", "padded"),
    "left": ("bare", "left"),
    "content": ("padded", "refilled"),
    "poison": ("padded", "poisoned"),
    "mates": ("bare", "beside others"),
    "longer mate": ("bare", "beside a longer one"),
    "empty": ("padded", "beside an empty one"),
    "repeat": ("bare", "bare"),
    "token": ("bare", "told apart"),
    "text": ("bare", "another text"),
}
"""Pairs of scenes whose first rows deserve the same answer; in the last two, whose first rows do not."""


@dataclass(frozen=True)
class Case:
    """How a rule's snippets are run, and between which scenes the leaky one differs."""

    twin: str = "right"
    silent: tuple[str, ...] = ()
    """Twins between which even the leaky snippet does not differ, as the rule says."""
    names: Callable[[Names], Names] = field(default=lambda names: {})
    """Names that this rule's snippets need besides the usual ones, or with another value."""
    read: Callable[[Names], torch.Tensor] | None = None
    """Takes the answer from the executed names; without it, it is the last name that the snippet assigns."""
    reads_text: bool = True
    """Whether the mended answer is another one for another text; else it is made of lengths alone."""
    real: int = 7
    pads: int = 3
    filler: int = PAD
    tolerance: float = 1e-9


def difference(snippet: str, case: Case, twin: str) -> float:
    """Return how far the first row's answers in the two scenes of a twin are apart; infinite if they are no numbers."""
    first, second = TWINS[twin]
    answers = [
        _answer(snippet, case, scene, seed=seed if twin == "repeat" else 0)
        for seed, scene in enumerate((first, second))
    ]
    shape = [min(sizes) for sizes in zip(*(answer.shape for answer in answers), strict=True)]
    left = second == "left"
    for axis, size in enumerate(shape):
        # An axis of windows or frames: what is beyond the shorter one stands for padding alone.
        answers = [answer.narrow(axis, answer.shape[axis] - size if left else 0, size) for answer in answers]
    if not all(answer.isfinite().all() for answer in answers):
        return math.inf
    return float((answers[0] - answers[1]).abs().max())


def last_name(snippet: str) -> str:
    """Return the name that a snippet assigns last, the first one if it assigns several."""
    names = [
        node
        for node in ast.walk(ast.parse(snippet))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_"
    ]
    line = max(node.lineno for node in names)
    return min((node for node in names if node.lineno == line), key=lambda node: node.col_offset).id


def _answer(snippet: str, case: Case, scene: str, seed: int) -> torch.Tensor:
    names = _names(case, scene)
    real = names["mask"][0].bool()
    torch.manual_seed(1)
    names |= case.names(names)
    torch.manual_seed(seed)
    exec(compile(snippet, "<snippet>", "exec"), names)
    value = case.read(names) if case.read else names[last_name(snippet)]
    value = torch.as_tensor(value).detach().to(torch.float64)
    if scene == "beside an empty one" and not value.isfinite().all():
        return torch.full_like(value[0], math.nan)
    value = value[0] if value.ndim else value
    for axis, size in enumerate(value.shape):
        if size == len(real):
            value = value.index_select(axis, real.nonzero()[:, 0])
    return value


def _names(case: Case, scene: str) -> Names:
    rows = {name: max(case.real + more, 0) for name, more in SCENES[scene]}
    time = case.real + (0 if scene in ("bare", "beside others", "told apart", "another text") else case.pads)
    hidden = torch.empty(len(rows), time, WIDTH)
    ids = torch.full((len(rows), time), case.filler)
    mask = torch.zeros(len(rows), time, dtype=torch.long)
    texts = []
    for row, (name, length) in enumerate(rows.items()):
        place = slice(time - length, time) if scene == "left" else slice(0, length)
        states, text = _text(name, length)
        hidden[row] = _filler(scene, row, time)
        hidden[row, place], ids[row, place], mask[row, place] = states, text, 1
        texts.append(text)
    if scene == "told apart":
        hidden[0][ids[0] == EOS] += 1.0
    return {**_modules(), **_derived(hidden, ids, mask), "texts": texts}


def _text(name: str, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a row's states and ids, each holding a mask token and an end-of-text token."""
    generator = torch.Generator().manual_seed(ord(name))
    states = torch.randn(64, WIDTH, generator=generator)[:length]
    ids = torch.randint(5, 10, (64,), generator=generator)
    ids[1], ids[3] = MASKED, EOS
    return states, ids[:length]


def _filler(scene: str, row: int, time: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(100 + row + 10 * (scene == "refilled"))
    pads = 2.0 + 2.0 * torch.randn(64, WIDTH, generator=generator)[:time]
    return torch.full_like(pads, math.nan) if scene == "poisoned" else pads


def _derived(hidden: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> Names:
    torch.manual_seed(2)
    time = hidden.shape[1]
    q, k, v = (nn.Linear(WIDTH, WIDTH)(hidden).detach().unflatten(-1, (HEADS, -1)).transpose(1, 2) for _ in range(3))
    causal = torch.ones(time, time, dtype=torch.bool).tril()
    lowest = -math.inf
    return {
        "hidden": hidden,
        "x": hidden,
        "embedded": hidden,
        "features": hidden.transpose(1, 2),
        "ids": ids,
        "input_ids": ids,
        "mask": mask,
        "attention_mask": mask,
        "lengths": mask.sum(dim=1),
        "positions": (mask.cumsum(dim=1) - 1).clamp(min=0),
        "columns": torch.arange(time),
        "q": q,
        "k": k,
        "v": v,
        "scores": q @ k.transpose(-1, -2),
        "causal": causal,
        "causal_bias": torch.zeros(time, time).masked_fill(~causal, lowest),
        "padding_bias": torch.zeros(mask.shape).masked_fill(mask == 0, lowest)[:, None, None, :],
        "logits": nn.Linear(WIDTH, CLASSES)(hidden).detach(),
        "labels": ids % CLASSES,
    }


def _modules() -> Names:
    return {
        "torch": torch,
        "nn": nn,
        "F": F,
        "onnx": onnx,
        "dim": WIDTH,
        "d_model": WIDTH,
        "nhead": HEADS,
        "num_heads": HEADS,
        "heads": HEADS,
        "classes": CLASSES,
        "vocabulary": VOCABULARY,
        "hidden_size": WIDTH,
        "channels": WIDTH,
        "groups": 2,
        "pad_id": PAD,
        "pad_token_id": PAD,
        "eos_id": EOS,
        "mask_id": MASKED,
    }
