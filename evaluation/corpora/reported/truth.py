"""The plain test: every row alone and unpadded, against the same row padded and beside others, in float64."""

from __future__ import annotations

import zlib

import torch
from torch import nn

from evaluation.corpora.reported.registry import Report
from evaluation.truth import Truth, within
from evaluation.truth.in_torch import Drawn, asked, in_float64
from evaluation.truth.loader import Loader
from evaluation.truth.rows import Rows
from evaluation.truth.twins import mates, padded

ROWS = 12
GROUPS = ([*range(ROWS)], [3, 0], [0, 5], [1, 7])


def build(report: Report, mended: bool) -> nn.Module:
    """With norms and biases as training leaves them, not as they start."""
    torch.manual_seed(zlib.crc32(report.name.encode()) % 1000)
    module = report.build(mended).eval()
    seeded = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter += torch.randn(parameter.shape, generator=seeded) * 0.3
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer += torch.randn(buffer.shape, generator=seeded) * 0.3
            elif name.endswith("running_var"):
                buffer += torch.rand(buffer.shape, generator=seeded)
    return module


def loader(report: Report) -> Loader:
    return Loader(inputs=report.inputs, draw=Drawn(), shortest=report.shortest, left=report.left)


def plain(report: Report, mended: bool) -> Truth:
    """By ``pads`` of the row, of each domain and of all, and by ``mates``."""
    ask = asked(build(report, mended).double())
    rows = Rows(loader=loader(report), ask=ask, count=ROWS, axes=report.rows)
    named = rows.loader.domains
    twins = [*padded(range(ROWS), named, report.shown), *mates(GROUPS, named, report.shown)]
    with in_float64():
        found = rows.differences(rows.alone(), twins)
    seen = {kind: float(worst.max()) for kind, worst in found.items()}
    return within(max(seen.values()), **seen)
