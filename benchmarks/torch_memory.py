"""Peak memory of an audit of a large PyTorch module against its floor: making or loading it and one forward.

Each measurement is a process of its own, whose ``ru_maxrss`` is read by its parent, so that neither disturbs the other.

``python -m benchmarks.torch_memory`` takes 5 GB of memory and, for the forms that are files, as much of disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WIDTH, HEADS, LENGTH = 4096, 16, 12
FORMS = ("live", "leaky", "safetensors", "pt2")
"""A live module, one whose encoder is given no mask, and the first of them saved."""


def build(layers: int, masked: bool = True) -> Any:
    """An encoder of few wide layers, some 201 million parameters each, behind a small embedding."""
    import torch
    from torch import Tensor, nn

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(1000, WIDTH)
            # Made one by one: nn.TransformerEncoder would copy a first layer that stays alive beside its copies.
            made = [nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, batch_first=True) for _ in range(layers)]
            self.layers = nn.ModuleList(made)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.embed(input_ids)
            for layer in self.layers:
                x = layer(x, src_key_padding_mask=attention_mask == 0 if masked else None)
            return x

    torch.manual_seed(0)
    return Encoder().eval()


def factory() -> Any:
    """What ``--factory`` names; the number of layers comes from the parent process."""
    return build(int(os.environ["LAYERS"])), _examples()


def _examples() -> dict[str, Any]:
    import torch

    ids = torch.randint(1, 1000, (3, LENGTH), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def save(form: str, path: Path) -> None:
    """Write the module of the factory in a form that is a file."""
    import torch

    module, example = factory()
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(module.state_dict(), path)
        return
    free = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in example}
    torch.export.save(torch.export.export(module, (), example, dynamic_shapes=free), path)


def floor(form: str, path: Path) -> None:
    """Make or load the module as anyone would, and run it once."""
    import torch

    with torch.no_grad():
        if form == "pt2":
            torch.export.load(str(path)).module()(**_examples())
            return
        if form != "safetensors":
            build(int(os.environ["LAYERS"]), form == "live")(**_examples())
            return
        from safetensors.torch import load_file

        module, example = factory()
        module.load_state_dict(load_file(path))
        module(**example)


def audited(form: str, path: Path) -> None:
    """Audit the same; prints the verdict, so that a skipped audit does not pass for a cheap one."""
    from maskcheck import audit
    from maskcheck.auditing import audit_model
    from maskcheck.core.settings import Settings

    if form in ("live", "leaky"):
        report = audit(build(int(os.environ["LAYERS"]), form == "live"), _examples()).model
    else:
        report = audit_model(str(path), Settings(factory="benchmarks.torch_memory:factory"))
    print(report.outcome.value, report.reason or "", *(f"{r.twin.value}={r.status.value}" for r in report.passport))


def child(task: str, form: str, path: Path, layers: int) -> tuple[float, float, str]:
    """Peak memory in GB and seconds of a process that does ``task``, and what it printed last."""
    command = [sys.executable, "-m", "benchmarks.torch_memory", "--child", task, form, str(path)]
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, env={**os.environ, "LAYERS": str(layers)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = out.read().strip().splitlines()
    if process.returncode:
        raise SystemExit(f"{task} {form} failed")
    return usage.ru_maxrss * 1024 / 1e9, time.perf_counter() - started, lines[-1] if lines else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, metavar=("TASK", "FORM", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--layers", type=int, default=5, help="201 million parameters each")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    options = parser.parse_args()
    if options.child:
        task, form, path = options.child
        {"save": save, "floor": floor, "audit": audited}[task](form, Path(path))
        return
    with tempfile.TemporaryDirectory() as folder:
        for form in options.forms:
            path = Path(folder) / f"model.{form}"
            if form in ("safetensors", "pt2"):
                child("save", form, path, options.layers)
            least, seconds, _ = child("floor", form, path, options.layers)
            most, longer, verdict = child("audit", form, path, options.layers)
            print(
                f"{form}: {least:.2f} GB floor, {most:.2f} GB audit, ratio {most / least:.2f}; "
                f"{seconds:.0f} s and {longer:.0f} s; {verdict}",
                flush=True,
            )
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
