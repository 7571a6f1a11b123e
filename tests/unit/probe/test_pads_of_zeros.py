"""What pads are worth that hold zeros: nothing to a convolution, which lays zeros around the text itself."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, InputContract, Role
from maskcheck.core.trace import Trace
from maskcheck.ir.operation import Kind
from maskcheck.probe import entry
from tests.sites import site as a_site

SPEC = InputContract("x", Role.FEATURES, "float32", (BATCH, "seq", None), (2, 5, 3), "seq", "")
MARKED = np.zeros((2, 5, 3), dtype=bool)
MARKED[:, 3:] = True
MASKING = a_site("masking", "Masking", Kind.ELEMENTWISE, ("x",), ("kept",))


def worth(reader: Kind, pads: float, made: tuple[int, ...] = (2, 5, 4)) -> tuple[str, ...]:
    kept = np.where(MARKED, np.float32(pads), np.float32(1.0))
    read = a_site("reader", "Reader", reader, ("kept",), ("made",))
    trace = Trace((MASKING, read), {"kept": kept, "made": np.ones(made, dtype=np.float32)}, {})
    return entry._worth(entry.EntryPoint("kept", SPEC, "masking"), MARKED, trace)


def test_zeros_that_a_convolution_reads_begin_to_count_behind_it() -> None:
    assert worth(Kind.CONVOLUTION, 0.0) == ("made",)


@pytest.mark.parametrize(
    ("reader", "pads", "made"),
    [
        (Kind.CONVOLUTION, 0.5, (2, 5, 4)),
        (Kind.MATMUL, 0.0, (2, 5, 4)),
        (Kind.CONVOLUTION, 0.0, (2, 3, 4)),
    ],
    ids=["other values", "another reader", "other steps"],
)
def test_anything_else_counts_where_it_stands(reader: Kind, pads: float, made: tuple[int, ...]) -> None:
    assert worth(reader, pads, made) == ("kept",)
