"""One fixed report with everything in it: leaks, warnings, untested twins, failures, hostile names."""

from __future__ import annotations

import math

from maskcheck.core.contract import (
    BATCH,
    Conflict,
    Contract,
    Dimension,
    Domain,
    InputContract,
    OutputContract,
    OutputKind,
    Role,
)
from maskcheck.core.model import ModelInfo
from maskcheck.core.report import (
    Accepted,
    AttentionMap,
    AttentionSample,
    Finding,
    LayerState,
    ModelReport,
    Outcome,
    OutputDifference,
    PassportRow,
    Report,
    RootCause,
    Severity,
    Status,
    TwinKind,
)
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.source import SourceLine
from tests.sites import site as a_site

HOSTILE = "[/bad] [red]x[/red]\x1b[31m\x07\u202e"
LONG = "/bert/encoder/" + "very_long_block/" * 8 + "attention/self/MatMul_1"

CONTRACT = Contract(
    domains=(Domain("seq", (Dimension("seq", minimum=1, maximum=512),)),),
    inputs=(
        InputContract(
            "input_ids",
            Role.TOKENS,
            "int64",
            (BATCH, "seq"),
            (0, 0),
            "seq",
            "int64 (batch, seq); indexes a table of 30522 rows",
            pad_value=0,
            vocabulary=30522,
        ),
        InputContract(
            "attention_mask",
            Role.MASK,
            "int64",
            (BATCH, "seq"),
            (0, 0),
            "seq",
            "its name; a zero tail is inert",
            valid_when=1,
        ),
        InputContract(HOSTILE, Role.OTHER, "float32", (BATCH, None), (0, 80), None, "no role fits", fill=0.5),
    ),
    outputs=(
        OutputContract("logits", OutputKind.POOLED, (BATCH, None), "seq", "no axis grows with seq"),
        OutputContract("last_hidden_state", OutputKind.SEQUENCE, (BATCH, "seq", None), "seq", "axis 1 grows with seq"),
    ),
    choices=("The pad value 0 is a convention; nothing in the graph shows it.",),
    conflicts=(Conflict("attention_mask", "inert-mask", "the mask changes no output.", {"difference": 0.0}),),
)

INFO = ModelInfo("exports/reviews.onnx", "onnx", "ab" * 32, "onnx", {"onnxruntime": "1.31.1", "opset": "18"})

POOL = a_site(
    "/pool/ReduceMean",
    "ReduceMean",
    Kind.REDUCE_MEAN,
    ("h",),
    ("p",),
    module="pool.forward",
    module_class="Pool",
    source=SourceLine("/home/someone/projects/with/quite/a/deep/tree/of/folders/reviews.py", 48, "forward"),
)
ATTENTION = a_site(LONG, "Softmax", Kind.SOFTMAX, ("s",), ("w",), module="encoder.0.attention")
STRANGE = a_site(HOSTILE, "MatMul", Kind.MATMUL, ("a",), ("b",), module=HOSTILE)


def layer(index: int) -> Site:
    return a_site(f"/encoder/{index}/Softmax", "Softmax", Kind.SOFTMAX, ("s",), ("w",))


PASSPORT = (
    PassportRow(TwinKind.REPEAT, "", "seq", Status.CLEAN, False, outputs=(OutputDifference("logits", 0.0, 0.0, 0.0),)),
    PassportRow(
        TwinKind.LENGTH,
        "right",
        "seq",
        Status.LEAKY,
        True,
        outputs=(
            OutputDifference("logits", 0.8213, 3.1e-6, 2.4e-5, 0.371, "3/16"),
            OutputDifference("last_hidden_state", 0.0021, 2.2e-6, 2.4e-5, 0.0012),
        ),
    ),
    PassportRow(
        TwinKind.LENGTH, "filler", "seq", Status.LEAKY, False, outputs=(OutputDifference("logits", 1.4, 3e-6, 2e-5),)
    ),
    PassportRow(
        TwinKind.MATES,
        "longer",
        "seq",
        Status.LEAKY,
        True,
        outputs=(OutputDifference("logits", 0.82, 3e-6, 2e-5, 0.37),),
    ),
    PassportRow(
        TwinKind.MATES, "permuted", "seq", Status.CLEAN, True, outputs=(OutputDifference("logits", 1e-6, 3e-6, 2e-5),)
    ),
    PassportRow(
        TwinKind.CONTENT, "random", "seq", Status.LEAKY, False, outputs=(OutputDifference("logits", 1.13, 0.0, 4e-7),)
    ),
    PassportRow(
        TwinKind.EMPTY, "", "seq", Status.LEAKY, False, outputs=(OutputDifference("logits", math.nan, 0.0, 0.0),)
    ),
    PassportRow(
        TwinKind.SIDE,
        "left",
        "seq",
        Status.UNTESTED,
        False,
        "not asked for; the model takes no position ids to give with it",
    ),
    PassportRow(
        TwinKind.VALID, "last", "seq", Status.CLEAN, False, outputs=(OutputDifference("logits", 0.0, 0.0, 0.0),)
    ),
)

