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
    MaskAxis,
    ModelReport,
    Outcome,
    OutputDifference,
    PassportRow,
    Reach,
    Report,
    RootCause,
    Severity,
    Status,
    TwinKind,
    Variant,
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
    PassportRow(
        twin=TwinKind.REPEAT,
        variant=Variant.REPEATED,
        domain="seq",
        status=Status.CLEAN,
        gating=False,
        outputs=(OutputDifference(name="logits", difference=0.0, noise_floor=0.0, tolerance=0.0),),
    ),
    PassportRow(
        twin=TwinKind.LENGTH,
        variant=Variant.RIGHT,
        domain="seq",
        status=Status.LEAKY,
        gating=True,
        outputs=(
            OutputDifference(
                name="logits",
                difference=0.8213,
                noise_floor=3.1e-6,
                tolerance=2.4e-5,
                influence=0.371,
                decisions_changed="3/16",
            ),
            OutputDifference(
                name="last_hidden_state", difference=0.0021, noise_floor=2.2e-6, tolerance=2.4e-5, influence=0.0012
            ),
        ),
    ),
    PassportRow(
        twin=TwinKind.LENGTH,
        variant=Variant.FILLER,
        domain="seq",
        status=Status.LEAKY,
        gating=False,
        outputs=(OutputDifference(name="logits", difference=1.4, noise_floor=3e-6, tolerance=2e-5),),
    ),
    PassportRow(
        twin=TwinKind.MATES,
        variant=Variant.BESIDE_LONGER,
        domain="seq",
        status=Status.LEAKY,
        gating=True,
        outputs=(OutputDifference(name="logits", difference=0.82, noise_floor=3e-6, tolerance=2e-5, influence=0.37),),
    ),
    PassportRow(
        twin=TwinKind.MATES,
        variant=Variant.REORDERED,
        domain="seq",
        status=Status.CLEAN,
        gating=True,
        outputs=(OutputDifference(name="logits", difference=1e-6, noise_floor=3e-6, tolerance=2e-5),),
    ),
    PassportRow(
        twin=TwinKind.CONTENT,
        variant=Variant.PADS,
        domain="seq",
        status=Status.LEAKY,
        gating=False,
        outputs=(OutputDifference(name="logits", difference=1.13, noise_floor=0.0, tolerance=4e-7),),
    ),
    PassportRow(
        twin=TwinKind.EMPTY,
        variant=Variant.ALL_PAD_MATE,
        domain="seq",
        status=Status.LEAKY,
        gating=False,
        outputs=(OutputDifference(name="logits", difference=math.nan, noise_floor=0.0, tolerance=0.0),),
    ),
    PassportRow(
        twin=TwinKind.SIDE,
        variant=Variant.LEFT,
        domain="seq",
        status=Status.UNTESTED,
        gating=False,
        reason="not asked for; the model takes no position ids to give with it",
    ),
    PassportRow(
        twin=TwinKind.VALID,
        variant=Variant.ONE_TOKEN,
        domain="seq",
        status=Status.CLEAN,
        gating=False,
        outputs=(OutputDifference(name="logits", difference=0.0, noise_floor=0.0, tolerance=0.0),),
    ),
)

FINDINGS = (
    Finding(
        rule="MC101",
        name="unmasked-mean",
        severity=Severity.ERROR,
        site=POOL,
        root_cause=RootCause(ATTENTION, "the mask was dropped here"),
        twins=(TwinKind.LENGTH, TwinKind.CONTENT),
        domain="seq",
        outputs=("logits",),
        difference=0.8213,
        noise_floor=3.1e-6,
        influence=0.371,
        share=0.983,
        message="The mean divides by the padded length and adds the pads' states, so a pad counts 0.37 of a "
        "real token.",
        fix="Divide by the number of real tokens:\n    (h * mask).sum(1) / mask.sum(1)",
        fingerprint="0" * 64,
    ),
    Finding(
        rule="MC204",
        name="weak-fill",
        severity=Severity.WARNING,
        site=ATTENTION,
        root_cause=None,
        twins=(TwinKind.CONTENT,),
        domain="seq",
        outputs=("logits", "last_hidden_state"),
        difference=0.0021,
        noise_floor=0.0,
        influence=0.0012,
        share=0.004,
        message="The mask adds -10 to the scores, which leaves some weight on the pads.",
        fix="Fill with torch.finfo(scores.dtype).min.",
        fingerprint="1" * 64,
        related=tuple(layer(i) for i in range(1, 6)),
        interval=(layer(7), layer(8)),
    ),
    Finding(
        rule="MC901",
        name="hostile-name",
        severity=Severity.WARNING,
        site=STRANGE,
        root_cause=RootCause(None, f"because of {HOSTILE}"),
        twins=(),
        domain=None,
        outputs=(),
        difference=0.0,
        noise_floor=0.0,
        influence=None,
        share=None,
        message=f"The layer {HOSTILE} has a name.",
        fix="",
        fingerprint="2" * 64,
    ),
    Finding(
        rule="MC301",
        name="absolute-positions",
        severity=Severity.INFO,
        site=layer(0),
        root_cause=None,
        twins=(TwinKind.SIDE,),
        domain="seq",
        outputs=("logits",),
        difference=2.9,
        noise_floor=1e-6,
        influence=None,
        share=None,
        message="Positions count from the left edge, so left padding moves every token to another row of the table.",
        fix="Give position_ids.",
        fingerprint="3" * 64,
    ),
)

