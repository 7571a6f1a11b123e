"""``python -m evaluation --jobs 2``: every corpus, one after the other, and the four numbers over all of them.

Each goes on where it stopped, in processes of its own, with a progress bar; results stay in ``evaluation/results``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from evaluation import stored
from evaluation.running import show

CORPORA = ("broken", "mechanisms", "exports", "reported", "keras_mechanisms", "keras_reported", "training")
RESULTS = Path("evaluation/results")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="run every case anew")
    options = parser.parse_args()
    again = ["--again"] if options.again else []
    for name in CORPORA:
        print(f"== {name}")
        subprocess.run(
            [sys.executable, "-m", f"evaluation.corpora.{name}", "--jobs", str(options.jobs), *again], check=True
        )
    print("== together")
    results = [r for name in CORPORA for r in stored.read(RESULTS / f"{name}.jsonl", "name").values()]
    show(results, ("framework", "condition"))


if __name__ == "__main__":
    main()
