"""The rules whose title names a mechanism of the catalogue. Written after all reports, from ``maskcheck rules``."""

from __future__ import annotations

from evaluation.corpora.reported.rules import RULES as OTHERS

LOST = "MC944"
"""The mask of Keras was lost before the layer that needed it."""
RULES: dict[str, tuple[str, ...]] = {
    **OTHERS,
    "ATT-01": (*OTHERS["ATT-01"], LOST),
    "ATT-31": (*OTHERS["ATT-31"], LOST),
    "CONV-08": ("MC402", "MC408"),
    "KER-01": ("MC301", "MC302", LOST),
    "KER-02": ("MC101", LOST),
    "KER-03": ("MC109", "MC302", LOST),
    "KER-05": ("MC103", LOST),
    "KER-06": ("MC704", "MC921"),
    "KER-07": ("MC101", "MC114", LOST),
    "KER-08": ("MC302", LOST),
    "KER-09": ("MC302", LOST),
    "KER-11": ("MC201", "MC204", "MC205", "MC214", LOST),
    "KER-12": ("MC302", "MC706"),
    "POOL-10": ("MC101", "MC111", LOST),
    "RNN-09": ("MC301", "MC307"),
    "RNN-10": ("MC302", "MC308"),
    "RNN-13": ("MC302", "MC309", LOST),
}


def naming(mechanism: str) -> set[str]:
    """The rules of a mechanism, or of several that stand in one report, joined by ``+``."""
    return {rule for one in mechanism.split("+") for rule in RULES[one]}