FINDINGS = (
    Finding(
        "MC101",
        "unmasked-mean",
        Severity.ERROR,
        POOL,
        RootCause(ATTENTION, "the mask was dropped here"),
        (TwinKind.LENGTH, TwinKind.CONTENT),
        "seq",
        ("logits",),
        0.8213,
        3.1e-6,
        0.371,
        0.983,
        "The mean divides by the padded length and adds the pads' states, so a pad counts 0.37 of a real token.",
        "Divide by the number of real tokens:\n    (h * mask).sum(1) / mask.sum(1)",
        "0" * 64,
    ),
    Finding(
        "MC204",
        "weak-fill",
        Severity.WARNING,
        ATTENTION,
        None,
        (TwinKind.CONTENT,),
        "seq",
        ("logits", "last_hidden_state"),
        0.0021,
        0.0,
        0.0012,
        0.004,
        "The mask adds -10 to the scores, which leaves some weight on the pads.",
        "Fill with torch.finfo(scores.dtype).min.",
        "1" * 64,
        related=tuple(layer(i) for i in range(1, 6)),
        interval=(layer(7), layer(8)),
    ),
    Finding(
        "MC901",
        "hostile-name",
        Severity.WARNING,
        STRANGE,
        RootCause(None, f"because of {HOSTILE}"),
        (),
        None,
        (),
        0.0,
        0.0,
        None,
        None,
        f"The layer {HOSTILE} has a name.",
        "",
        "2" * 64,
    ),
    Finding(
        "MC301",
        "absolute-positions",
        Severity.INFO,
        layer(0),
        None,
        (TwinKind.SIDE,),
        "seq",
        ("logits",),
        2.9,
        1e-6,
        None,
        None,
        "Positions count from the left edge, so left padding moves every token to another row of the table.",
        "Give position_ids.",
        "3" * 64,
    ),
)

LEAKY = ModelReport(
    "exports/reviews.onnx",
    "ab" * 32,
    "onnx",
    Outcome.LEAKY,
    None,
    CONTRACT,
    PASSPORT,
    FINDINGS,
    (
        AttentionMap(
            ATTENTION,
            4,
            (0.41, 0.12, 0.003, 0.0),
            "keys",
            sample=AttentionSample(0, ((0.5, 0.1, 0.4), (0.2, 0.4, 0.4), (0.0, math.nan, 0.0)), (2,), (2,)),
        ),
        AttentionMap(STRANGE, 2, (0.2, math.nan), "none"),
        AttentionMap(layer(3), 4, (0.0,) * 4, "keys"),
    ),
    (
        LayerState("embeddings", "clean"),
        *(LayerState(f"encoder.{i}", "clean") for i in range(12)),
        LayerState(HOSTILE, "opaque"),
        LayerState("pool", "origin"),
        LayerState("head", "dirty", (0.0, 1e-7, 2e-5, 0.3, math.inf)),
    ),
    ("The deployed model fuses attention; the explanation comes from a copy that does not.",),
    2,
    1.234,
    accepted=(
        Accepted(FINDINGS[3], "Trained with right padding only.", "pyproject.toml"),
        Accepted(FINDINGS[2], f"because {HOSTILE} <script>alert(1)</script>", HOSTILE),
    ),
    stale=(f"MC999 at {HOSTILE} is in maskcheck-baseline.json and is not found any more.",),
    curve=((0, 0.0), (3, 0.21), (7, 0.5), (14, 0.8213), (30, math.nan)),
)

WARNED = ModelReport(
    "exports/" + "a_long_folder_name/" * 6 + "model.onnx",
    "cd" * 32,
    "onnx",
    Outcome.CLEAN,
    None,
    CONTRACT,
    (
        *(row for row in PASSPORT if not row.gating),
        PassportRow(
            TwinKind.LENGTH, "right", "seq", Status.CLEAN, True, outputs=(OutputDifference("logits", 1e-6, 3e-6, 2e-5),)
        ),
        PassportRow(TwinKind.MATES, "", "seq", Status.UNTESTED, True, "the file accepts only one row"),
    ),
    (FINDINGS[1],),
    duration_s=0.5,
)
CLEAN = ModelReport(
    "good.onnx",
    "ef" * 32,
    "onnx",
    Outcome.CLEAN,
    passport=(
        PassportRow(
            TwinKind.LENGTH, "right", "seq", Status.CLEAN, True, outputs=(OutputDifference("y", 0.0, 3e-6, 2e-5),)
        ),
    ),
    attention=(AttentionMap(layer(3), 4, (0.0,) * 4, "keys"),),
)
SKIPPED = ModelReport("tabular.onnx", "12" * 32, "onnx", Outcome.SKIPPED, "No input of this model could be padded.")
BROKEN = ModelReport(
    "notes.txt",
    None,
    "unknown",
    Outcome.ERROR,
    "Reading notes.txt: it is no model. Give an ONNX file or a model folder.",
)

REPORT = Report(
    (LEAKY, WARNED, CLEAN, SKIPPED, BROKEN),
    "0.1.0",
    {"python": "3.11.7", "onnxruntime": "1.31.1", "device": "cpu"},
    {"seed": 0, "samples": 8, "require": ("length", "mates"), "fail_on": "error", "inputs": None},
)
