"""The rules whose title names a mechanism of the catalogue. Written after all exports, from ``maskcheck rules``."""

from __future__ import annotations

RULES: dict[str, tuple[str, ...]] = {
    "EXP-01": ("MC940", "MC201", "MC205", "MC214", "MC217", "MC101"),
    "EXP-02": ("MC941",),
    "EXP-03": ("MC941", "MC222", "MC201", "MC101"),
    "EXP-04": ("MC941", "MC201", "MC205"),
    "ORT-01": ("MC942",),
    "ORT-02": ("MC940", "MC943"),
    "ORT-03": ("MC206",),
    "ORT-04": ("MC301", "MC302", "MC303"),
    "ORT-05": ("MC304", "MC942"),
    "ORT-06": ("MC942",),
    "ORT-07": ("MC801",),
    "ORT-08": ("MC310", "MC302", "MC307"),
    "QNT-01": ("MC801",),
    "QNT-03": ("MC803",),
}
