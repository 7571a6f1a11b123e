"""The rules whose title names a mechanism of the catalogue. Written after all reports, from ``maskcheck rules``."""

from __future__ import annotations

RULES: dict[str, tuple[str, ...]] = {
    # No mask reaches the scores: the titles say whether there is one elsewhere.
    "ATT-01": ("MC201", "MC205", "MC208", "MC217"),
    "ATT-02": ("MC202",),
    "ATT-03": ("MC206",),
    "ATT-05": ("MC209",),
    "ATT-06": ("MC203",),
    "ATT-07": ("MC211",),
    "ATT-08": ("MC212",),
    "ATT-09": ("MC204",),
    "ATT-11": ("MC207",),
    "ATT-12": ("MC210",),
    "ATT-13": ("MC201", "MC205", "MC208"),
    "ATT-14": ("MC205", "MC208", "MC940"),
    "ATT-19": ("MC205", "MC214"),
    "ATT-23": ("MC215",),
    "ATT-24": ("MC216",),
    "ATT-25": ("MC922",),
    "ATT-31": ("MC109", "MC201", "MC205"),
    "CONV-01": ("MC401", "MC402"),
    "CONV-02": ("MC401", "MC402"),
    "CONV-03": ("MC403",),
    "CONV-05": ("MC405",),
    "CONV-06": ("MC406",),
    "CONV-09": ("MC409",),
    "EMB-04": ("MC701",),
    "EMB-05": ("MC603", "MC703"),
    "MIX-01": ("MC920",),
    "MIX-04": ("MC924",),
    "MIX-05": ("MC201", "MC205", "MC940"),
    "MIX-06": ("MC201", "MC217"),
    "MOE-01": ("MC901",),
    "NORM-01": ("MC501",),
    "NORM-03": ("MC502",),
    "NORM-04": ("MC504",),
    "NORM-07": ("MC110", "MC504"),
    "POOL-01": ("MC101", "MC114"),
    "POOL-02": ("MC102",),
    "POOL-03": ("MC101", "MC103"),
    "POOL-04": ("MC104",),
    "POOL-05": ("MC105",),
    "POOL-06": ("MC106",),
    "POOL-09": ("MC109", "MC110"),
    "POOL-10": ("MC111",),
    "POOL-11": ("MC112",),
    "POS-01": ("MC601", "MC602"),
    "POS-05": ("MC605",),
    "POS-06": ("MC603",),
    "RNN-01": ("MC302", "MC310"),
    "RNN-02": ("MC301",),
    "RNN-10": ("MC308", "MC408"),
    "RNN-11": ("MC308", "MC408"),
}


def naming(mechanism: str) -> set[str]:
    """The rules of a mechanism, or of several that stand in one report, joined by ``+``."""
    return {rule for one in mechanism.split("+") for rule in RULES[one]}
