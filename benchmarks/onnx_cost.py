"""Audit against floor: the same forwards on the same file, each in a process of its own, alternating.

The floor starts Python, loads the untouched file with onnxruntime (all optimisations) and runs exactly the batches
that the audit ran, instrumented ones included. Reported: wall-clock and peak-memory ratios, median and range over
the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_FLOOR = """
import sys, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.log_severity_level = 4
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
with np.load(sys.argv[2]) as feeds:
    calls = {}
    for key in feeds.files:
        index, name = key.split("|", 1)
        calls.setdefault(int(index), {})[name] = feeds[key]
for index in sorted(calls):
    session.run(None, calls[index])
"""

_AUDIT = """
import sys
from maskcheck.cli import main
main(["audit", sys.argv[1], "--format", "json", "-o", sys.argv[2]])
"""

_RECORD = """
import sys, numpy as np
from maskcheck.core.settings import Settings
from maskcheck import auditing, loaders
calls = []
load = loaders.load
def recording(path, settings):
    model = load(path, settings)
    for method in ("run", "trace"):
        original = getattr(model, method)
        def call(feeds, *args, original=original, **kwargs):
            found = original(feeds, *args, **kwargs)
            calls.append({k: np.array(v) for k, v in feeds.items()})
            return found
        setattr(model, method, call)
    return model
loaders.load = recording
report = auditing.audit([sys.argv[1]], Settings())
np.savez(sys.argv[2], **{f"{i}|{name}": value for i, feeds in enumerate(calls) for name, value in feeds.items()})
print(len(calls), report.models[0].outcome.value)
"""


def timed(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak resident memory (MiB) of a child process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, *arguments], environment)
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{arguments[:2]} failed with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def compare(path: Path, rounds: int, folder: Path) -> dict[str, object]:
    feeds = folder / "feeds.npz"
    timed(["-c", _RECORD, str(path), str(feeds)])
    floors, audits = [], []
    for _ in range(rounds):
        floors.append(timed(["-c", _FLOOR, str(path), str(feeds)]))
        audits.append(timed(["-c", _AUDIT, str(path), str(folder / "report.json")]))
    wall = [a[0] / f[0] for a, f in zip(audits, floors, strict=True)]
    memory = [a[1] / f[1] for a, f in zip(audits, floors, strict=True)]
    return {
        "wall": statistics.median(wall),
        "wall_range": [min(wall), max(wall)],
        "memory": statistics.median(memory),
        "memory_range": [min(memory), max(memory)],
        "audit_s": statistics.median(a[0] for a in audits),
        "floor_s": statistics.median(f[0] for f in floors),
        "floor_MiB": statistics.median(f[1] for f in floors),
    }


def build(name: str, folder: Path) -> Path:
    sys.path.insert(0, str(ROOT))
    if name == "minilm":
        from tests.zoo import minilm

        return minilm.sentence_encoder(folder)
    from benchmarks.models import encoder

    sizes = {"small": (4, 128), "base": (12, 768), "large": (24, 1024)}
    leaky = name.endswith("-leaky")
    layers, width = sizes[name.removesuffix("-leaky")]
    return encoder(folder, layers=layers, width=width, leaky=leaky)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="minilm, small, base, large, each also with -leaky; or a path")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.model or ["minilm", "large"]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(name) if Path(name).exists() else build(name, Path(folder) / "model")
            result = compare(path, arguments.rounds, Path(folder))
            print(json.dumps({"model": name, **{k: v for k, v in result.items()}}, default=str), flush=True)


if __name__ == "__main__":
    main()
