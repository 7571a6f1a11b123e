"""How an audit's cost grows with depth: seconds per layer relative to the shallowest model, in one process each,
alternating.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.models import encoder  # noqa: E402
from benchmarks.onnx_cost import _AUDIT, timed  # noqa: E402

_LAYERS = (3, 6, 12, 24, 48)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {
            (layers, leaky): encoder(folder / f"{layers}-{leaky}", layers=layers, width=64, leaky=leaky)
            for layers in _LAYERS
            for leaky in (False, True)
        }
        best: dict[tuple[int, bool], float] = {}
        for _ in range(3):
            for key, path in paths.items():
                seconds, _ = timed(["-c", _AUDIT, str(path), str(folder / "report.json")])
                best[key] = min(best.get(key, seconds), seconds)
        for leaky in (False, True):
            for layers in _LAYERS:
                extra = best[layers, leaky] - best[_LAYERS[0], leaky]
                per_layer = extra / max(1, layers - _LAYERS[0])
                kind = "leaky" if leaky else "clean"
                print(
                    f"{kind} {layers:3d} layers: {best[layers, leaky]:.2f} s, {1000 * per_layer:.0f} ms per added layer"
                )


if __name__ == "__main__":
    main()
