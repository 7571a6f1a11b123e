"""What an audit of a PyTorch module costs against its floor: the same number of forwards of the same sizes.

``python -m benchmarks.torch_cost`` prints two ratios, measured side by side: of the work alone, and with starting
Python, importing torch and, for the audit, maskcheck. Seconds are for orientation.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

import torch
from torch import Tensor, nn

from maskcheck import audit


class Encoder(nn.Module):
    """PyTorch's own encoder behind an embedding, its padding masked; keeps what it was called with."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.calls: list[tuple[Tensor, Tensor]] = []

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self.calls.append((input_ids.detach().clone(), attention_mask.detach().clone()))
        return self.layers(self.embed(input_ids), src_key_padding_mask=attention_mask == 0)


def measure(depth: int, width: int, length: int) -> tuple[float, float, int]:
    """Seconds of an audit, seconds of its forwards alone, and how many there were."""
    torch.manual_seed(0)
    module = Encoder(depth, width).eval()
    ids = torch.randint(1, 1000, (3, length))
    examples: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    started = time.perf_counter()
    audit(module, examples)
    audited = time.perf_counter() - started
    calls = list(module.calls)
    started = time.perf_counter()
    with torch.no_grad():
        for call in calls:
            module(*call)
    return audited, time.perf_counter() - started, len(calls)


def importing(modules: str) -> float:
    """Seconds that a new Python takes to import ``modules``; the better of two."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=[3, 6, 12, 24])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--lengths", type=int, nargs="+", default=[12])
    options = parser.parse_args()
    bare, with_audit = importing("torch"), importing("torch, maskcheck.auditing")
    measure(1, 64, 12)  # first calls of everything
    sizes = [(d, w, n) for w in options.widths for d in options.depths for n in options.lengths]
    for depth, width, length in sizes:
        audited, floor, calls = measure(depth, width, length)
        print(
            f"depth {depth} width {width} length {length}: audit {audited:.2f} s, {calls} forwards {floor:.2f} s, "
            f"ratio {audited / floor:.1f}, with imports {(with_audit + audited) / (bare + floor):.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