LEAKY = ModelReport(
    path="exports/reviews.onnx",
    sha256="ab" * 32,
    format="onnx",
    outcome=Outcome.LEAKY,
    reason=None,
    contract=CONTRACT,
    passport=PASSPORT,
    findings=FINDINGS,
    attention=(
        AttentionMap(
            site=ATTENTION,
            heads=4,
            pad_mass=(0.41, 0.12, 0.003, 0.0),
            axis=MaskAxis.KEYS,
            sample=AttentionSample(0, ((0.5, 0.1, 0.4), (0.2, 0.4, 0.4), (0.0, math.nan, 0.0)), (2,), (2,)),
        ),
        AttentionMap(site=STRANGE, heads=2, pad_mass=(0.2, math.nan), axis=MaskAxis.NONE),
        AttentionMap(site=layer(3), heads=4, pad_mass=(0.0,) * 4, axis=MaskAxis.KEYS),
    ),
    layers=(
        LayerState("embeddings", Reach.CLEAN),
        *(LayerState(f"encoder.{i}", Reach.CLEAN) for i in range(12)),
        LayerState(HOSTILE, Reach.OPAQUE),
        LayerState("pool", Reach.ORIGIN),
        LayerState("head", Reach.DIRTY, (0.0, 1e-7, 2e-5, 0.3, math.inf)),
    ),
    notes=("The deployed model fuses attention; the explanation comes from a copy that does not.",),
    suppressed=2,
    duration_s=1.234,
    accepted=(
        Accepted(FINDINGS[3], "Trained with right padding only.", "pyproject.toml"),
        Accepted(FINDINGS[2], f"because {HOSTILE} <script>alert(1)</script>", HOSTILE),
    ),
    stale=(f"MC999 at {HOSTILE} is in maskcheck-baseline.json and is not found any more.",),
    curve=((0, 0.0), (3, 0.21), (7, 0.5), (14, 0.8213), (30, math.nan)),
)

WARNED = ModelReport(
    path="exports/" + "a_long_folder_name/" * 6 + "model.onnx",
    sha256="cd" * 32,
    format="onnx",
    outcome=Outcome.CLEAN,
    reason=None,
    contract=CONTRACT,
    passport=(
        *(row for row in PASSPORT if not row.gating),
        PassportRow(
            twin=TwinKind.LENGTH,
            variant=Variant.RIGHT,
            domain="seq",
            status=Status.CLEAN,
            gating=True,
            outputs=(OutputDifference(name="logits", difference=1e-6, noise_floor=3e-6, tolerance=2e-5),),
        ),
        PassportRow(
            twin=TwinKind.MATES,
            variant=Variant.BESIDE_LONGER,
            domain="seq",
            status=Status.UNTESTED,
            gating=True,
            reason="the file accepts only one row",
        ),
    ),
    findings=(FINDINGS[1],),
    duration_s=0.5,
)
CLEAN = ModelReport(
    path="good.onnx",
    sha256="ef" * 32,
    format="onnx",
    outcome=Outcome.CLEAN,
    passport=(
        PassportRow(
            twin=TwinKind.LENGTH,
            variant=Variant.RIGHT,
            domain="seq",
            status=Status.CLEAN,
            gating=True,
            outputs=(OutputDifference(name="y", difference=0.0, noise_floor=3e-6, tolerance=2e-5),),
        ),
    ),
    attention=(AttentionMap(site=layer(3), heads=4, pad_mass=(0.0,) * 4, axis=MaskAxis.KEYS),),
)
SKIPPED = ModelReport(
    path="tabular.onnx",
    sha256="12" * 32,
    format="onnx",
    outcome=Outcome.SKIPPED,
    reason="No input of this model could be padded.",
)
BROKEN = ModelReport(
    path="notes.txt",
    sha256=None,
    format="unknown",
    outcome=Outcome.ERROR,
    reason="Reading notes.txt: it is no model. Give an ONNX file or a model folder.",
)

REPORT = Report(
    (LEAKY, WARNED, CLEAN, SKIPPED, BROKEN),
    "0.1.0",
    {"python": "3.11.7", "onnxruntime": "1.31.1", "device": "cpu"},
    {"seed": 0, "samples": 8, "require": ("length", "mates"), "fail_on": "error", "inputs": None},
)
