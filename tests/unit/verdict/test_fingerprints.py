"""Fingerprints: what a finding is known by from one audit to the next."""

from __future__ import annotations

from maskcheck.verdict.fingerprints import fingerprint
from tests.unit.verdict.build import place


def test_a_fingerprint_stays_while_rule_path_and_place_stay() -> None:
    # Baselines that people have committed hold these: a change of the formula loses all of them.
    known = "90e94fb6a7af60f0"
    assert fingerprint("MC101", "exports/m.onnx", place("mean"))[:16] == known


def test_rule_path_and_place_tell_findings_apart() -> None:
    site = place("mean")
    marks = {
        fingerprint("MC101", "m.onnx", site),
        fingerprint("MC102", "m.onnx", site),
        fingerprint("MC101", "n.onnx", site),
        fingerprint("MC101", "m.onnx", place("sum")),
        fingerprint("MC101", "m.onnx", None),
    }
    assert len(marks) == 5
